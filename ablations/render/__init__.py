"""How numbers look: tables in four formats, wording, drawing, HTML pages.

Nothing here computes a result.
"""
