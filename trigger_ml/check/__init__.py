"""Judging: equality, divergence, budgets, physics, the lock."""
