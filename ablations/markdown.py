"""The table of a study as Markdown."""

from collections.abc import Sequence

import pandas as pd

from ablations.runs import SETTINGS
from ablations.tables import SECTION

ALWAYS = ("benchmark", "student", "training")
"""Named above every section; the rest of `SECTION` only where it differs."""

HEADER = (
    *("arm", "n", "accuracy [95 %]", "difference to correct [95 %]", "p"),
    *("truncated", "damaged", "traces", "tokens"),
)

NOTE = """\
n: problems × samples a problem × runs (training and corruption seeds). Accuracy: per cent, Wilson's
95 % interval at the effective number of trials. Difference: points, paired by problem, 95 %
bootstrap by problem. p: exact McNemar. Damaged: share of the units in the selected traces. Traces:
trained on. Tokens: of a response. No interval here covers another training seed, teacher corpus or
base student."""
"""Below every table."""


def markdown(table: pd.DataFrame) -> str:
    """The table for people: percent, each score with its n and its interval, a title a section."""
    parts = []
    for _, part in table.groupby(list(SECTION), sort=False, dropna=False):
        title = ", ".join(f"{name} {part[name].iloc[0]}" for name in _varying(table))
        parts += [f"**{title}**\n", _grid(HEADER, [_line(run) for _, run in part.iterrows()]), ""]
    return "\n".join([*parts, NOTE])


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
    p = "" if pd.isna(run["p"]) else f"{run['p']:.2g}"
    shares = [_percent(run["truncated"]), _percent(run["damaged_share"])]
    means = ["" if pd.isna(run[name]) else f"{run[name]:.0f}" for name in ("rows", "tokens")]
    n = f"{run['problems']:.0f}×{run['samples']:.0f}×{run['runs']:.0f}"
    scores = [_interval(run, "accuracy", ""), _interval(run, "difference", "difference_"), p]
    return [run["arm"], n, *scores, *shares, *means]


def _interval(run: pd.Series, name: str, prefix: str) -> str:
    if pd.isna(run[name]):
        return ""
    sign = "+" if prefix else ""
    low, high = (format(100 * run[prefix + end], f"{sign}.1f") for end in ("low", "high"))
    return f"{format(100 * run[name], f'{sign}.1f')} [{low}, {high}]"


def _percent(share: float) -> str:
    return "" if pd.isna(share) else f"{100 * share:.1f} %"


def _grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )
