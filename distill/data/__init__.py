"""Problems: read from rows, rated, filtered. Knows about no teacher and no student."""
