"""Scores: sample a student on a benchmark and summarize verdicts.

Anything that measures a trained student enters here.
"""
