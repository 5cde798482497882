"""Tables of a study: frame of runs -> frame of arms."""

from typing import Any

import pandas as pd

from ablations import stats
from ablations.runs import ARM, SETTINGS
from ablations.stats import Estimate
from distill.config import CORRUPTION_CHOICES

NAMES = {
    "none": "correct",
    "wrong_answers": "wrong answers",
    "random_digits": "random digits",
    "remove_keywords": "keywords removed",
    "shuffle_steps": "steps shuffled",
    "delete_steps": "steps deleted",
    "insert_steps": "steps inserted",
}
"""Operator -> its name in a table, in the order of Table 2 of arXiv:2502.07374. Others follow by
their own."""

KINDS = {
    "wrong_answers": "content",
    "random_digits": "content",
    "remove_keywords": "content",
    "shuffle_steps": "structure",
    "delete_steps": "structure",
    "insert_steps": "structure",
}
"""What of a trace an operator damages; `base` and `correct` are neither."""

SECTION = ("benchmark", "student", "training", "size", "teacher", "dataset", *SETTINGS)
"""What the arms of one section share."""

COLUMNS = (
    *SECTION,
    *ARM,
    *("arm", "kind", "state", "problems", "samples", "runs", "accuracy", "low", "high"),
    *("difference", "difference_low", "difference_high", "p"),
    *("truncated", "damaged_share", "rows", "tokens"),
)
"""Of `table`; see there."""


def table(
    runs: pd.DataFrame, samples: pd.DataFrame, planned: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row per arm and section: base, correct, then the damaged ones in the paper's order.

    A section is what is trained and scored alike; runs that differ in nothing but seeds are one
    arm. The base (`training=none`) stands in every section whose students were scored as it was.

    Args:
        runs: one row per (run, benchmark), see `ablations.runs.runs`.
        samples: one row per (run, benchmark, problem, sample) of the same runs.
        planned: in the columns of `runs`, the cells that the study asks for; arms without a run
            are rows with `state` "not run".

    Returns:
        `SECTION`, `ARM`, and:

        arm, kind, state: its name; base, correct, content or structure; "done" or "not run".
        problems, samples, runs: n, responses a problem and run, and runs averaged (their seeds).
        accuracy, low, high: `stats.accuracy`.
        difference, difference_low, difference_high: `stats.difference` to `correct` of the same
            section.
        p: `stats.mcnemar` to `correct`; only where both are one run with one sample a problem.
        truncated: share of responses cut at the token limit.
        damaged_share: of the units in the selected traces.
        rows: traces trained on.
        tokens: of a response, mean.
    """
    asked = runs if planned is None else pd.concat([runs, planned], ignore_index=True)
    asked = asked[asked["benchmark"].notna()]
    sections = asked[asked["method"] != "none"].drop_duplicates(list(SECTION))
    sections = pd.concat([sections, _lonely_bases(asked, sections)])
    rows = [row for _, section in sections.iterrows() for row in _section(section, asked, samples)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def arm_shares(runs: pd.DataFrame, samples: pd.DataFrame) -> pd.Series:
    """Share of right samples by problem, over all runs of one arm on one benchmark."""
    chosen = samples["cell"].isin(runs["cell"]) & samples["benchmark"].isin(runs["benchmark"])
    return stats.by_problem(samples[chosen])


def arm_name(run: Any) -> str:
    """An arm in words: operator, share, and what is not the operator's default."""
    if run["method"] == "none":
        return "base"
    if run["corruption"] == "none":
        return NAMES["none"]
    choices = CORRUPTION_CHOICES.get(run["corruption"], {})
    variant = [str(run[name]) for name in choices if run[name] != choices[name][0]]
    name = NAMES.get(run["corruption"], run["corruption"])
    return ", ".join([f"{name} {100 * run['fraction']:g} %", *variant])


def _lonely_bases(asked: pd.DataFrame, sections: pd.DataFrame) -> pd.DataFrame:
    """Untrained students that no trained one was scored like: a section each."""
    bases = asked[asked["method"] == "none"].drop_duplicates(["benchmark", "evaluation_setting"])
    return bases[~bases["evaluation_setting"].isin(sections["evaluation_setting"])]


def _section(
    section: pd.Series, asked: pd.DataFrame, samples: pd.DataFrame
) -> list[dict[str, Any]]:
    """The rows of one section."""
    alike = asked[
        (asked["benchmark"] == section["benchmark"])
        & (asked["evaluation_setting"] == section["evaluation_setting"])
        & ((asked["training_setting"] == section["training_setting"]) | (asked["method"] == "none"))
    ]
    alike = alike.assign(arm=[arm_name(run) for _, run in alike.iterrows()])
    arms = sorted((part for _, part in alike.groupby("arm")), key=lambda part: _place(part.iloc[0]))
    done = [part[part["accuracy"].notna()] for part in arms]
    shares = {
        part["arm"].iloc[0]: None if run.empty else arm_shares(run, samples)
        for part, run in zip(arms, done, strict=True)
    }
    shared = {name: section[name] for name in SECTION}
    return [shared | _arm(part, shares) for part in arms]


def _place(run: pd.Series) -> tuple[Any, ...]:
    order = list(NAMES)
    known = order.index(run["corruption"]) if run["corruption"] in order else len(order)
    choices = CORRUPTION_CHOICES.get(run["corruption"], {})
    variant = [choices[name].index(run[name]) for name in choices]
    return run["method"] != "none", known, run["corruption"], variant, run["fraction"]


def _arm(part: pd.DataFrame, shares: dict[str, pd.Series | None]) -> dict[str, Any]:
    first, done = part.iloc[0], part[part["accuracy"].notna()]
    neutral = "base" if first["method"] == "none" else "correct"
    row = {name: first[name] for name in (*ARM, "arm")}
    row |= {"kind": KINDS.get(first["corruption"], neutral), "state": "not run"}
    mine, correct = shares[first["arm"]], shares.get(NAMES["none"])
    if mine is None:
        return row
    counts = {
        "samples": int(done["samples"].iloc[0]),
        "runs": done["cell"].nunique(),
        "state": "done",
    }
    row |= counts | _estimate("accuracy", "", stats.accuracy(mine)) | {"problems": len(mine)}
    if correct is not None and first["arm"] != NAMES["none"]:
        row |= _estimate("difference", "difference_", stats.difference(mine, correct))
        if mine.isin([0, 1]).all() and correct.isin([0, 1]).all():
            row["p"] = stats.mcnemar(mine, correct)
    return row | {
        name: done[name].mean() for name in ("truncated", "damaged_share", "rows", "tokens")
    }


def _estimate(name: str, prefix: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{prefix}low": estimate.low, f"{prefix}high": estimate.high}
