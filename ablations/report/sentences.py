"""Sentences and tables on one section of a study, for its report."""

from collections.abc import Callable

import pandas as pd

from ablations.findings import robust, slopes
from ablations.findings.arms import damaged_share
from ablations.findings.study import Section
from ablations.render.grid import Grid
from ablations.render.wording import LEVEL, per_cent, sampled
from ablations.results.arms import TARGETS


def answers(section: Section) -> list[str]:
    """Structure compared with content in sentences with intervals, or why that is not possible.

    See `ablations.findings.robust.sentences`; no sentence if no arm is corrupted.
    """
    corrupted = section.done[section.done["fraction"].gt(0) & section.done["kind"].isin(TARGETS)]
    if corrupted.empty:
        return []
    kinds = (corrupted["kind"] == kind for kind in ("structure", "content"))
    rates = [set(corrupted.loc[kind, "fraction"]) for kind in kinds]
    if not section.robust.empty:
        return robust.sentences(section.robust, float(section.arms["margin"].iloc[0]))
    return [
        "Structure and content cannot be compared: no corruption rate was run for both. "
        f"Rates of structure: {slopes.rates(rates[0]) or 'none'}; "
        f"of content: {slopes.rates(rates[1]) or 'none'}."
    ]


def effects(section: Section) -> str:
    """How many arms differ from uncorrupted traces, are equivalent, or are open, in a sentence."""
    compared = section.done[section.done["difference"].notna()]
    tested = compared[compared["p_holm"].notna()]
    if compared.empty:
        return "No arm can be compared with uncorrupted traces yet."
    once = len(compared) - len(tested)
    said = f"{once} arms were trained once: their differences are of these runs alone, untested."
    if tested.empty:
        return said
    worse, better = (
        tested[(tested["p_holm"] < LEVEL) & (sign * tested["difference"] > 0)] for sign in (-1, 1)
    )
    rest = tested[~tested.index.isin([*worse.index, *better.index])]
    same = rest["equivalent"].eq(True).sum()
    return (
        f"Of {len(tested)} arms, {len(worse)} score lower than uncorrupted traces and "
        f"{len(better)} higher (Holm-adjusted p < {LEVEL}); of the others, {same} are shown to be "
        f"equivalent within ±{tested['margin'].iloc[0]:g} points (two one-sided tests), and "
        f"{len(rest) - same} are open."
    ) + f" {said}" * (once > 0)


def responses(section: Section) -> Grid:
    """Means over the responses of each arm: truncated and undecided ones, tokens and keywords."""
    header = ("arm", "n", "truncated", "undecided", "tokens", "keywords", "units damaged")
    forms: dict[str, Callable[[float], str]] = {
        "truncated": per_cent,
        "undecided": per_cent,
        "tokens": "{:,.0f}".format,
        "keywords": "{:.2f}".format,
        "rows": "{:,.0f}".format,
    }
    rows = []
    for _, arm in section.arms.iterrows():
        values = [arm["state"], *[""] * (len(header) - 1)]
        if arm["state"] == "done":
            means = ["" if pd.isna(arm[name]) else form(arm[name]) for name, form in forms.items()]
            values = [sampled(arm), *means[:-1], damaged_share(arm), means[-1]]
        rows.append([arm["arm"], *values])
    title = "Responses: mean by arm; keywords of reflection"
    return Grid(title, (*header, "training traces"), rows)
