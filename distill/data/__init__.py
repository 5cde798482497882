"""Problems: read, rated, filtered.

A module here turns rows of some source into problems or drops problems; nothing here knows a
trace's teacher or a student.
"""
