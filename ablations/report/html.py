"""Writes the report of a study as one HTML page that needs no other file."""

from functools import partial
from typing import NoReturn

from ablations.findings.study import Request, read_study
from ablations.render import grid
from ablations.render.page import inline, render
from ablations.report.examples import LONGEST
from ablations.report.parts import parts
from ablations.show.html import view


def report(asked: Request) -> str:
    """The page as HTML, byte-identical for the same runs; errors as of `read_study`."""
    study = read_study(asked)
    return render(
        "report.html.j2",
        study=asked.study,
        hypothesis=study.cells[0].config.study.hypothesis,
        parts=parts(study),
        html=grid.html,
        inline=inline,
        view=partial(view, longest=LONGEST),
        unknown=_unknown,
    )


def _unknown(kind: str) -> NoReturn:
    """Called by the template for a block that it does not render."""
    raise TypeError(f"templates/blocks.html.j2 does not render blocks of kind {kind}")
