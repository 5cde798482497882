"""The arms of a study as finished texts: one grid a section, and as Markdown."""

from typing import Any

import pandas as pd

from ablations import formats
from ablations.formats import Grid
from ablations.settings import SETTINGS
from ablations.tables import SECTION
from ablations.wording import per_cent

ALWAYS = ("benchmark", "student", "training")
"""Named above every section; the rest of `SECTION` only where it differs."""

HEADER = (
    *("arm", "n", "accuracy [95 %]", "difference to correct [95 %]", "p", "p (Holm)"),
    *("truncated", "damaged", "traces", "tokens"),
)

NOTE = """\
n: problems × samples a problem × runs (training and corruption seeds). Accuracy: per cent, with a
95 % interval clustered by problem. Difference: points, paired by problem. p: two-sided, exact where
both are one run with one sample a problem; Holm: adjusted for all comparisons of the section.
Intervals and p cover training seeds only where every trained side has several runs, never another
teacher corpus or base student. Damaged: share of the units in the selected traces. Traces: trained
on. Tokens: of a response."""
"""Below every table."""


def markdown(table: pd.DataFrame) -> str:
    """The table for people: percent, each score with its n and its interval, a title a section."""
    return formats.markdown(grids(table), NOTE).rstrip("\n")


def grids(table: pd.DataFrame) -> list[Grid]:
    """The same as texts, for any of `formats.FORMATS`; `NOTE` belongs below.

    Args:
        table: see `ablations.tables.table`.
    """
    made = []
    for _, part in table.groupby(list(SECTION), sort=False, dropna=False):
        title = ", ".join(f"{name} {part[name].iloc[0]}" for name in _varying(table))
        made.append(Grid(title, HEADER, [_line(run) for _, run in part.iterrows()]))
    return made


def interval(value: Any, low: Any, high: Any, sign: str = "") -> str:
    """Shares in per cent: `43.2 [38.5, 48.1]`, with signs where `sign` is `+`; empty if NaN."""
    if pd.isna(value):
        return ""
    value, low, high = (round(100 * share, 1) + 0.0 for share in (value, low, high))
    shown = f"{value:{sign}.1f}"
    return shown if pd.isna(low) else f"{shown} [{low:{sign}.1f}, {high:{sign}.1f}]"


def _varying(table: pd.DataFrame) -> list[str]:
    """What tells the sections apart; the hashes of their settings only where nothing else does."""
    names = [name for name in SECTION if name not in SETTINGS]
    shown = {name: table[name].nunique(dropna=False) > 1 or name in ALWAYS for name in names}
    sections = table[list(SECTION)].drop_duplicates()
    if sections.duplicated(names).any():
        shown |= {name: sections[name].nunique() > 1 for name in SETTINGS}
    return [name for name, yes in shown.items() if yes]


def _line(run: pd.Series) -> list[str]:
    if run["state"] != "done":
        return [run["arm"], run["state"], *[""] * (len(HEADER) - 2)]
    shares = [per_cent(run["truncated"]), per_cent(run["damaged_share"])]
    means = ["" if pd.isna(run[name]) else f"{run[name]:.0f}" for name in ("rows", "tokens")]
    change = (run["difference"], run["difference_low"], run["difference_high"])
    scores = [interval(run["accuracy"], run["low"], run["high"]), interval(*change, "+")]
    tests = [p_value(run["p"]), p_value(run["p_holm"])]
    return [run["arm"], sampled(run), *scores, *tests, *shares, *means]


def sampled(run: pd.Series) -> str:
    """The n of an arm that was run: problems × samples a problem × runs."""
    return f"{run['problems']:.0f}×{run['samples']:.0f}×{run['runs']:.0f}"


def p_value(p: Any) -> str:
    """`0.031`, or a bound of the very small; empty if there is none."""
    if pd.isna(p):
        return ""
    return "<0.0001" if p < 1e-4 else f"{p:.2g}"
