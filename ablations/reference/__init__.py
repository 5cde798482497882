"""Published numbers as frames, from the CSV files of this folder.

SOURCES.md says where each comes from.
"""

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from distill.corruptions.locate import declarations

FOLDER = Path(__file__).parent

SHARES = ("accuracy", "majority")
"""Metrics that the files have in per cent, and frames as shares of 1."""


def published(table: str) -> pd.DataFrame:
    """The numbers of one published table or figure, in its order.

    Args:
        table: such as `table2`, `figure4` or `r1_table5`; see SOURCES.md.

    Returns:
        One row per (row, benchmark, metric): `teacher`, `student`, `method`, `size` (traces; NaN
        where none are trained on), `corruption`, `fraction`, `mode`, `unit`, `scope`, `steps` (the
        operator's defaults), `benchmark`, `metric`, `value` (shares of 1 for `SHARES`), `verified`
        (bool) and `note`.

    Raises:
        ValueError: no such table; names the known ones.
    """
    everything = _everything()
    if table not in set(everything["table"]):
        known = ", ".join(everything["table"].unique())
        raise ValueError(f"no published numbers of {table!r}; known: {known}")
    return everything[everything["table"] == table].drop(columns="table").reset_index(drop=True)


def title(name: str) -> str:
    """Printed name of a model or benchmark of `conf/`; unknown names are returned as they are."""
    return _titles().get(name, name)


@cache
def problem_counts() -> dict[str, int]:
    """Benchmark -> number of its problems, of those that are scored whole."""
    benchmarks = pd.read_csv(FOLDER / "benchmarks.csv")
    return dict(zip(benchmarks["name"], benchmarks["problems"].map(int), strict=True))


@cache
def _everything() -> pd.DataFrame:
    files = [FOLDER / "li2025.csv", FOLDER / "deepseek_r1.csv"]
    rows = pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
    choices = [declarations()[name].reads for name in rows["corruption"]]
    defaults: dict[str, Any] = {
        name: [choice[name][0] if name in choice else None for choice in choices]
        for name in ("mode", "unit", "scope", "steps")
    }
    scale = rows["metric"].isin(SHARES).map({True: 100.0, False: 1.0})
    return rows.rename(columns={"traces": "size"}).assign(
        fraction=rows["fraction"].fillna(0.0),
        value=(rows["value"] / scale).round(9),
        verified=rows["verified"].eq("yes"),
        **defaults,
    )


@cache
def _titles() -> dict[str, str]:
    names = pd.read_csv(FOLDER / "names.csv")
    return dict(zip(names["name"], names["title"], strict=True))
