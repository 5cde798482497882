"""Writes tables as Markdown, LaTeX (booktabs) and HTML.

pandas' writers do not suffice: `Styler.to_latex` neither fits a table to the page nor escapes `<`,
`[` and minus signs, and `DataFrame.to_html` has neither captions nor row headers.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

ABSENT = "—"
"""Stands for a value that does not exist."""


@dataclass(frozen=True)
class Grid:
    """A table whose cells are finished texts."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    """Each as long as the header; the first column names the row."""


LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: "\\" + sign for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "×": r"$\times$",
    "\N{MINUS SIGN}": "$-$",
    "†": r"\textsuperscript{$\dagger$}",
    "‡": r"\textsuperscript{$\ddagger$}",
    "≈": r"$\approx$",
    "±": r"$\pm$",
    "*": r"\textsuperscript{*}",
    "<": "$<$",
    ">": "$>$",
    "[": "{[}",
    "]": "{]}",
}
"""Character -> its LaTeX source; a bare bracket at a row's start would be an argument of `\\\\`."""

_MINUS = re.compile(r"(?<!\w)-(?=[\d.])")
_MEANT = re.compile(r"\||<(?=[A-Za-z/!?])")
_STACKED = re.compile(r", | (?=[\[(])")


def markdown(grids: Sequence[Grid], note: str) -> str:
    """Pipe tables, each below its title in bold, then the note."""
    parts = [f"**{grid.title}**\n\n{_pipes(grid)}\n" for grid in grids]
    return "\n".join([*parts, note, ""])


def latex(grids: Sequence[Grid], note: str) -> str:
    r"""One `table` environment per grid, for `\input`; the note is part of the last."""
    parts = ["% needs \\usepackage{booktabs} and \\usepackage{graphicx}; generated file"]
    for place, grid in enumerate(grids, 1):
        parts += [
            r"\begin{table}[htp]\centering",
            rf"\caption{{{_latex(grid.title)}}}\smallskip",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * (len(grid.header) - 1)}}}",
            r"\toprule",
            _latex_line(map(_stacked, grid.header)),
            r"\midrule",
            *(_latex_line(map(_latex, row)) for row in grid.rows),
            r"\bottomrule",
            r"\end{tabular}}",
        ]
        if place == len(grids):
            parts.append(rf"\par\smallskip\parbox{{\linewidth}}{{\footnotesize {_latex(note)}}}")
        parts.append(r"\end{table}")
    return "\n".join([*parts, ""])


def html(grids: Sequence[Grid], note: str) -> str:
    """One `figure` element with caption and table per grid, unstyled; the note in a paragraph."""
    parts = []
    for grid in grids:
        head = "".join(f'<th scope="col">{escape(text)}</th>' for text in grid.header)
        body = "\n".join(f"<tr>{_html_line(row)}</tr>" for row in grid.rows)
        parts.append(
            f'<figure class="table"><table>\n<caption>{escape(grid.title)}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></figure>"
        )
    return "\n".join([*parts, f'<p class="note">{escape(note)}</p>', ""])


FORMATS: dict[str, Callable[[Sequence[Grid], str], str]] = {
    "md": markdown,
    "latex": latex,
    "html": html,
}
"""Name of a format on the command line -> its function."""


def _pipes(grid: Grid) -> str:
    header, *rows = (list(map(_markdown, line)) for line in (grid.header, *grid.rows))
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def _markdown(text: str) -> str:
    """A text that keeps to its cell: bars and HTML tags escaped, no line ends."""
    return _MEANT.sub(r"\\\g<0>", " ".join(text.splitlines()))


def _latex_line(texts: Iterable[str]) -> str:
    return " & ".join(texts) + r" \\"


def _latex(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in _MINUS.sub("\N{MINUS SIGN}", text))


def _stacked(text: str) -> str:
    """A header broken into lines, since the columns of numbers are narrow."""
    first, *more = map(_latex, _STACKED.split(text))
    if not more:
        return first
    lines = r" \\ ".join([first, *more])
    return rf"\begin{{tabular}}[b]{{@{{}}r@{{}}}}{lines}\end{{tabular}}"


def _html_line(row: Sequence[str]) -> str:
    name, *values = map(escape, row)
    return f'<th scope="row">{name}</th>' + "".join(f"<td>{value}</td>" for value in values)
