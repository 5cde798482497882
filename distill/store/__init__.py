"""Artifacts made once: identity, atomic completion, resumable rows.

Nothing here knows what a stage does.
"""
