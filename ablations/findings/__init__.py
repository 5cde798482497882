"""One question about a study per file, in one form: frame, grid, figure and sentence.

`frame` has the numbers, `grid` or `grids` the table, `figure` the drawing where there is one, and
`sentence` the answer. Arguments named `runs` and `samples` are the frames of those names of
`ablations.results.runs`, of the same runs; `samples` alone has one name in `student` for each run.
`study` reads a study, and `sections` says which of its runs are compared.
"""
