"""Scores: sample a student on a benchmark, summarize verdicts. Whatever measures a student."""
