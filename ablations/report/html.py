"""Writes the report of a study as one HTML page that needs no other file."""

from functools import partial
from typing import Any, NoReturn

from markupsafe import Markup

from ablations.findings.study import Request, read_study
from ablations.render import grid
from ablations.render.page import inline, render
from ablations.report.examples import LONGEST
from ablations.report.parts import each_part
from ablations.show.html import view

PATIENCE = 2.0
"""Seconds after which a bar is drawn."""


def report(asked: Request) -> str:
    """The page as HTML, byte-identical for the same runs; errors as of `read_study`.

    What takes long draws a progress bar on a terminal: parts, then figures.
    """
    from tqdm import tqdm

    study = read_study(asked)
    with tqdm(desc="report", unit="part", delay=PATIENCE, disable=None, leave=False) as bar:
        made = []
        for part in each_part(study):
            made.append(part)
            bar.update()

        def drawn(*picture: Any) -> Markup:
            bar.update()
            return inline(*picture)

        return render(
            "report.html.j2",
            study=asked.study,
            hypothesis=study.cells[0].config.study.hypothesis,
            parts=made,
            html=grid.html,
            inline=drawn,
            view=partial(view, longest=LONGEST),
            unknown=_unknown,
        )


def _unknown(kind: str) -> NoReturn:
    """Called by the template for a block that it does not render."""
    raise TypeError(f"templates/blocks.html.j2 does not render blocks of kind {kind}")
