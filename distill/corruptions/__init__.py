"""Controlled damage to selected traces: the stage, what it asks a model, edits of final answers.

Each kind of damage is one file in `operators/`.
"""
