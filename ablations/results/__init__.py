"""Finished runs as data frames: records, sample rows, arms and settings.

No statistics here.
"""
