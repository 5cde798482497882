"""Reads a study: the runs that it asks for, its recorded runs, its arms and their sections."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ablations.findings import arms, expectations, robust, slopes
from ablations.findings.sections import (
    SECTION,
    arm_shares,
    in_sections,
    section_runs,
    section_spread,
    with_bases,
)
from ablations.results.arms import arm_name
from ablations.results.records import records
from ablations.results.responses import GRADED
from ablations.results.runs import asked_runs, frame, sample_rows
from ablations.statistics.intervals import Shares
from ablations.studies.cells import Cell, Studies
from distill.evaluation.variance import Spread
from distill.run.record import study_runs


@dataclass(frozen=True)
class Request:
    """A study, and the folder of its runs."""

    study: str
    overrides: Sequence[str] = ()
    """As on the command line."""

    folder: Path | None = None
    """Recorded runs, such as `analysis/results/table2`; None: those of the study in `runs/`."""


@dataclass(frozen=True)
class Section:
    """The arms of one section of a study's table, with the runs behind them."""

    title: str
    arms: pd.DataFrame
    """Rows of `ablations.findings.arms.frame`."""

    runs: pd.DataFrame
    """The finished runs, those of the base included; see `ablations.results.runs.runs`."""

    samples: pd.DataFrame
    """Of these runs at least."""

    greedy: bool
    """Whether answers are not drawn at random."""

    @property
    def done(self) -> pd.DataFrame:
        """The arms that were run."""
        return self.arms[self.arms["state"] == "done"]

    @cached_property
    def spread(self) -> Spread | None:
        """How much runs of one arm differ, see `ablations.findings.sections.section_spread`."""
        return section_spread(self.runs, self.samples)

    @cached_property
    def slopes(self) -> pd.DataFrame:
        """Of its operators, see `ablations.findings.slopes.frame`."""
        return slopes.frame(self.runs, self.samples)

    @cached_property
    def robust(self) -> pd.DataFrame:
        """Structure against content, see `ablations.findings.robust.frame`."""
        return robust.frame(self.runs, self.samples)

    @property
    def rows(self) -> pd.DataFrame:
        """The responses of its runs to its benchmark; the student has one name in all of them."""
        mine = self.samples["cell"].isin(self.runs["cell"])
        rows = self.samples[mine & self.samples["benchmark"].isin(self.runs["benchmark"])]
        return rows.assign(student=self.arms["student"].iloc[0])

    def shares(self, arm: pd.Series) -> Shares:
        """Scores of one of the arms that were run, see `ablations.statistics.intervals.by_seed`."""
        return arm_shares(self.runs[self.runs["arm"] == arm["arm"]], self.samples)


@dataclass(frozen=True)
class Study:
    """What a study asks for, and its recorded runs."""

    asked: Request
    cells: Sequence[Cell]
    folder: Path
    found: Sequence[tuple[Path, dict[str, Any]]]
    """Its records, see `ablations.results.records.records`."""

    runs: pd.DataFrame
    """See `ablations.results.runs.runs`."""

    samples: pd.DataFrame
    """Of these runs, without texts."""

    arms: pd.DataFrame
    """See `ablations.findings.arms.frame`; with the arms that have not run."""

    @property
    def records(self) -> list[dict[str, Any]]:
        """The contents of the `run.json` files."""
        return [record for _, record in self.found]

    @cached_property
    def sections(self) -> list[Section]:
        """Those of the table in its order, each with the runs behind it."""
        parts = [part for _, part in self.arms.groupby(list(SECTION), sort=False, dropna=False)]
        done = self.runs[self.runs["accuracy"].notna()]
        done = done.assign(arm=[arm_name(run) for _, run in done.iterrows()])
        configs = {record["cell"]: record["config"] for record in self.records}
        found = []
        for grid, part in zip(arms.grids(self.arms), parts, strict=True):
            runs = section_runs(part.iloc[0], done)
            greedy = any(
                _is_greedy(configs[cell]["evaluation"], part["benchmark"].iloc[0])
                for cell in runs["cell"]
            )
            found.append(Section(grid.title, part, runs, self.samples, greedy))
        return found

    @cached_property
    def expectations(self) -> pd.DataFrame:
        """The verdicts on what it expects, see `ablations.findings.expectations.frame`."""
        stated = {one["cell"]: one["study"].get("expect", ()) for one in self.records}
        asked = expectations.expected(self.cells)
        return expectations.frame(asked, self.arms, self.runs, self.samples, stated)

    @property
    def scored(self) -> list[Section]:
        """The sections with a finished run."""
        return [section for section in self.sections if not section.done.empty]


class Reader:
    """Reads studies; the configs and the recorded runs that several of them share are read once."""

    def __init__(self) -> None:
        """Opens `conf/`; no runs are read yet."""
        self._studies = Studies()
        self._recorded: dict[Path, _Recorded] = {}

    def read(self, asked: Request, *, may_be_missing: bool = True) -> Study:
        """Read a study and its recorded runs; see `read_study`."""
        cells = self._studies.cells(asked.study, asked.overrides)
        folder = asked.folder or study_runs(cells[0].config.runs, cells[0].config.study.name)
        nothing = asked.folder is None and may_be_missing and not folder.is_dir()
        if not nothing and folder not in self._recorded:
            self._recorded[folder] = _recorded(folder)
        found, runs, rows = self._recorded.get(folder) or _Recorded([], frame([]), pd.DataFrame())
        planned = asked_runs(cells)
        runs = with_bases(runs, planned)
        planned = in_sections(planned, runs) if asked.folder else planned
        margin = cells[0].config.study.margin
        made = arms.frame(runs, rows, planned, margin)
        return Study(asked, cells, folder, found, runs, rows, made)


def read_study(asked: Request, *, may_be_missing: bool = True) -> Study:
    """Read a study and its recorded runs.

    The study's own folder in `runs/` may be missing, since nothing was run yet, unless
    `may_be_missing` is false. A folder that was named must exist.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: no such study, or a broken record; names it.
    """
    return Reader().read(asked, may_be_missing=may_be_missing)


class _Recorded(NamedTuple):
    """Of a folder: its records, its runs and their samples, as in `Study`."""

    found: Sequence[tuple[Path, dict[str, Any]]]
    runs: pd.DataFrame
    samples: pd.DataFrame


def _recorded(folder: Path) -> _Recorded:
    found = list(records(folder))
    return _Recorded(found, frame(found), sample_rows(found, GRADED))


def _is_greedy(evaluation: dict[str, Any], benchmark: str) -> bool:
    own = evaluation["benchmarks"][benchmark].get("sampling")
    return bool((own or evaluation["sampling"])["temperature"] == 0)
