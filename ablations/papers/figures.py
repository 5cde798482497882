"""Figures 2, 4 and 5 of arXiv:2502.07374, with our numbers next to the published ones."""

from itertools import cycle
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablations.reference import published, title
from ablations.render.drawing import canvas, errors
from ablations.statistics import intervals
from distill.evaluation.scores import pass_at

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES = (("#0072b2", "o"), ("#d55e00", "s"), ("#009e73", "^"), ("#cc79a7", "v"), ("#e69f00", "P"))
"""Colours (of Okabe and Ito) and markers of the curves of `data_size`, in turn."""

THEIRS: dict[str, Any] = {"color": "k", "marker": "x", "ls": ":"}
"""Look of what is published."""


def data_size(arms: pd.DataFrame) -> "Figure":
    """Accuracy by training-set size (Figure 2), one curve per student, training and benchmark.

    Args:
        arms: see `ablations.findings.arms.frame`; damaged arms and those not run are ignored.

    Returns:
        One axis, size on a logarithmic scale; the untrained student is a dashed line in the colour
        of its curve. Published: average of the four benchmarks; its other sizes were not read.

    Raises:
        ValueError: no uncorrupted arm was run.
    """
    trained, bases = _undamaged(arms)
    figure, axis = canvas(7, 4.6)
    keys = ["student", "training", "benchmark"]
    for (colour, marker), (key, part) in zip(cycle(CURVES), trained.groupby(keys), strict=False):
        name = ", ".join(title(str(value)) for value in key)
        look = {"color": colour, "marker": marker, "ls": "-"}
        sized = part.assign(hundredth=part["size"] / 100).sort_values("size")
        errors(axis, sized, ("hundredth", "accuracy", "low", "high"), name, look)
        own = bases[(bases["student"] == key[0]) & (bases["benchmark"] == key[2])]
        for share in own["accuracy"].unique():
            axis.axhline(100 * share, color=colour, linestyle="--", linewidth=1)
    theirs = published("figure2")
    base, sizes = (theirs[theirs["method"].eq("none") == yes] for yes in (True, False))
    axis.plot(
        sizes["size"], 100 * sizes["value"], label="published: 32B, average of four", **THEIRS
    )
    axis.axhline(100 * base["value"].item(), color="k", linestyle=":", linewidth=1)
    axis.set_xscale("log", base=2)
    sizes_shown = sorted({*trained["size"].astype(int), *sizes["size"].astype(int)})
    axis.set_xticks(sizes_shown, labels=[f"{size:,}" for size in sizes_shown])
    axis.minorticks_off()
    axis.set(ylim=(0, 102), xlabel="traces trained on", ylabel="accuracy, %, and 95 % intervals")
    axis.set_title("Flat lines: before training", loc="left", fontsize="medium")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def students(arms: pd.DataFrame) -> "Figure":
    """Accuracy before and after training on uncorrupted traces (Figure 4), one row per student.

    One axis: open before, filled after, with 95 % intervals; crosses are published averages of four
    benchmarks, thin before and bold after, and a dagger marks bars whose student was inferred. A
    student without our numbers, or without published ones, lacks those marks. Arms and errors are
    those of `data_size`.
    """
    trained, bases = _undamaged(arms)
    theirs = published("figure4")
    keys = ["student", "training", "size", "benchmark"]
    groups = list(trained.groupby(keys))
    others = list(dict.fromkeys(theirs["student"]))
    names = [
        ", ".join([title(str(student)), str(training), f"{size:,.0f}", title(str(benchmark))])
        for (student, training, size, benchmark), _ in groups
    ]
    rows = [*names, *map(title, others)]
    figure, axis = canvas(8, 1.9 + 0.36 * len(rows))
    for number, (_, after) in enumerate(groups, 1):
        place, like = len(rows) - number, ["student", "benchmark"]
        before = bases.merge(after[like].drop_duplicates(), on=like)
        for arm, when, fill in ((before, "before", "none"), (after, "after", "full")):
            look = {"color": "#0072b2", "marker": "o", "fillstyle": fill, "ls": "none"}
            at = arm.head(1).set_axis([place] * len(arm.head(1)))
            errors(axis, at, (None, "accuracy", "low", "high"), f"ours, {when} training", look)
    for place, student in enumerate(reversed(others)):
        _published_students(axis, theirs[theirs["student"] == student], place)
    axis.set_yticks(range(len(rows)), labels=rows[::-1])
    axis.set(xlim=(-2, 102), ylim=(-0.5, len(rows) - 0.5))
    axis.set_xlabel("accuracy, % († the paper's bar was assigned by inference)")
    handles, labels = axis.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    figure.legend(once.values(), once.keys(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def best_of_n(samples: pd.DataFrame) -> "Figure":
    """Oracle best of N samples of the base against one sample of the trained student (Figure 5).

    Args:
        samples: see `ablations.results.runs.samples`, of one benchmark and student: the base, with
            k > 1 samples of each problem, and arms trained on uncorrupted traces.

    Returns:
        One axis: best of N = 1, 2, 4, ... k (unbiased, arXiv:2107.03374) with 95 % intervals over
        problems; the trained student's accuracy as a line with its interval. The band is where the
        published curves cross.

    Raises:
        ValueError: several students or benchmarks, or no base or no trained student.
    """
    kinds = samples[["student", "benchmark"]].drop_duplicates()
    base = samples[samples["method"] == "none"]
    trained = samples[(samples["method"] != "none") & (samples["corruption"] == "none")]
    if len(kinds) != 1 or base.empty or trained.empty:
        raise ValueError(
            "best of N needs a base and a trained student, one student on one benchmark; got\n"
            f"{samples[['student', 'benchmark', 'method']].drop_duplicates().to_string()}"
        )
    right = base["correct"].eq(True).groupby(base["problem_id"]).agg(["sum", "size"])
    drawn = int(right["size"].min())
    budgets = [2**power for power in range(drawn.bit_length())]
    points = []
    for budget in budgets:
        chances = [pass_at(budget, int(n), int(count)) for count, n in right.to_numpy()]
        estimate = intervals.accuracy(pd.Series(chances, index=right.index))
        points.append({"hundredth": budget / 100} | estimate.columns("value", ""))
    curve = pd.DataFrame(points)
    figure, axis = canvas(7, 4.4)
    crossings = published("figure5")
    label = f"published crossings ({title(crossings['benchmark'].iloc[0])})"
    axis.axvspan(crossings["value"].min(), crossings["value"].max(), color="0.9", label=label)
    look = {"color": "#0072b2", "marker": "o"}
    errors(axis, curve, ("hundredth", "value", "low", "high"), "base, best of N", look)
    once = intervals.accuracy(intervals.by_seed(trained))
    axis.axhspan(100 * once.low, 100 * once.high, color="#d55e00", alpha=0.2, linewidth=0)
    axis.axhline(100 * once.value, color="#d55e00", linestyle="--", label="trained, one sample")
    axis.set_xscale("log", base=2)
    axis.set_xticks(budgets, labels=[str(n) for n in budgets])
    student, benchmark = kinds.iloc[0]
    axis.set(ylim=(0, 102), xlabel="N", ylabel=f"accuracy on {title(benchmark)}, %")
    axis.set_title(f"{title(student)}, n = {len(right)} problems", loc="left")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def _published_students(axis: "Axes", numbers: pd.DataFrame, place: int) -> None:
    for _, number in numbers.iterrows():
        after = number["method"] != "none"
        label = f"published, {'after' if after else 'before'} training"
        look: dict[str, Any] = {"color": "k", "mew": 2.5 if after else 1, "ls": "none"}
        at = (100 * number["value"], place)
        axis.plot(*at, "x", label=label, **look)
        if not number["verified"]:
            axis.annotate("†", at, (4, 3), textcoords="offset points")


def _undamaged(arms: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Finished uncorrupted arms, and untrained ones."""
    done = arms[arms["state"] == "done"]
    trained = done[done["kind"] == "uncorrupted"]
    if trained.empty:
        raise ValueError(
            f"no uncorrupted arm was run; arms: {', '.join(arms['arm'].unique()) or 'none'}"
        )
    return trained, done[done["kind"] == "base"]
