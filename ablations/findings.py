"""What a report says of one section of a study: sentences and grids of finished texts."""

from collections.abc import Callable

import pandas as pd

from ablations.claims import sentence, structure_minus_content
from ablations.formats import Grid
from ablations.markdown import per_cent, sampled
from ablations.slopes import doses_text, slopes_grid
from ablations.slopes import slopes as by_operator
from ablations.study_report import Section
from ablations.tables import KINDS
from ablations.wording import LEVEL


def answer(section: Section) -> str:
    """Structure against content in a sentence with its interval, or why there is none."""
    damaged = section.done[
        section.done["fraction"].gt(0) & section.done["kind"].isin(KINDS.values())
    ]
    doses = [
        set(damaged.loc[damaged["kind"] == kind, "fraction"]) for kind in ("structure", "content")
    ]
    if not doses[0] & doses[1]:
        return (
            "Structure and content cannot be set against each other: no dose was run of both. "
            f"Doses of structure: {doses_text(doses[0]) or 'none'}; "
            f"of content: {doses_text(doses[1]) or 'none'}."
        )
    return sentence(*structure_minus_content(section.runs, section.samples))


def effects(section: Section) -> str:
    """How many arms can be told from correct traces, in a sentence."""
    tested = section.done[section.done["p_holm"].notna()]
    if tested.empty:
        return "No arm can be compared with correct traces yet."
    worse, better = (
        tested[(tested["p_holm"] < LEVEL) & (sign * tested["difference"] > 0)] for sign in (-1, 1)
    )
    return (
        f"Of {len(tested)} arms {len(worse)} score lower than correct traces and {len(better)} "
        f"higher (Holm-adjusted p < {LEVEL}); {len(tested) - len(worse) - len(better)} cannot be "
        "told apart from them."
    )


def slopes(section: Section) -> Grid | None:
    """Change along the dose by operator, and structure minus content; None without a curve."""
    found = by_operator(section.runs, section.samples)
    title = "Slopes: accuracy along the dose, least squares through correct traces"
    return None if found.empty else slopes_grid(found, title)


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
