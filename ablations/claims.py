"""What a study says of its hypothesis: one number with its interval."""

import pandas as pd

from ablations import stats
from ablations.runs import ARM, SETTINGS
from ablations.stats import Estimate
from ablations.tables import KINDS, arm_shares


def structure_minus_content(
    runs: pd.DataFrame, samples: pd.DataFrame
) -> tuple[Estimate, list[float]]:
    """Accuracy after damage to the structure minus accuracy after damage to the content.

    Arms of one kind are averaged at each dose that both kinds have, then doses; every arm counts
    alike. A dose is the share of an operator's own units, so equal doses are not equal amounts of
    text.

    Args:
        runs: of one section, see `ablations.runs.runs`; arms of other doses and without damage are
            left out.
        samples: of these runs.

    Returns:
        difference: in [-1, 1], paired by problem; negative if damage to the structure costs more.
        doses: the fractions it is taken over.

    Raises:
        ValueError: the runs are of several sections, or no dose has arms of both kinds.
    """
    damaged = runs[(runs["method"] != "none") & runs["corruption"].isin(KINDS)]
    damaged = damaged.assign(kind=damaged["corruption"].map(KINDS))
    if len(damaged[["benchmark", *SETTINGS]].drop_duplicates()) > 1:
        raise ValueError("the runs are of several benchmarks or settings; select one section's")
    structure, content = (damaged[damaged["kind"] == kind] for kind in ("structure", "content"))
    doses = [set(part["fraction"]) for part in (structure, content)]
    shared = sorted(set.intersection(*doses))
    if not shared:
        raise ValueError(f"no dose has both kinds: structure {doses[0]}, content {doses[1]}")
    means = (_mean(part, samples, shared) for part in (structure, content))
    return stats.difference(*means), shared


def sentence(difference: Estimate, doses: list[float]) -> str:
    """What `structure_minus_content` found, in words that claim no more than the interval does."""
    verdict = "cannot be told apart from"
    if difference.high < 0:
        verdict = "costs more than"
    elif difference.low > 0:
        verdict = "costs less than"
    value, low, high = (
        f"{100 * x:+.1f}" for x in (difference.value, difference.low, difference.high)
    )
    return (
        f"At {' and '.join(f'{dose:.0%}' for dose in doses)}, damage to the structure {verdict} "
        f"damage to the content: {value} points of accuracy, 95 % interval [{low}, {high}], "
        f"n = {difference.problems} problems."
    )


def _mean(runs: pd.DataFrame, samples: pd.DataFrame, doses: list[float]) -> pd.Series:
    """Share of right samples by problem: mean over doses of the mean over arms."""
    by_dose = []
    for dose in doses:
        arms = runs[runs["fraction"] == dose].groupby(list(ARM), dropna=False)
        shares = [arm_shares(arm, samples) for _, arm in arms]
        by_dose.append(pd.concat(shares, axis=1).mean(axis=1))
    return pd.concat(by_dose, axis=1).mean(axis=1)
