"""The report of a study: parts made of blocks, rendered as HTML, Markdown or a W&B report."""
