"""What a page says of one section of a study: sentences and grids of finished texts."""

from collections.abc import Callable, Iterator

import pandas as pd

from ablations import dose
from ablations.claims import curves, sentence, structure_minus_content
from ablations.formats import Grid
from ablations.markdown import interval
from ablations.sections import Section
from ablations.stats import Estimate
from ablations.tables import KINDS, NAMES, arm_shares
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
            f"Doses of structure: {_doses(doses[0])}; of content: {_doses(doses[1])}."
        )
    return sentence(*structure_minus_content(_trained(section), section.samples))


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
    trained = _trained(section)
    correct = trained[trained["corruption"] == "none"]
    damaged = trained[trained["corruption"].isin(KINDS) & trained["fraction"].gt(0)]
    if correct.empty or damaged.empty:
        return None
    reference = arm_shares(correct, section.samples)
    rows, kinds = [], {"structure": [], "content": []}  # type: ignore[var-annotated]
    for name, kind, runs in _operators(section, damaged):
        (curve,) = curves(runs, section.samples)
        kinds[kind].append(curve)
        rows.append(_slope(name, kind, sorted(curve), dose.slope(reference, curve)))
    if all(kinds.values()):
        contrast = dose.slope_contrast(reference, kinds["structure"], kinds["content"])
        rows.append(_slope("structure minus content", "", [], contrast))
    header = ("operator", "kind", "doses", "points from no to full damage [95 %]", "p")
    return Grid(
        "Slopes: accuracy along the dose, least squares through correct traces", header, rows
    )


def responses(section: Section) -> Grid:
    """Truncation, length and keywords by arm."""
    header = ("arm", "truncated", "tokens", "keywords", "units damaged", "traces trained on")
    formats: dict[str, Callable[[float], str]] = {
        "truncated": _percent,
        "tokens": "{:,.0f}".format,
        "keywords": "{:.2f}".format,
        "damaged_share": _percent,
        "rows": "{:,.0f}".format,
    }
    rows = []
    for _, arm in section.arms.iterrows():
        values = ["" if pd.isna(arm[name]) else form(arm[name]) for name, form in formats.items()]
        rows.append([arm["arm"], *(values if arm["state"] == "done" else ["not run", *[""] * 4])])
    return Grid("Responses: means over all of an arm; keywords: of reflection", header, rows)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _trained(section: Section) -> pd.DataFrame:
    return section.runs[section.runs["method"] != "none"]


def _operators(section: Section, damaged: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """(operator with its variant, kind, runs), in the order of the table."""
    known = {
        arm["arm"]: ", ".join([NAMES[arm["corruption"]], *arm["arm"].split(", ")[1:]])
        for _, arm in section.done.iterrows()
        if arm["corruption"] in KINDS
    }
    variant = damaged["arm"].map(known)
    for name in dict.fromkeys(known.values()):
        runs = damaged[variant == name]
        if len(runs):
            yield name, KINDS[runs["corruption"].iloc[0]], runs


def _slope(name: str, kind: str, doses: list[float], slope: Estimate) -> list[str]:
    change = interval(slope.value, slope.low, slope.high, "+")
    p = "" if slope.p is None else "<0.0001" if slope.p < 1e-4 else f"{slope.p:.2g}"
    return [name, kind, _doses(set(doses)) if doses else "", change, p]


def _doses(doses: set[float]) -> str:
    return ", ".join(f"{dose:.0%}" for dose in sorted(doses)) or "none"
