"""Controlled damage to selected traces, and what it asks a model; `operators/`: a file a kind."""
