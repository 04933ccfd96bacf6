"""Designs as points of LUTs against a metric: the front, tables, plots."""
