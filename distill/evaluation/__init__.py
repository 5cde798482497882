"""Scores: sample a student on a benchmark and summarize verdicts.

What measures a trained student on problems belongs here.
"""
