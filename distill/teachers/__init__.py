"""Traces: sampled, read, converted, verified and selected.

A module here produces traces or decides which of them a student is trained on.
"""
