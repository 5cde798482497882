"""Draws what the figures have in common: axes, intervals, reference lines, saved files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablations.reference import title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES = {
    "content": ("#0072b2", "o", "full"),
    "structure": ("#d55e00", "s", "none"),
    "other": ("#009e73", "^", "full"),
}
"""What of a trace is corrupted -> colour (of Okabe and Ito), marker, filling, distinct in grey."""

LINES = {"uncorrupted": ("-", "uncorrupted traces"), "base": ("--", "before training")}
"""Kind of arm without corruption -> dash of its line, and its name."""


def save(figure: "Figure", path: Path) -> None:
    """Write a figure in the format of the suffix (`.svg`, `.pdf`, `.png`); the bytes never vary.

    Text stays text, so that it can be searched and set in another font.
    """
    import matplotlib

    dated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "distill",
        "pdf.fonttype": 42,
    }
    with matplotlib.rc_context(settings):
        if path.suffix == ".svg":
            # `savefig` draws a figure twice, first for the layout, which drawing it makes anyway.
            from matplotlib.backends.backend_svg import FigureCanvasSVG

            FigureCanvasSVG(figure).print_svg(path, metadata=dated[".svg"])
        else:
            figure.savefig(path, dpi=150, metadata=dated.get(path.suffix))


def canvas(width: float, height: float, columns: int = 1) -> "tuple[Figure, Axes]":
    """An empty figure of this size in inches, and its first axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes[0]


def one_section(arms: pd.DataFrame) -> pd.DataFrame:
    """The finished rows. Raises ValueError if there are none, or of more than one section."""
    done = arms[arms["state"] == "done"]
    titles = arms[["benchmark", "student", "training", "training_setting"]].drop_duplicates()
    if done.empty or len(titles) > 1:
        raise ValueError(
            f"a figure shows one section with finished runs; got\n{titles.to_string()}"
        )
    return done


def references(axis: "Axes", done: pd.DataFrame) -> None:
    """Draw the accuracy of uncorrupted traces and of the base as lines, intervals as bands."""
    for kind, (dash, name) in LINES.items():
        for _, arm in done[done["kind"] == kind].iterrows():
            axis.axhspan(100 * arm["low"], 100 * arm["high"], color="0.5", alpha=0.2, linewidth=0)
            axis.axhline(100 * arm["accuracy"], color="0.2", linestyle=dash, label=name)


def each_run(axis: "Axes", arms: pd.DataFrame, place: str, colour: str) -> None:
    """Draw the accuracies of single runs, of arms with several, as dots at 100 x `place`."""
    for _, arm in arms[arms["runs"] > 1].iterrows():
        shares = [100 * share for share in arm["each_run"]]
        axis.plot([100 * arm[place]] * len(shares), shares, ".", color=colour, alpha=0.5, zorder=1)


def points_by_kind(axis: "Axes", arms: pd.DataFrame, columns: tuple[str, str, str]) -> None:
    """Draw arms at their rows, by kind: columns of value and both ends of the interval, shares."""
    for kind, (colour, marker, fill) in STYLES.items():
        look = {"color": colour, "marker": marker, "fillstyle": fill, "ls": "none"}
        part = arms[(arms["kind"] == kind) & arms[columns[0]].notna()]
        if len(part):
            errors(axis, part, (None, *columns), f"{kind} corrupted", look)


def errors(
    axis: "Axes",
    arms: pd.DataFrame,
    columns: tuple[str | None, str, str, str],
    name: str | None,
    look: dict[str, Any],
) -> None:
    """Draw points with intervals, in per cent.

    Args:
        axis: to draw on.
        arms: with `columns`, which are shares.
        columns: of x, of the value and of both ends of its interval; without x, the value is on the
            x axis and the index of `arms` on the y axis.
        name: in the legend; None: not in it.
        look: of lines and markers.
    """
    x, *scores = columns
    value, low, high = (100 * arms[column].astype(float) for column in scores)
    sides = [(value - low).clip(lower=0), (high - value).clip(lower=0)]
    if x is None:
        axis.errorbar(value, list(arms.index), xerr=sides, capsize=3, label=name, **look)
    else:
        axis.errorbar(100 * arms[x].astype(float), value, yerr=sides, capsize=3, label=name, **look)


def name_rows(axis: "Axes", arms: pd.DataFrame) -> None:
    """Label one row per arm with its name in the table, the lowest index at the bottom."""
    axis.set_yticks(list(arms.index), labels=list(arms["arm"]))
    axis.set_ylim(-0.5, len(arms) - 0.5)


def scored_on(done: pd.DataFrame) -> str:
    """The title of the benchmark, with n."""
    first = done.iloc[0]
    runs = f"{done['runs'].min():.0f} to {done['runs'].max():.0f}"
    runs = runs if done["runs"].nunique() > 1 else f"{first['runs']:.0f}"
    n = f"n = {first['problems']:.0f}×{first['samples']:.0f}×{runs}"
    return f"{title(first['benchmark'])} ({n})"


def section_title(done: pd.DataFrame) -> str:
    """The titles of student and training."""
    return f"{title(done['student'].iloc[0])}, {done['training'].iloc[0]}"
