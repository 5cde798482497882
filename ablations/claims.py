"""What a study says of its hypothesis: one number with its interval."""

import pandas as pd

from ablations import dose
from ablations.runs import ARM
from ablations.settings import SETTINGS
from ablations.stats import Estimate, Shares
from ablations.tables import KINDS, arm_shares
from ablations.wording import per_cent, points, verdict

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
        runs: of one section, see `ablations.runs.runs`; arms of other doses and without damage are
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
    """Scores by dose, a curve an operator and variant: what `ablations.dose` takes.

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
