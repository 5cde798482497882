"""Corruption of selected traces: the stage, what it asks an annotator, and edits of stated answers.

Operators themselves are in `operators/`.
"""
