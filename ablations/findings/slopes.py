"""How much accuracy each kind of damage costs by dose: frame of runs -> frame of slopes."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import pandas as pd

from ablations.findings import dose
from ablations.findings.arms import SECTION, arm_shares
from ablations.render.grid import Grid
from ablations.render.wording import interval, p_value, per_cent, points, verdict
from ablations.results.arms import ARM, KINDS, arm_name, place
from ablations.results.settings import SETTINGS
from ablations.statistics.intervals import Estimate, Shares

CONTRAST = "structure minus content"
"""Name of the row that sets the kinds against each other."""

COLUMNS = (*SECTION, "operator", "kind", "doses", "value", "low", "high", "problems", "seeds", "p")
"""Of `slopes`; see there."""


def slopes(runs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """One row per section and damaging operator, and `CONTRAST` where both kinds were run.

    Args:
        runs: see `ablations.results.runs.runs`.
        samples: of these runs.

    Returns:
        `SECTION` and:

        operator, kind: as in a table, without the dose; of `CONTRAST` no kind.
        doses: the fractions run, rising.
        value, low, high, p: `dose.slope`, or `dose.slope_contrast` of all operators; shares of 1
            from no damage to all units damaged, negative where damage costs.
        problems, seeds: behind it, see `stats.Estimate`.

        Sections without an arm on correct traces have no row.
    """
    trained = runs[(runs["method"] != "none") & runs["accuracy"].notna()]
    sections = trained.groupby(["benchmark", *SETTINGS], sort=False)
    rows = [row for _, section in sections for row in _section(section, samples)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def slopes_grid(slopes: pd.DataFrame, title: str) -> Grid:
    """The slopes of one section as texts, in points of accuracy."""
    rows = [
        [
            row["operator"],
            row["kind"],
            doses_text(row["doses"]),
            interval(row["value"], row["low"], row["high"], "+"),
            p_value(row["p"]),
            f"{row['problems']}, {row['seeds']}",
        ]
        for _, row in slopes.iterrows()
    ]
    header = ("operator", "kind", "doses", "points from no to full damage [95 %]", "p")
    return Grid(title, (*header, "n: problems, seeds"), rows)


def doses_text(doses: Iterable[float]) -> str:
    """Shares damaged, in per cent."""
    return ", ".join(per_cent(share, 0) for share in sorted(doses))


def slopes_sentence(slopes: pd.DataFrame) -> str:
    """What `CONTRAST` of one section says, or why there is none."""
    found = slopes[slopes["operator"] == CONTRAST]
    if found.empty:
        return "Operators of one kind only: structure and content cannot be compared."
    row = found.iloc[0]
    return (
        "Along the lines from no damage to full, damage to the structure "
        f"{verdict(row, *COSTS)} damage to the content: {points(row)}."
    )


def _section(section: pd.DataFrame, samples: pd.DataFrame) -> Iterator[dict[str, Any]]:
    undamaged = section[section["corruption"] == "none"]
    if undamaged.empty:
        return
    shared = {name: undamaged[name].iloc[0] for name in SECTION}
    correct = arm_shares(undamaged, samples)
    damaged = section[section["corruption"].isin(KINDS) & section["fraction"].gt(0)]
    kinds: dict[str, list[dose.Curve]] = {"content": [], "structure": []}
    variant = [name for name in ARM if name != "fraction"]
    groups = [part for _, part in damaged.groupby(variant, dropna=False)]
    for part in sorted(groups, key=lambda part: place(part.iloc[0])):
        curve = curves(part, samples)[0]
        first = part.iloc[0]
        kind = KINDS[first["corruption"]]
        kinds[kind].append(curve)
        name = arm_name(first).replace(f" {100 * first['fraction']:g} %", "")
        found = {"operator": name, "kind": kind, "doses": sorted(curve)}
        yield shared | found | asdict(dose.slope(correct, curve))
    if all(kinds.values()):
        doses = sorted(
            {share for curve in kinds["structure"] + kinds["content"] for share in curve}
        )
        found = {"operator": CONTRAST, "kind": "", "doses": doses}
        contrast = dose.slope_contrast(correct, kinds["structure"], kinds["content"])
        yield shared | found | asdict(contrast)


COSTS = ("costs more than", "cannot be told apart from", "costs less than")
"""What damage to the structure does beside damage to the content, see `wording.verdict`."""


def structure_minus_content(
    runs: pd.DataFrame, samples: pd.DataFrame
) -> tuple[Estimate, list[float]]:
    """Accuracy after damage to the structure minus accuracy after damage to the content.

    Arms of one kind are averaged at each dose that both kinds have, then doses; every arm counts
    alike. A dose is the share of an operator's own units, so equal doses are not equal amounts of
    text.

    Args:
        runs: of one section, see `ablations.results.runs.runs`; arms of other doses and without
        damage are
            left out.
        samples: of these runs.

    Returns:
        difference: in [-1, 1], paired by problem; negative if damage to the structure costs more.
        doses: the fractions it is taken over.

    Raises:
        ValueError: the runs are of several sections, or see `dose.structure_minus_content`.
    """
    damaged = runs[(runs["method"] != "none") & runs["corruption"].isin(KINDS)]
    damaged = damaged.assign(kind=damaged["corruption"].map(KINDS))
    if len(damaged[["benchmark", *SETTINGS]].drop_duplicates()) > 1:
        raise ValueError("the runs are of several benchmarks or settings; select one section's")
    structure, content = (
        curves(damaged[damaged["kind"] == kind], samples) for kind in ("structure", "content")
    )
    return dose.structure_minus_content(structure, content)


def curves(runs: pd.DataFrame, samples: pd.DataFrame) -> list[dict[float, Shares]]:
    """Scores by dose, a curve an operator and variant: what `ablations.findings.dose` takes.

    Args:
        runs: damaged arms of one section.
        samples: of these runs.
    """
    variant = [name for name in ARM if name != "fraction"]
    return [
        {
            float(arm["fraction"].iloc[0]): arm_shares(arm, samples)
            for _, arm in operator.groupby("fraction")
        }
        for _, operator in runs.groupby(variant, dropna=False)
    ]


def sentence(difference: Estimate, doses: list[float]) -> str:
    """What `structure_minus_content` found, in words that claim no more than the interval does."""
    costs = verdict(difference, *COSTS)
    return (
        f"At {' and '.join(per_cent(dose, 0) for dose in doses)}, damage to the structure {costs} "
        f"damage to the content: {points(difference)}."
    )
