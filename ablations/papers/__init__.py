"""The papers' tables and figures, with our numbers next to the published ones."""
