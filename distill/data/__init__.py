"""Problems: read from rows of a source, rated, filtered.

A module here turns rows into problems (or recorded traces), or rejects problems; none of them knows
about teachers or students.
"""
