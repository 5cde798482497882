"""The table of a study, of a paper or of imported runs as text."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ablations.findings import arms, expectations
from ablations.findings.study import Reader, Request, Study
from ablations.papers.grids import paper_grids
from ablations.papers.tables import PAPERS, paper_title
from ablations.render.grid import FORMATS
from ablations.results.runs import asked_runs
from ablations.studies.cells import Studies

CSV = "csv"
"""The format that holds numbers for further use: shares of 1 instead of per cent."""


Asked = Callable[[str], str]
"""Format, `csv` or a key of `ablations.render.grid.FORMATS` -> a table as text."""


def tables(
    names: Sequence[str],
    *,
    study: str | None = None,
    overrides: Sequence[str] = (),
    folder: Path | None = None,
    arms_only: bool = False,
) -> Iterator[tuple[str, Asked]]:
    """Tables by name, one after another; what they share is read once.

    A paper's table is followed by the arms behind it, and arms by the verdicts on what their study
    expects, except in `csv`, which is one frame.

    Args:
        names: of each a study, for its arms; a paper's table (`PAPERS`); or a folder of imported
            runs, for both verdicts.
        study: for papers' tables, the study to compare; None: the one that runs a table's arms.
        overrides: of the study, as for `python -m distill`.
        folder: recorded runs, as in `analysis/results/table2`; None: those of the study in `runs`.
        arms_only: leave out the paper's table and the expectations.

    Raises:
        FileNotFoundError: the folder does not exist; for a paper's table only if it was named.
        ValueError: no such table or study; names the choices.
    """
    studies, reader = Studies(), Reader()
    known = {*PAPERS, *studies.names()}
    for name in names:
        if name not in known and (both := _imported(name, studies, overrides, folder)):
            yield name, both
            continue
        paper, own = PAPERS.get(name, (None, name))
        of = own if study is None else study
        if of is None and (folder or overrides):
            raise ValueError(
                f"no study runs the arms of {name}; name one with --study: "
                f"{', '.join(studies.names())}"
            )
        found = None
        if of is not None:
            asked = Request(of, overrides, folder)
            found = reader.read(asked, may_be_missing=paper is not None)
        yield name, _table(name, found, arms_only)


def tabulate(name: str, form: str, **asked: Any) -> str:
    """One table in one format; arguments and errors as of `tables`."""
    ((_, table),) = tables([name], **asked)
    return table(form)


def _table(name: str, found: Study | None, arms_only: bool) -> Asked:
    """The table of a paper or of a study; None: no study runs the paper's arms."""
    paper, _ = PAPERS.get(name, (None, name))
    ours = found.arms if found else arms.frame(asked_runs([]), pd.DataFrame())
    comparison = None if paper is None or arms_only else paper(ours)

    def text(form: str) -> str:
        if form == CSV:
            return (ours if comparison is None else comparison).to_csv(index=False)
        if arms_only:
            return FORMATS[form](arms.grids(ours), arms.note(ours))
        if comparison is None:
            return "\n".join(_scores(form, ours, found))
        parts = [FORMATS[form](*paper_grids(comparison, paper_title(name)))]
        if (ours["state"] == "done").any():
            parts += _scores(form, ours, found)
        return "\n".join(parts)

    return text


def _scores(form: str, ours: pd.DataFrame, found: Study | None) -> list[str]:
    """The arms of a study, and the verdicts on what it expects of them, if anything."""
    parts = [FORMATS[form](arms.grids(ours), arms.note(ours))]
    if found and len(found.expectations):
        judged = found.expectations
        note = f"{expectations.sentence(judged)}\n\n{expectations.NOTE}"
        parts.append(FORMATS[form](expectations.grids(judged), note))
    return parts


def _imported(
    name: str, studies: Studies, overrides: Sequence[str], folder: Path | None
) -> Asked | None:
    """Both verdicts on imported runs; None where there are none of this name."""
    from ablations.imports.runs import NOTE, grid, imported

    compared = imported(folder or Path(studies.one(overrides).config.runs) / name)
    if compared is None:
        return None
    return lambda form: (
        compared.to_csv(index=False) if form == CSV else FORMATS[form]([grid(compared)], NOTE)
    )
