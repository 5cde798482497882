"""Which of the published differences could the design of the paper have shown?"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablations.papers.comparison import AVERAGE, AVERAGED
from ablations.reference import problem_counts, published, title
from ablations.render.drawing import STYLES, canvas
from ablations.render.grid import Grid
from ablations.render.wording import LEVEL
from ablations.results.arms import arm_name, kind, place
from ablations.statistics.power import Assumptions, Design, detectable, power
from ablations.statistics.significance import mcnemar

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def frame(assumed: Assumptions | None = None) -> pd.DataFrame:
    """One row per damaged arm of Table 2 (arXiv:2502.07374) and benchmark, then their average.

    Each published score is from one greedy answer per problem of one training run.

    Args:
        assumed: variances; None: those of a design without any result.

    Returns:
        row, kind: the arm; content or structure.
        benchmark, problems: `AVERAGE` last, over the problems of all four.
        change: accuracy minus that of uncorrupted traces, shares of 1.
        detectable: smallest difference found in 80 % of studies, of these two students as trained.
        detectable_recipes: the same if other training runs of the recipes count.
        power, power_recipes: probability that a true difference of this size is found; NaN of the
            average.
        least_p: p of the exact paired test if the answers fell on the problems as favourably to
            the difference as the two scores allow; raw outputs can only raise it. NaN of the
            average.
    """
    assumed = assumed or Assumptions()
    theirs = published("table2")
    theirs = theirs[theirs["metric"].eq("accuracy") & theirs["method"].ne("none")]
    theirs = theirs.assign(row=[arm_name(arm) for _, arm in theirs.iterrows()])
    reference = theirs[theirs["corruption"] == "none"].set_index("benchmark")["value"]
    damaged = theirs[theirs["corruption"].ne("none")]
    rows: list[dict[str, Any]] = []
    groups = [(name, arm) for name, arm in damaged.groupby("row", sort=False)]
    for name, arm in sorted(groups, key=lambda group: place(group[1].iloc[0])):
        shared = {"row": name, "kind": kind(arm.iloc[0])}
        scores = arm.set_index("benchmark")["value"]
        single = []
        for benchmark in AVERAGED:
            change = _change(scores[benchmark], reference[benchmark], benchmark)
            single.append(shared | change | _shown(change, assumed))
        rows += [*single, shared | {"benchmark": AVERAGE} | _average(single)]
    columns = [
        *("row", "kind", "benchmark", "problems", "change"),
        *("detectable", "detectable_recipes", "power", "power_recipes", "least_p"),
    ]
    return pd.DataFrame(rows, columns=columns)


def grid(changes: pd.DataFrame, name: str) -> Grid:
    """The changes on one benchmark as texts, in points, without the columns that have no number."""
    columns = {
        "published change": [f"{100 * change:+.1f}" for change in changes["change"]],
        "detectable, these runs": [f"{100 * size:.1f}" for size in changes["detectable"]],
        "detectable, the recipes": [f"{100 * size:.1f}" for size in changes["detectable_recipes"]],
    }
    more = {"power": "power, these runs", "power_recipes": "power, the recipes"}
    for column, header in (more | {"least_p": "least p"}).items():
        if changes[column].notna().any():
            columns[header] = [f"{value:.2g}" for value in changes[column]]
    rows = [list(row) for row in zip(changes["row"], *columns.values(), strict=True)]
    return Grid(name, ("arm", *columns), rows)


def figure(changes: pd.DataFrame) -> "Figure":
    """Published changes against what could be detected, from the rows of one benchmark of `frame`.

    One axis with one row per arm; inside the dark band no difference between these runs could be
    shown, inside the light one none between the recipes.
    """
    shown = changes.iloc[::-1].reset_index(drop=True)
    drawn, axis = canvas(7, 1.9 + 0.32 * len(shown))
    for column, grey, label in (
        ("detectable_recipes", "0.9", "below what the recipes could show"),
        ("detectable", "0.75", "below what these runs could show"),
    ):
        edge = 100 * shown[column].max()
        axis.axvspan(-edge, edge, color=grey, linewidth=0, label=label)
    axis.axvline(0, color="0.2", linewidth=1)
    for damaged, (colour, marker, fill) in STYLES.items():
        part = shown[shown["kind"] == damaged]
        look: dict[str, Any] = {"color": colour, "marker": marker, "fillstyle": fill, "ls": "none"}
        if len(part):
            axis.plot(100 * part["change"], part.index, label=f"{damaged} damaged", **look)
    axis.set_yticks(list(shown.index), labels=list(shown["row"]))
    axis.set_xlabel(f"published difference to uncorrupted, {title(shown['benchmark'][0])}, points")
    drawn.legend(loc="outside lower center", ncols=2, frameon=False)
    return drawn


def sentence(changes: pd.DataFrame) -> str:
    """How many published changes their design could have shown, one by one and on average."""
    single, average = (changes[changes["benchmark"].eq(AVERAGE) == yes] for yes in (False, True))
    never = int((single["least_p"] >= LEVEL).sum())
    said = [
        f"Of {len(single)} published changes on one benchmark {_beyond(single)}; {never} could "
        "not be significant however the answers fell on the problems."
    ]
    for target, part in average.groupby("kind"):
        said.append(f"Of {len(part)} changes of the average by damage to {target} {_beyond(part)}.")
    return " ".join(said)


def _change(score: float, reference: float, benchmark: str) -> dict[str, Any]:
    problems = problem_counts()[benchmark]
    right = [round(share * problems) for share in (score, reference)]
    nested = [pd.Series([float(i < count) for i in range(problems)]) for count in right]
    made = {"benchmark": benchmark, "problems": problems, "change": score - reference}
    return made | {"accuracy": (score + reference) / 2, "least_p": mcnemar(*nested)}


def _shown(one: dict[str, Any], assumed: Assumptions) -> dict[str, Any]:
    """What two arms could show at the accuracy that they have."""
    here = replace(assumed, accuracy=one["accuracy"])
    these, design = replace(here, seed_sd=0.0), Design(one["problems"])
    return {
        "detectable": detectable(design, these),
        "detectable_recipes": detectable(design, here),
        "power": power(one["change"], design, these),
        "power_recipes": power(one["change"], design, here),
    }


def _average(single: list[dict[str, Any]]) -> dict[str, Any]:
    """The change of the average: benchmarks share no problem, so their variances add up.

    The variance of seeds is common to all four, so averaging does not reduce its part.
    """
    changes = [one["change"] for one in single]
    these = math.hypot(*(one["detectable"] for one in single)) / len(single)
    common = [math.sqrt(one["detectable_recipes"] ** 2 - one["detectable"] ** 2) for one in single]
    return {
        "problems": sum(one["problems"] for one in single),
        "change": sum(changes) / len(single),
        "detectable": these,
        "detectable_recipes": math.hypot(these, sum(common) / len(single)),
    }


def _beyond(changes: pd.DataFrame) -> str:
    size = changes["change"].abs()
    these, recipes = (
        (size >= changes[name]).sum() for name in ("detectable", "detectable_recipes")
    )
    return (
        f"{these} are as large as what these runs could show, and {recipes} as large as what "
        "would tell the recipes apart"
    )
