"""Metrics by name, and how a candidate's differs from the reference's."""
