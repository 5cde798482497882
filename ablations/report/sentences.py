"""What a report says of one section of a study: sentences and grids of finished texts."""

from collections.abc import Callable

import pandas as pd

from ablations.findings import equal_rates
from ablations.findings import slopes as slopes_by_operator
from ablations.findings.study import Section
from ablations.render.grid import Grid
from ablations.render.wording import LEVEL, per_cent, sampled
from ablations.results.arms import KINDS


def answers(section: Section) -> list[str]:
    """Structure against content in sentences with intervals, or why there are none.

    First along the lines through all doses, then at the doses that both kinds have; nothing where
    no arm was damaged.
    """
    damaged = section.done[
        section.done["fraction"].gt(0) & section.done["kind"].isin(KINDS.values())
    ]
    if damaged.empty:
        return []
    doses = [
        set(damaged.loc[damaged["kind"] == kind, "fraction"]) for kind in ("structure", "content")
    ]
    told = []
    if (section.slopes["operator"] == slopes_by_operator.CONTRAST).any():
        told.append(slopes_by_operator.sentence(section.slopes))
    if doses[0] & doses[1]:
        told.append(equal_rates.sentence(equal_rates.frame(section.runs, section.samples)))
    return told or [
        "Structure and content cannot be compared: no corruption rate was run for both. "
        f"Rates of structure: {slopes_by_operator.rates(doses[0]) or 'none'}; "
        f"of content: {slopes_by_operator.rates(doses[1]) or 'none'}."
    ]


def effects(section: Section) -> str:
    """How many arms differ from uncorrupted traces, in a sentence."""
    tested = section.done[section.done["p_holm"].notna()]
    if tested.empty:
        return "No arm can be compared with uncorrupted traces yet."
    worse, better = (
        tested[(tested["p_holm"] < LEVEL) & (sign * tested["difference"] > 0)] for sign in (-1, 1)
    )
    return (
        f"Of {len(tested)} arms {len(worse)} score lower than uncorrupted traces and "
        f"{len(better)} higher (Holm-adjusted p < {LEVEL}); "
        f"{len(tested) - len(worse) - len(better)} cannot be told apart from them."
    )


def slopes(section: Section) -> Grid | None:
    """Change along the dose by operator, and structure minus content; None without a curve."""
    title = "Slopes: accuracy by corruption rate, least squares through uncorrupted traces"
    return None if section.slopes.empty else slopes_by_operator.grid(section.slopes, title)


def responses(section: Section) -> Grid:
    """Truncation, length and keywords by arm."""
    header = ("arm", "n", "truncated", "tokens", "keywords", "units damaged", "traces trained on")
    forms: dict[str, Callable[[float], str]] = {
        "truncated": per_cent,
        "tokens": "{:,.0f}".format,
        "keywords": "{:.2f}".format,
        "damaged_share": per_cent,
        "rows": "{:,.0f}".format,
    }
    rows = []
    for _, arm in section.arms.iterrows():
        values = [arm["state"], *[""] * len(forms)]
        if arm["state"] == "done":
            means = ("" if pd.isna(arm[name]) else form(arm[name]) for name, form in forms.items())
            values = [sampled(arm), *means]
        rows.append([arm["arm"], *values])
    return Grid("Responses: means over all of an arm; keywords: of reflection", header, rows)
