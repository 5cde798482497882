"""Intervals, tests, variance, power and dose-response on plain frames. Knows no study."""
