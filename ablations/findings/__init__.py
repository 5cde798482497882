"""One question about a study per file, in one form: frame, grid, figure and sentence.

`frame` has the numbers, `grid` or `grids` the table, `figure` the drawing where there is one, and
`sentence` the answer. `study` reads a study, and `sections` says which of its runs are compared.
"""
