"""The table of a study, of a paper or of imported runs as text."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ablations.findings import arms, expectations
from ablations.findings.study import Request, Study, read_study
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

    A paper's table is followed by the arms behind it, and arms by the verdicts on what their study
    expects, except in `csv`, which is one frame.

    Args:
        name: a study, for its arms; a paper's table (`PAPERS`); or a folder of imported runs, for
            both verdicts.
        form: `csv` or a key of `ablations.render.grid.FORMATS`.
        study: for a paper's table, the study to compare; None: the one that runs the table's arms.
        overrides: of the study, as for `python -m distill`.
        folder: recorded runs, as in `analysis/results/table2`; None: those of the study in `runs`.
        arms_only: leave out the paper's table and the expectations.

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
    found = _study(study, overrides, folder, may_be_missing=paper is not None)
    ours = found.arms if found else arms.frame(asked_runs([]), pd.DataFrame())
    if form == CSV and (paper is None or arms_only):
        return ours.to_csv(index=False)
    if arms_only:
        return FORMATS[form](arms.grids(ours), arms.note(ours))
    if paper is None:
        return "\n".join(_scores(form, ours, found))
    comparison = paper(ours)
    if form == CSV:
        return comparison.to_csv(index=False)
    parts = [FORMATS[form](*paper_grids(comparison, paper_title(name)))]
    if (ours["state"] == "done").any():
        parts += _scores(form, ours, found)
    return "\n".join(parts)


def _scores(form: str, ours: pd.DataFrame, found: Study | None) -> list[str]:
    """The arms of a study, and the verdicts on what it expects of them, if anything."""
    parts = [FORMATS[form](arms.grids(ours), arms.note(ours))]
    if found and len(found.expectations):
        judged = found.expectations
        note = f"{expectations.sentence(judged)}\n\n{expectations.NOTE}"
        parts.append(FORMATS[form](expectations.grids(judged), note))
    return parts


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


def _study(
    study: str | None, overrides: Sequence[str], folder: Path | None, *, may_be_missing: bool
) -> Study | None:
    """The study with its arms, run or not; None without one."""
    if study is None:
        return None
    return read_study(Request(study, overrides, folder), may_be_missing=may_be_missing)
