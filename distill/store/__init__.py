"""Artifacts made once: identity, atomic completion, resumable rows. Knows no stage."""
