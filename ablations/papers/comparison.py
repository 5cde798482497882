"""Compares our arms with the published numbers of a table, row by row."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from ablations.findings.arms import each_run
from ablations.reference import published
from ablations.render.wording import sampled
from ablations.results.arms import UNCORRUPTED

COMPARISON = (
    *("student", "training", "size", "row", "benchmark", "metric", "state"),
    *(
        "ours",
        "low",
        "high",
        "n",
        "boxed",
        "undecided",
        "published",
        "difference",
        "verified",
        "note",
    ),
)
"""Columns of every comparison; one row per (section, row, benchmark, metric).

student, training, size: what the arms of a section of ours share, unless it is part of `row`.
row: as the paper names it; rows that only we have and rows that only the paper has are both there.
state: "done" or "not run", of ours.
ours, low, high, n: our number with its 95 % interval (accuracies and changes only), and problems ×
    samples per problem × runs; `accuracy`, `majority` and `change` are shares of 1.
boxed, undecided: of an accuracy of ours, what it is if only marked answers count, and the share of
    responses without a verdict.
published, verified, note: see `ablations.reference.published`.
difference: ours minus published.
"""

AVERAGED = ("math500", "aime24", "amc23", "olympiadbench")
"""Benchmarks of the averages in arXiv:2502.07374."""

AVERAGE = "average_recomputed"
"""Benchmark name of the mean over `AVERAGED`, ours and theirs; `average` is the printed one."""

STANDS_IN = "of the average of the four; the paper does not have this benchmark"
"""Note of a published change next to ours on a benchmark that the paper does not have."""

KEY = ["row", "benchmark", "metric"]
"""Columns that identify a number within a section."""


class SeveralArmsError(ValueError):
    """Two arms belong in one place of a paper's table."""


def compared(
    table: str,
    arms: pd.DataFrame,
    row: Callable[[Any], str],
    shared: Sequence[str],
    metrics: Sequence[str] = ("accuracy",),
    order: Callable[[Any], Any] | None = None,
) -> pd.DataFrame:
    """Our number, the published one and their difference, in the columns of `COMPARISON`.

    Args:
        table: a name of `ablations.reference.published`.
        arms: see `ablations.findings.arms.frame`.
        row: names the row of an arm or of a published number; those of one name are matched.
        shared: columns of `arms` by which they are split into sections; each section is compared
            with all published numbers.
        metrics: of ours.
        order: key by which rows are sorted; None: as published, then rows that only we have.

    Raises:
        SeveralArmsError: two arms belong in one place of the table.
    """
    theirs = published(table)
    theirs = theirs.assign(row=[row(number) for _, number in theirs.iterrows()])
    arms = arms.assign(row=[row(arm) for _, arm in arms.iterrows()])
    firsts = [one for _, one in pd.concat([theirs, arms]).drop_duplicates("row").iterrows()]
    rows = [one["row"] for one in (sorted(firsts, key=order) if order else firsts)]
    if "change" in metrics:
        theirs = pd.concat([theirs, _changes(theirs)], ignore_index=True)
    parts = []
    sections = arms.groupby(list(shared), sort=False) if shared else [((), arms)]
    for values, section in sections if len(arms) else [((None,) * len(shared), arms)]:
        ours = _ours(section, metrics)
        section_of: dict[str, Any] = dict(zip(shared, values, strict=True))
        both = _matched(ours, theirs).assign(**section_of)
        parts.append(_sorted(both, "row", rows))
    return pd.concat(parts, ignore_index=True).reindex(columns=list(COMPARISON))


def _matched(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Every number of either; a change that was not published is compared with the average's."""
    numbers = theirs[[*KEY, "value", "verified", "note"]].rename(columns={"value": "published"})
    unmatched = ours["metric"].eq("change") & ~ours["benchmark"].isin(numbers["benchmark"])
    average = numbers[numbers["metric"].eq("change") & numbers["benchmark"].eq(AVERAGE)]
    stand_ins = [
        average.assign(benchmark=name, note=STANDS_IN)
        for name in ours["benchmark"][unmatched].unique()
    ]
    both = pd.concat([numbers, *stand_ins]).merge(ours, on=KEY, how="outer", sort=False)
    both = _sorted(both, "benchmark", [*ours["benchmark"], *numbers["benchmark"]])
    return both.assign(
        state=both["state"].fillna("not run"), difference=both["ours"] - both["published"]
    )


def _sorted(frame: pd.DataFrame, column: str, order: Sequence[str]) -> pd.DataFrame:
    places = {name: place for place, name in enumerate(dict.fromkeys(order))}
    return frame.sort_values(column, key=lambda names: names.map(places), kind="stable")


def _ours(arms: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """One row per (row, benchmark, metric) of one section."""
    numbers = [_number(arm, metric) for _, arm in arms.iterrows() for metric in metrics]
    columns = [*KEY, "state", "ours", "low", "high", "n", "boxed", "undecided"]
    found = pd.DataFrame(numbers, columns=columns).drop_duplicates()
    done = found[found["state"] == "done"]
    same = done.duplicated(KEY, keep=False)
    if same.any():
        raise SeveralArmsError(
            "several arms for one place of the table; select fewer runs:\n"
            + done[same].to_string(index=False)
        )
    left = found[found["state"] != "done"].drop_duplicates(KEY)
    left = left[~left.set_index(KEY).index.isin(done.set_index(KEY).index)]
    return pd.concat([done, left, _averages(done)], ignore_index=True)


def _number(arm: pd.Series, metric: str) -> dict[str, Any]:
    made = {"row": arm["row"], "benchmark": arm["benchmark"], "metric": metric}
    if arm["state"] != "done":
        return made | {"state": arm["state"]}
    value = arm.get("difference" if metric == "change" else metric)
    made |= {"state": "done", "ours": value, "n": sampled(arm)}
    if metric == "change":
        return made | {"low": arm["difference_low"], "high": arm["difference_high"]}
    if metric != "accuracy":
        return made
    reading = {"boxed": arm["accuracy_boxed"], "undecided": arm["undecided"]}
    if arm["runs"] > 1:
        made |= {"n": f"{sampled(arm)} ({each_run(arm)})"}
    return made | {"low": arm["low"], "high": arm["high"]} | reading


def _averages(done: pd.DataFrame) -> pd.DataFrame:
    """Means over `AVERAGED` where all were run; they share no problem, so variances add up."""
    four = done[done["benchmark"].isin(AVERAGED) & done["metric"].isin(("accuracy", "change"))]
    rows = []
    for (row, metric), part in four.groupby(["row", "metric"], sort=False):
        if len(part) < len(AVERAGED) or part["ours"].isna().any():
            continue
        mean = part["ours"].mean()
        low, high = (
            ((part["ours"] - part[end]) ** 2).sum() ** 0.5 / len(part) for end in ("low", "high")
        )
        made = {"row": row, "benchmark": AVERAGE, "metric": metric, "state": "done", "ours": mean}
        rows.append(made | {"low": mean - low, "high": mean + high, "n": " + ".join(part["n"])})
    return pd.DataFrame(rows, columns=done.columns)


def _changes(theirs: pd.DataFrame) -> pd.DataFrame:
    """Published accuracies minus those of uncorrupted traces; not of the printed average."""
    rows = theirs[theirs["metric"].eq("accuracy") & theirs["benchmark"].ne("average")]
    uncorrupted = rows["row"] == UNCORRUPTED
    reference = rows[uncorrupted].set_index("benchmark")["value"]
    change = rows["value"] - rows["benchmark"].map(reference)
    return rows.assign(metric="change", value=change)[~uncorrupted]
