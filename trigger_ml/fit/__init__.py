"""Choosing how a network becomes firmware so that it meets a budget, before it is built."""
