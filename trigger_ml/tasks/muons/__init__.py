"""The muon task: simulate a six-layer chamber, mark the hits of its muons, and judge the marks.

Import what is needed from the modules; this package imports nothing by itself.
"""
