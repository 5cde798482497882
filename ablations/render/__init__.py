"""Rendering of finished results: tables in four formats, wording, figures, HTML pages.

Nothing here computes a result.
"""
