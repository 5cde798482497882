"""At equal corruption rates, does damage to the structure cost more than damage to the content?"""

from itertools import chain

import pandas as pd

from ablations.findings.sections import SECTION, section_spread
from ablations.findings.slopes import COSTS, curves
from ablations.render.wording import per_cent, points, verdict
from ablations.results.arms import shown
from ablations.results.settings import SETTINGS
from ablations.statistics.dose import structure_minus_content
from ablations.statistics.intervals import Estimate


def frame(runs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """One row per section with a corruption rate at which damage of both kinds was run.

    A corruption rate is the share of an operator's own units, so equal rates are not equal amounts
    of text.

    Returns:
        `SECTION` and:

        doses: the corruption rates that both kinds have, rising.
        value, low, high, problems, seeds, p: `dose.structure_minus_content`, in [-1, 1]; negative
            where damage to the structure costs more.
    """
    damaged = runs[(runs["method"] != "none") & runs["accuracy"].notna()]
    rows = []
    for _, section in damaged.groupby(["benchmark", *SETTINGS], sort=False):
        found = curves(section, samples)
        structure, content = (
            [curve for run, curve in found if shown(run).target == kind]
            for kind in ("structure", "content")
        )
        if {*chain.from_iterable(structure)} & {*chain.from_iterable(content)}:
            estimate, doses = structure_minus_content(
                structure, content, section_spread(section, samples)
            )
            shared = {name: section[name].iloc[0] for name in SECTION}
            rows.append(shared | {"doses": doses} | estimate.row())
    return pd.DataFrame(rows, columns=[*SECTION, "doses", *Estimate.__dataclass_fields__])


def sentence(difference: pd.DataFrame) -> str:
    """What the row of one section says, in words that claim no more than its interval does."""
    if difference.empty:
        return "No corruption rate was run with damage of both kinds."
    row = difference.iloc[0]
    return (
        f"At {' and '.join(per_cent(dose, 0) for dose in row['doses'])}, damage to the structure "
        f"{verdict(row, *COSTS)} damage to the content: {points(row)}."
    )
