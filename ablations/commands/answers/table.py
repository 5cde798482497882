"""The table of a study, of a paper or of imported runs as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ablations.findings import arms
from ablations.findings.study import Request as StudyRequest
from ablations.findings.study import read_study
from ablations.papers.grids import paper_grids
from ablations.papers.tables import PAPERS, paper_title
from ablations.render.grid import FORMATS
from ablations.results.runs import asked_runs
from ablations.studies.cells import Studies

CSV = "csv"
"""The format that holds numbers for further use: shares of 1 instead of per cent."""


@dataclass(frozen=True)
class Request:
    """Which table, and of which runs."""

    name: str
    """A paper's table (`PAPERS`); a study, for its arms; or a folder of imported runs, for both
    verdicts."""

    study: str | None = None
    """Paper's tables: the study to compare; None: the one that runs the table's arms."""

    overrides: Sequence[str] = ()
    """Of the study, as for `python -m distill`."""

    folder: Path | None = None
    """Recorded runs, such as `analysis/results/table2`; None: those of the study in `runs/`."""

    arms_only: bool = False
    """Paper's tables: only the arms of the study."""


def tabulate(asked: Request, form: str) -> str:
    """The table as text.

    A paper's table is followed by the arms behind it, except in `csv`, which is one frame.

    Args:
        asked: the table and its runs.
        form: `csv` or a key of `ablations.render.grid.FORMATS`.

    Raises:
        FileNotFoundError: the folder does not exist; for a paper's table only if it was named.
        ValueError: no such table or study; names the choices.
    """
    if text := _imported(asked, form):
        return text
    paper, study = PAPERS.get(asked.name, (None, asked.name))
    study = asked.study or study
    if study is None and (asked.folder or asked.overrides):
        raise ValueError(
            f"no study runs the arms of {asked.name}; name one by --study: "
            f"{', '.join(Studies().names())}"
        )
    ours = _arms(asked, study, may_be_missing=paper is not None)
    if paper is None or asked.arms_only:
        return (
            ours.to_csv(index=False) if form == CSV else FORMATS[form](arms.grids(ours), arms.NOTE)
        )
    comparison = paper(ours)
    if form == CSV:
        return comparison.to_csv(index=False)
    parts = [FORMATS[form](*paper_grids(comparison, paper_title(asked.name)))]
    if (ours["state"] == "done").any():
        parts.append(FORMATS[form](arms.grids(ours), arms.NOTE))
    return "\n".join(parts)


def _imported(asked: Request, form: str) -> str | None:
    """Both verdicts on imported runs; None if the request names a paper's table or a study."""
    studies = Studies()
    if asked.name in PAPERS or asked.name in studies.names():
        return None
    from ablations.imports.runs import NOTE as BOTH
    from ablations.imports.runs import grid, imported

    folder = asked.folder or Path(studies.one(asked.overrides).config.runs) / asked.name
    compared = imported(folder)
    if compared is None:
        return None
    if form == CSV:
        return compared.to_csv(index=False)
    return FORMATS[form]([grid(compared)], BOTH)


def _arms(asked: Request, study: str | None, *, may_be_missing: bool) -> pd.DataFrame:
    """The arms of the study, run or not; no rows without a study."""
    if study is None:
        return arms.frame(asked_runs([]), pd.DataFrame())
    request = StudyRequest(study, asked.overrides, asked.folder)
    return read_study(request, may_be_missing=may_be_missing).arms
