"""Counting resources."""
