"""Tracks of charged particles: hits of a barrel tracker, and graphs of the segments between them.

Simulating, reading and drawing; the networks that judge the segments are beside them.
"""
