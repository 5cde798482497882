"""Draws the arms of a study next to the published numbers, readable in grey."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from ablations.findings.curves import operator_curves
from ablations.papers.comparison import AVERAGE
from ablations.papers.tables import table2
from ablations.reference import published
from ablations.render import drawing
from ablations.results.arms import UNCORRUPTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


CHANGE = ("difference", "difference_low", "difference_high")
"""Columns of `ablations.findings.arms.frame`: a difference and its interval."""


def forest(arms: pd.DataFrame) -> "Figure":
    """Difference of accuracy to uncorrupted by arm, with 95 % intervals, and the published one.

    Args:
        arms: rows of one section of `ablations.findings.arms.frame`; those not run say so.

    Returns:
        One axis with one row per arm in the order of the table; crosses are published: on the same
        benchmark, or where the paper does not have it, of the average of its four.

    Raises:
        ValueError: the rows are of several sections, or none of them was run.
    """
    done = drawing.one_section(arms)
    shown = arms[arms["arm"] != UNCORRUPTED].iloc[::-1].reset_index(drop=True)
    figure, axis = drawing.canvas(7, 1.9 + 0.32 * len(shown))
    axis.axvline(0, color="0.2", linewidth=1, label="uncorrupted")
    drawing.points_by_kind(axis, shown, CHANGE)
    base = shown[shown["kind"] == "base"]
    look: dict[str, Any] = {"color": "0.3", "marker": "D", "markersize": 5, "ls": "none"}
    drawing.errors(axis, base, (None, *CHANGE), drawing.LINES["base"][1], look)
    theirs = table2(arms)
    theirs = theirs[theirs["metric"] == "change"]
    theirs = theirs[theirs["benchmark"] == done["benchmark"].iloc[0]]
    places = theirs["row"].map({arm: place for place, arm in shown["arm"].items()})
    axis.plot(100 * theirs["published"], places, "x", color="k", ls="none", label="published")
    for place in shown.index[shown["state"] != "done"]:
        at: dict[str, Any] = {"transform": axis.get_yaxis_transform(), "ha": "right"}
        axis.text(0.99, place, "not run", va="center", fontsize="small", **at)
    drawing.name_rows(axis, shown)
    axis.set_xlabel(
        f"difference of accuracy, points, and 95 % intervals\n{drawing.scored_on(done)}"
    )
    axis.set_title(drawing.section_title(done), loc="left")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def dose_response(arms: pd.DataFrame) -> "Figure":
    """Accuracy against corruption rate, one curve per operator; ours left, published right.

    Two axes on one scale. Curves begin at uncorrupted traces; published: average of the four
    benchmarks, without intervals. Dots are single runs. Arms and errors are those of `forest`;
    variants of an operator are ignored, so that ours and the published mean the same.
    """
    done = drawing.one_section(arms)
    theirs = published("table2")
    theirs = theirs[theirs["benchmark"] == AVERAGE]
    uncorrupted = theirs[(theirs["method"] != "none") & (theirs["corruption"] == "none")]
    base = theirs[theirs["method"] == "none"]
    figure, left = drawing.canvas(9, 4.6, columns=2)
    right = figure.axes[1]
    drawing.references(left, done)
    for number, kind in ((uncorrupted, "uncorrupted"), (base, "base")):
        right.axhline(100 * number["value"].item(), color="0.2", linestyle=drawing.LINES[kind][0])
    start = done[done["kind"] == "uncorrupted"]
    for curve in operator_curves(done):
        look, name = curve.look, f"{curve.name} ({curve.target})"
        mine = pd.concat([start, curve.arms]).sort_values("fraction")
        if len(curve.arms):
            drawing.errors(left, mine, ("fraction", "accuracy", "low", "high"), None, look)
            drawing.each_run(left, mine, "fraction", look["color"])
        points = pd.concat([uncorrupted, theirs[theirs["corruption"] == curve.operator]])
        points = points.sort_values("fraction")
        right.plot(100 * points["fraction"], 100 * points["value"], label=name, **look)
    left.set_title(f"ours: {drawing.section_title(done)}", loc="left")
    right.set_title("published: arXiv:2502.07374, Table 2", loc="left")
    left.set_ylabel(f"accuracy, %\n{drawing.scored_on(done)}")
    right.set_ylabel("accuracy, %\naverage of four benchmarks")
    for axis in figure.axes:
        axis.set(xlim=(-4, 104), ylim=(-2, 102))
        axis.set_xlabel("corruption rate, % of the operator's units")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure
