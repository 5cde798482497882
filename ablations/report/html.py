"""A study as one self-contained page: its answer, what it rests on, and how to make it again."""

from functools import partial

from ablations.findings.study import Request, read_study
from ablations.render import grid
from ablations.render.page import inline, render
from ablations.report.examples import LONGEST
from ablations.report.parts import parts
from ablations.show.html import view


def report(asked: Request) -> str:
    """The page, the same bytes for the same runs.

    Raises:
        FileNotFoundError: the folder that was named is not there.
        ValueError: no such study, or a broken record; names it.
    """
    study = read_study(asked)
    return render(
        "report.html.j2",
        study=asked.study,
        hypothesis=study.cells[0].config.study.hypothesis,
        parts=parts(study),
        html=grid.html,
        inline=inline,
        view=partial(view, longest=LONGEST),
    )
