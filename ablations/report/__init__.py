"""A study as one report: parts and blocks, rendered as HTML, Markdown or a W&B report."""
