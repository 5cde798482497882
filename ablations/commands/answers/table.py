"""The table of a study, of a paper or of imported runs as text."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ablations.findings import arms
from ablations.findings.study import Request, read_study
from ablations.papers.grids import paper_grids
from ablations.papers.tables import PAPERS, paper_title
from ablations.render.grid import FORMATS
from ablations.results.runs import asked_runs
from ablations.studies.cells import Studies

CSV = "csv"
"""The format that holds numbers for further use: shares of 1 instead of per cent."""


def tabulate(
    name: str,
    form: str,
    *,
    study: str | None = None,
    overrides: Sequence[str] = (),
    folder: Path | None = None,
    arms_only: bool = False,
) -> str:
    """A table as text.

    A paper's table is followed by the arms behind it, except in `csv`, which is one frame.

    Args:
        name: a study, for its arms; a paper's table (`PAPERS`); or a folder of imported runs, for
            both verdicts.
        form: `csv` or a key of `ablations.render.grid.FORMATS`.
        study: for a paper's table, the study to compare; None: the one that runs the table's arms.
        overrides: of the study, as for `python -m distill`.
        folder: recorded runs, as in `analysis/results/table2`; None: those of the study in `runs`.
        arms_only: leave out the paper's table.

    Raises:
        FileNotFoundError: the folder does not exist; for a paper's table only if it was named.
        ValueError: no such table or study; names the choices.
    """
    if text := _imported(name, form, overrides, folder):
        return text
    paper, own = PAPERS.get(name, (None, name))
    study = own if study is None else study
    if study is None and (folder or overrides):
        raise ValueError(
            f"no study runs the arms of {name}; name one with --study: "
            f"{', '.join(Studies().names())}"
        )
    ours = _arms(study, overrides, folder, may_be_missing=paper is not None)
    if paper is None or arms_only:
        if form == CSV:
            return ours.to_csv(index=False)
        return FORMATS[form](arms.grids(ours), arms.note(ours))
    comparison = paper(ours)
    if form == CSV:
        return comparison.to_csv(index=False)
    parts = [FORMATS[form](*paper_grids(comparison, paper_title(name)))]
    if (ours["state"] == "done").any():
        parts.append(FORMATS[form](arms.grids(ours), arms.note(ours)))
    return "\n".join(parts)


def _imported(name: str, form: str, overrides: Sequence[str], folder: Path | None) -> str | None:
    """Both verdicts on imported runs; None for the name of a paper's table or of a study."""
    studies = Studies()
    if name in PAPERS or name in studies.names():
        return None
    from ablations.imports.runs import NOTE as BOTH
    from ablations.imports.runs import grid, imported

    compared = imported(folder or Path(studies.one(overrides).config.runs) / name)
    if compared is None:
        return None
    if form == CSV:
        return compared.to_csv(index=False)
    return FORMATS[form]([grid(compared)], BOTH)


def _arms(
    study: str | None, overrides: Sequence[str], folder: Path | None, *, may_be_missing: bool
) -> pd.DataFrame:
    """The arms of the study, run or not; no rows without a study."""
    if study is None:
        return arms.frame(asked_runs([]), pd.DataFrame())
    return read_study(Request(study, overrides, folder), may_be_missing=may_be_missing).arms
