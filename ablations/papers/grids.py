"""Comparisons with published tables as texts: one grid per section and metric."""

from typing import Any

import pandas as pd

from ablations.papers.comparison import AVERAGE, STANDS_IN
from ablations.reference import SHARES, title
from ablations.render.grid import Grid
from ablations.render.wording import interval

METRICS = {
    "accuracy": "accuracy, %",
    "change": "difference to uncorrupted, points",
    "majority": "accuracy of the most frequent answer, %",
    "tokens": "tokens per response",
    "keywords": "reflection keywords per response",
    "rating": "rating",
}
"""Metric -> its name above a grid."""

COLUMNS_NOTE = """\
Published: as printed, without intervals, since every published arm is one run; sources in
ablations/reference/SOURCES.md. Ours: [95 % interval]; n: problems × samples per problem × runs, and
the accuracy of each run; boxed: if only answers in a box or another mark count; undecided: per cent
of the responses. Not run: ours is missing. -: not published. Difference: ours minus published."""
"""Below every comparison."""

UNVERIFIED = "† from memory or read off a figure, not verified."

STAND_IN = (
    "The paper does not have this benchmark: next to a difference on it is that of the paper's "
    "average of the four."
)


def paper_grids(comparison: pd.DataFrame, name: str) -> tuple[list[Grid], str]:
    """Texts for any of `grid.FORMATS`: the grids, and the note below them.

    Args:
        comparison: see `ablations.papers.comparison.COMPARISON`.
        name: of the table, before every title.

    Returns:
        The note of a published number is printed where it begins with `misprint`, marked `*`.
    """
    made = []
    like = ["student", "training", "size"]
    for section, part in comparison.groupby(like, sort=False, dropna=False):
        known = [str(value) for value in section if value == value and value is not None]
        ours = f"; ours: {', '.join(known)}" if known else ""
        for metric in [metric for metric in METRICS if part["metric"].eq(metric).any()]:
            numbers = part[part["metric"] == metric]
            made.append(_grid(f"{name}: {METRICS[metric]}{ours}", numbers))
    note = [COLUMNS_NOTE]
    shown = comparison[comparison["published"].notna()]
    note += [UNVERIFIED] * bool((~shown["verified"].astype(bool)).any())
    misprints = shown.loc[shown["note"].str.startswith("misprint", na=False), "note"]
    note += [f"* {text}." for text in misprints.unique()]
    note += [STAND_IN] * bool(comparison["note"].eq(STANDS_IN).any())
    return made, "\n".join(note)


def _grid(name: str, numbers: pd.DataFrame) -> Grid:
    rows = list(dict.fromkeys(numbers["row"]))
    header, columns = ["row"], [rows]
    ours = list(dict.fromkeys(numbers.loc[numbers["ours"].notna(), "benchmark"]))
    if not ours:
        header, columns = ["row", "ours"], [rows, ["not run"] * len(rows)]
    stood_in = numbers["note"].eq(STANDS_IN)
    theirs = [*ours, *numbers.loc[numbers["published"].notna(), "benchmark"]]
    if stood_in.any():
        theirs = [name for name in theirs if name != AVERAGE or name in ours]
    for benchmark in dict.fromkeys(theirs):
        cells = numbers[numbers["benchmark"] == benchmark]
        texts = {cell["row"]: _texts(cell) for _, cell in cells.iterrows()}
        lines = [texts.get(row, ["not run", "-", ""]) for row in rows]
        mine, published, difference = map(list, zip(*lines, strict=True))
        if benchmark in ours:
            header.append(f"{title(benchmark)}, ours")
            columns.append(mine)
        if cells["published"].notna().any():
            of = AVERAGE if cells["note"].eq(STANDS_IN).any() else benchmark
            header.append(f"{title(of)}, published")
            columns.append(published)
        if any(difference):
            header.append("difference")
            columns.append(difference)
    return Grid(name, header, [list(row) for row in zip(*columns, strict=True)])


def _texts(cell: pd.Series) -> list[str]:
    """Ours, published, difference."""
    metric = cell["metric"]
    signed = "+" if metric == "change" else ""
    mine = cell["state"]
    if mine == "done":
        mine = _shown(cell["ours"], metric, signed, cell["low"], cell["high"])
        mine = f"{mine} n={cell['n']}{_reading(cell)}" if mine and metric == "accuracy" else mine
    published = "-"
    if not pd.isna(cell["published"]):
        mark = "" if cell["verified"] else "†"
        mark += "*" if str(cell["note"]).startswith("misprint") else ""
        published = _shown(cell["published"], metric, signed)
        if cell["benchmark"] == AVERAGE and metric == "accuracy":
            published = f"{100 * cell['published']:.2f}"
        published += mark
    return [mine, published, _shown(cell["difference"], metric, "+")]


def _reading(cell: pd.Series) -> str:
    """What the accuracy is if only marked answers count, and the share without a verdict."""
    boxed = "" if pd.isna(cell["boxed"]) else f", boxed {100 * cell['boxed']:.1f}"
    undecided = "" if pd.isna(cell["undecided"]) else f", undecided {100 * cell['undecided']:.1f}"
    return boxed + undecided


def _shown(
    value: Any, metric: str, sign: str, low: Any = float("nan"), high: Any = float("nan")
) -> str:
    if pd.isna(value):
        return ""
    if metric in SHARES or metric == "change":
        return interval(value, low, high, sign)
    return f"{value:{sign},.0f}" if abs(value) >= 100 else f"{value:{sign}.3g}"
