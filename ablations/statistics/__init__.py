"""Intervals, tests, variance components, power and dose-response estimates, on plain frames.

Nothing here knows a study.
"""
