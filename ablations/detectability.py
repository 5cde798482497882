"""Which published differences their own design could have shown: frame of published changes."""

import math
from dataclasses import replace
from typing import Any

import pandas as pd

from ablations.comparison import AVERAGE, AVERAGED
from ablations.power import Assumptions, Design, detectable, power
from ablations.power_table import SIZES
from ablations.reference import published
from ablations.significance import mcnemar
from ablations.tables import KINDS, arm_name, place

COLUMNS = (
    *("row", "kind", "benchmark", "problems", "change"),
    *("detectable", "detectable_recipes", "power", "power_recipes", "least_p"),
)
"""Of `published_changes`; see there."""


def published_changes(assumed: Assumptions | None = None) -> pd.DataFrame:
    """One row per damaged arm of Table 2 (arXiv:2502.07374) and benchmark, then their average.

    Each published score is one greedy answer a problem of one training run.

    Args:
        assumed: variances; None: those of a design of which nothing is known.

    Returns:
        row, kind: the arm; content or structure.
        benchmark, problems: `AVERAGE` last, over the problems of all four.
        change: accuracy minus that of correct traces, shares of 1.
        detectable: smallest difference found in 80 % of studies, of these two students as trained.
        detectable_recipes: the same if other training runs of the recipes count.
        power, power_recipes: probability that a true difference of this size is found; NaN of the
            average.
        least_p: p of the exact paired test in the arrangement of answers that favours the
            difference most, so that no raw outputs can make it smaller; NaN of the average.
    """
    assumed = assumed or Assumptions()
    theirs = published("table2")
    theirs = theirs[theirs["metric"].eq("accuracy") & theirs["method"].ne("none")]
    theirs = theirs.assign(row=[arm_name(arm) for _, arm in theirs.iterrows()])
    correct = theirs[theirs["corruption"] == "none"].set_index("benchmark")["value"]
    damaged = theirs[theirs["corruption"].isin(KINDS)]
    rows: list[dict[str, Any]] = []
    groups = [(name, arm) for name, arm in damaged.groupby("row", sort=False)]
    for name, arm in sorted(groups, key=lambda group: place(group[1].iloc[0])):
        shared = {"row": name, "kind": KINDS[arm["corruption"].iloc[0]]}
        scores = arm.set_index("benchmark")["value"]
        single = [
            shared | {"benchmark": benchmark} | _change(scores[benchmark], correct[benchmark], size)
            for benchmark, size in ((name, SIZES[name]) for name in AVERAGED)
        ]
        single = [one | _shown(one, assumed) for one in single]
        rows += [*single, shared | {"benchmark": AVERAGE} | _average(single)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _change(score: float, correct: float, problems: int) -> dict[str, Any]:
    right = [round(share * problems) for share in (score, correct)]
    nested = [pd.Series([float(i < count) for i in range(problems)]) for count in right]
    return {
        "problems": problems,
        "change": score - correct,
        "accuracy": (score + correct) / 2,
        "least_p": mcnemar(*nested),
    }


def _shown(one: dict[str, Any], assumed: Assumptions) -> dict[str, Any]:
    """What two arms could show around the accuracy that they have."""
    here = replace(assumed, accuracy=one["accuracy"])
    these, design = replace(here, seed_sd=0.0), Design(one["problems"])
    return {
        "detectable": detectable(design, these),
        "detectable_recipes": detectable(design, here),
        "power": power(one["change"], design, these),
        "power_recipes": power(one["change"], design, here),
    }


def _average(single: list[dict[str, Any]]) -> dict[str, Any]:
    """Benchmarks share no problem, so what their problems add to the variance adds up.

    The scatter of seeds is common to all four, so its part does not shrink by averaging.
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
