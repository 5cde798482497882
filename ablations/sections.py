"""The sections of a study's table with the runs behind each."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from ablations.markdown import grids
from ablations.tables import SECTION, arm_name, arm_shares


@dataclass(frozen=True)
class Section:
    """The arms of one section, and what they rest on."""

    title: str
    arms: pd.DataFrame
    """Rows of `ablations.tables.table`."""

    runs: pd.DataFrame
    """Finished ones, see `ablations.runs.runs`; those of the base too."""

    samples: pd.DataFrame
    """Of these runs at least."""

    greedy: bool
    """Whether answers are not drawn at random."""

    @property
    def done(self) -> pd.DataFrame:
        """The arms that were run."""
        return self.arms[self.arms["state"] == "done"]

    def shares(self, arm: pd.Series) -> pd.DataFrame:
        """Scores of one of the arms that were run, see `ablations.stats.by_seed`."""
        return arm_shares(self.runs[self.runs["arm"] == arm["arm"]], self.samples)


def sections(
    arms: pd.DataFrame, done: pd.DataFrame, rows: pd.DataFrame, made: list[dict[str, Any]]
) -> list[Section]:
    """The sections of a table, each with the runs behind it, in its order.

    Args:
        arms: see `ablations.tables.table`.
        done: the runs that it was made of, see `ablations.runs.runs`.
        rows: their samples.
        made: their records.
    """
    named = done.assign(arm=[arm_name(run) for _, run in done.iterrows()])
    by_key = {record["cell"]: record for record in made}
    parts = [part for _, part in arms.groupby(list(SECTION), sort=False, dropna=False)]
    found = []
    for grid, part in zip(grids(arms), parts, strict=True):
        first = part.iloc[0]
        mine = named[
            (named["benchmark"] == first["benchmark"])
            & (named["evaluation_setting"] == first["evaluation_setting"])
            & (named["accuracy"].notna())
            & (
                (named["training_setting"] == first["training_setting"])
                | (named["method"] == "none")
            )
        ]
        evaluations = [by_key[cell]["config"]["evaluation"] for cell in mine["cell"]]
        greedy = any(_is_greedy(one, first["benchmark"]) for one in evaluations)
        found.append(Section(grid.title, part, mine, rows, greedy))
    return found


def _is_greedy(evaluation: dict[str, Any], benchmark: str) -> bool:
    own = evaluation["benchmarks"][benchmark].get("sampling")
    return bool((own or evaluation["sampling"])["temperature"] == 0)
