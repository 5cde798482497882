"""Rendering of finished results: tables, wording, figures, pages. Computes no result."""
