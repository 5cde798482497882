"""Intervals, tests, variance components and power, on plain frames.

Nothing here knows a study.
"""
