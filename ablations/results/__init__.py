"""Finished runs as data frames: records, sample rows, arms, settings. No statistics here."""
