"""Is an answer right: read it, compare it, run it.

Graders are shared by traces and students, so nothing here knows which of the two it grades.
"""
