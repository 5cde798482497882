"""How much accuracy does each kind of damage cost as the corruption rate rises?"""

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from ablations.findings.sections import SECTION, arm_shares, section_spread
from ablations.render.grid import Grid
from ablations.render.wording import interval, p_value, per_cent
from ablations.results.arms import ARM, arm_name, place, shown
from ablations.results.settings import SETTINGS
from ablations.statistics.dose import Curve, slope
from ablations.statistics.intervals import Estimate


def frame(runs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """One row per section and damaging operator; what compares them is in `findings.robust`.

    Returns:
        `SECTION` and:

        operator, kind: as in a table of arms, without the corruption rate.
        doses: the corruption rates that were run, rising.
        value, low, high, p: `dose.slope`; shares of 1 from no damage to all units damaged, negative
            where damage costs.
        problems, seeds: behind it, see `intervals.Estimate`.

        Sections without an uncorrupted arm have no row.
    """
    trained = runs[(runs["method"] != "none") & runs["accuracy"].notna()]
    found = trained.groupby(["benchmark", *SETTINGS], sort=False)
    rows = [row for _, section in found for row in _section(section, samples)]
    columns = [*SECTION, "operator", "kind", "doses", *Estimate.__dataclass_fields__]
    return pd.DataFrame(rows, columns=columns)


def grid(slopes: pd.DataFrame, title: str) -> Grid:
    """The slopes of one section as texts, in points of accuracy."""
    rows = []
    for _, row in slopes.iterrows():
        cost = interval(row["value"], row["low"], row["high"], "+")
        numbers = [cost, p_value(row["p"]), f"{row['problems']}, {row['seeds']}"]
        rows.append([row["operator"], row["kind"], rates(row["doses"]), *numbers])
    header = ("operator", "kind", "corruption rates", "points from no to full damage [95 %]", "p")
    return Grid(title, (*header, "n: problems, seeds"), rows)


def curves(section: pd.DataFrame, samples: pd.DataFrame) -> list[tuple[pd.Series, Curve]]:
    """Each damaging operator and variant of a section's trained runs: a run, and scores by rate."""
    damaged = section[section["corruption"].ne("none") & section["method"].ne("none")]
    variant = [name for name in ARM if name != "fraction"]
    found: list[tuple[pd.Series, Curve]] = []
    for _, operator in damaged.groupby(variant, dropna=False):
        arms = [arm for _, arm in operator.groupby("fraction")]
        curve = {float(arm["fraction"].iloc[0]): arm_shares(arm, samples) for arm in arms}
        found.append((operator.iloc[0], curve))
    return found


def rates(fractions: Iterable[float]) -> str:
    """Corruption rates in per cent, rising: `33 %, 67 %`."""
    return ", ".join(per_cent(fraction, 0) for fraction in sorted(fractions))


def _section(section: pd.DataFrame, samples: pd.DataFrame) -> Iterator[dict[str, Any]]:
    uncorrupted = section[section["corruption"] == "none"]
    if uncorrupted.empty:
        return
    shared = {name: uncorrupted[name].iloc[0] for name in SECTION}
    reference, spread = arm_shares(uncorrupted, samples), section_spread(section, samples)
    for run, curve in sorted(curves(section, samples), key=lambda one: place(one[0])):
        name = arm_name(run).replace(f" {100 * run['fraction']:g} %", "")
        found = {"operator": name, "kind": shown(run).target, "doses": sorted(curve)}
        yield shared | found | slope(reference, curve, spread).row()
