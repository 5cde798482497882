"""Grading: find the answer in a solution, compare it with the gold answer, or run its tests.

Traces and students' responses are graded alike, so nothing here knows which of them it grades.
"""
