"""Does damage to structure cost more than damage to content, whichever damage is counted?

Which operators a study has, at which corruption rates, is a choice; an answer that turns with it is
none. So the difference is taken over all operators and leaving out each in turn; along corruption
rates, at equal ones, and along the share of the text that was changed, since equal rates are not
equal amounts; and with and without arms in which no right answer is left to learn from.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import pandas as pd

from ablations.findings.sections import SECTION, arm_shares, section_spread
from ablations.render.grid import Grid
from ablations.render.wording import interval, of_these_runs, p_value, per_cent, points, verdict
from ablations.results.arms import ARM, arm_name, destroys_label, place, shown
from ablations.results.settings import SETTINGS
from ablations.statistics.dose import slope_contrast, structure_minus_content
from ablations.statistics.intervals import Estimate, Shares, equivalent
from distill.evaluation.variance import Spread

KINDS = ("structure", "content")
"""Of `distill.corruptions.declare.TARGETS`, those that are compared."""

SLOPE, EQUAL_RATES, AMOUNT = MEASURES = ("slope", "equal rates", "amount")
"""How damage is counted: slope from no damage to all units damaged; mean over the corruption rates
that both kinds have; slope per `TENTH` of the text changed."""

NAMES = {
    SLOPE: "from no to full damage",
    EQUAL_RATES: "at equal corruption rates",
    AMOUNT: "per 10 % of the text changed",
}
"""Of `MEASURES`, in tables and sentences."""

TENTH = 0.1

TITLE = "Structure minus content: how much it depends on the operators"

WORDS = ("costs more than", "cannot be told apart from", "costs less than")
"""What damage to the structure does compared with damage to the content, see `wording.verdict`."""


@dataclass(frozen=True)
class _Arm:
    """A damaged arm of either kind with its scores."""

    operator: str
    kind: str
    name: str

    line: int
    """Which operator and variant it is, whatever the corruption rate."""

    rate: float
    changed: float
    """NaN where it is not known."""

    destroys_label: bool
    shares: Shares


Measured = tuple[Estimate, Sequence[_Arm]]
"""A difference, and the arms that it is of."""


def frame(runs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """One row per section and way to count damage, the first of a section being its headline.

    A section has rows where both kinds of damage are left: along corruption rates and along amounts
    if it has an uncorrupted arm; at equal rates if there are any; along amounts only if `runs` has
    a column `changed`, the share of the text that the damage inserted or deleted, for every arm.

    Returns:
        `SECTION` and:

        measure: of `MEASURES`.
        left_out: operator without which, all its variants included; empty: none.
        destroyed: names of the arms counted that leave no right answer to learn from, see
            `ablations.results.arms.destroys_label`. Rows without such arms come first.
        structure, content: operators that are counted.
        doses: the corruption rates that are counted, rising.
        value, low, high, problems, seeds, p, ...: `dose.slope_contrast` or
            `dose.structure_minus_content`, in shares of 1; negative where damage to the structure
            costs more.
    """
    trained = runs[(runs["method"] != "none") & runs["accuracy"].notna()]
    found = trained.groupby(["benchmark", *SETTINGS], sort=False)
    rows = [row for _, section in found for row in _section(section, samples)]
    told = ("measure", "left_out", "destroyed", *KINDS, "doses")
    return pd.DataFrame(rows, columns=[*SECTION, *told, *Estimate.__dataclass_fields__])


def grid(rows: pd.DataFrame, title: str = TITLE) -> Grid:
    """The rows of one section as texts, in points of accuracy."""
    with_labels = rows["destroyed"].map(bool)
    header = ["operators counted, measure"]
    if not with_labels.all():
        header += ["structure minus content, points [95 %]", "p"]
    if with_labels.any():
        header += [f"with {_listed(rows[with_labels]['destroyed'].iloc[0])}", "p"]
    found = []
    for (measure, out), part in rows.groupby(["measure", "left_out"], sort=False):
        texts = [f"{f'without {out}' if out else 'all'}, {NAMES[str(measure)]}"]
        for destroyed in sorted({*with_labels}):
            mine = part[part["destroyed"].map(bool) == destroyed]
            texts += ["", ""]
            if len(mine):
                row = mine.iloc[0]
                change = interval(row["value"], row["low"], row["high"], "+")
                texts[-2:] = [change, p_value(row["p"])]
        least = part[["problems", "seeds"]].min()
        found.append([*texts, f"{least['problems']}, {least['seeds']}"])
    return Grid(title, (*header, "n: problems, seeds"), found)


def sentences(rows: pd.DataFrame, margin: float) -> list[str]:
    """What the rows of one section say: the answer, then what it rests on.

    Args:
        rows: of `frame`; may be none.
        margin: points of accuracy below which damage counts as equally costly.
    """
    if rows.empty:
        return ["Structure and content cannot be compared: no damage of both kinds was run."]
    first = rows.iloc[0]
    texts = [_answer(rows, margin)]
    texts += [text for name in MEASURES if (text := _at(name, rows, name == first["measure"]))]
    destroyed = rows[rows["destroyed"].map(bool)]
    if len(destroyed) and not first["destroyed"]:
        row = destroyed.iloc[0]
        texts.append(
            f"With {_listed(row['destroyed'])} counted, too, where no right answer is left to "
            f"learn from, structure minus content is {_number(row)}."
        )
    elif first["destroyed"]:
        texts.append(
            f"No right answer is left to learn from in {_listed(first['destroyed'])}, without "
            "which there is nothing to compare."
        )
    return texts


def sentence(rows: pd.DataFrame, margin: float) -> str:
    """The first of `sentences`."""
    return sentences(rows, margin)[0]


def is_stable(rows: pd.DataFrame) -> bool:
    """Whether all rows of one section have one sign and significance."""
    return len({verdict(row, *WORDS) for row in rows.itertuples()}) == 1


def _answer(rows: pd.DataFrame, margin: float) -> str:
    """The claim if it is one however damage is counted, else what turns it."""
    first = rows.iloc[0]
    head, said = verdict(first, *WORDS), f"{NAMES[first['measure']]} {points(first)}"
    if not is_stable(rows):
        turned = "; ".join(_turned(rows, head))
        return of_these_runs(
            "Whether damage to the structure costs more than damage to the content depends on "
            f"which damage is counted: {said}; {turned}.",
            first,
        )
    alone = {kind: f" ({first[kind][0]} alone)" * (len(first[kind]) == 1) for kind in KINDS}
    whichever = "" if any(alone.values()) else ", whichever damage is counted"
    in_points = [_estimate(row) for _, row in rows[rows["measure"] != AMOUNT].iterrows()]
    if head == WORDS[1] and all(o.recipes and equivalent(o, margin / 100) for o in in_points):
        head = f"costs as much (within ±{margin:g} points, two one-sided tests) as"
    return of_these_runs(
        f"Damage to the structure{alone['structure']} {head} damage to the content"
        f"{alone['content']}{whichever}: {said}.",
        first,
    )


def _turned(rows: pd.DataFrame, head: str) -> Iterator[str]:
    """What differs from the headline: the first row of each operator left out, then of all."""
    first = rows.iloc[0]
    other = rows[[verdict(row, *WORDS) != head for row in rows.itertuples()]]
    out = other["left_out"] != ""
    for _, row in pd.concat([other[out].drop_duplicates("left_out"), other[~out]]).iterrows():
        ways = [f"without {row['left_out']}"] if row["left_out"] else []
        if row["measure"] != first["measure"]:
            ways.append(NAMES[row["measure"]])
        if row["destroyed"] and not first["destroyed"]:
            ways.append(f"with {_listed(row['destroyed'])}")
        does = verdict(row, "it costs more", "the two cannot be told apart", "it costs less")
        yield f"{', '.join(ways)} {does} ({_number(row)})"


def _at(measure: str, rows: pd.DataFrame, is_said: bool) -> str:
    """The difference in one measure, if it is not said, and its range without each operator."""
    measured = rows[rows["measure"] == measure]
    if measured.empty:
        return {
            SLOPE: "",
            EQUAL_RATES: "No corruption rate was run with damage of both kinds.",
            AMOUNT: "How much of the text was changed is not known of these runs.",
        }[measure]
    every = measured.iloc[0]
    alike = measured["destroyed"].map(bool) == bool(every["destroyed"])
    out = measured[alike & (measured["left_out"] != "")]
    ends = [f"{100 * end:+.1f}" for end in (out["value"].min(), out["value"].max())]
    without = f"{' to '.join(ends)} leaving out one operator at a time" if len(out) else ""
    if is_said:
        return f"It is {without}." if without else ""
    name = NAMES[measure]
    if measure == EQUAL_RATES:
        name += f" ({', '.join(per_cent(dose, 0) for dose in every['doses'])})"
    if every["destroyed"] and not rows.iloc[0]["destroyed"]:
        name += f", with {_listed(every['destroyed'])},"
    said = f"{name[0].upper()}{name[1:]} structure minus content is {_number(every)}"
    return f"{said}, and {without}." if without else f"{said}."


def _estimate(row: pd.Series) -> Estimate:
    return Estimate(**{name: row[name] for name in Estimate.__dataclass_fields__})


def _number(row: pd.Series) -> str:
    return interval(row["value"], row["low"], row["high"], "+")


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _section(section: pd.DataFrame, samples: pd.DataFrame) -> Iterator[dict[str, Any]]:
    uncorrupted = section[section["corruption"] == "none"]
    reference = None if uncorrupted.empty else arm_shares(uncorrupted, samples)
    arms, spread = _arms(section, samples), section_spread(section, samples)
    shared = {name: section[name].iloc[0] for name in SECTION}
    plain = [arm for arm in arms if not arm.destroys_label]
    for counted in [plain, arms] if len(plain) < len(arms) else [arms]:
        measured = set()
        for measure, out in product(MEASURES, ("", *_operators(counted))):
            left = [arm for arm in counted if arm.operator != out]
            kinds = [[arm for arm in left if arm.kind == kind] for kind in KINDS]
            if not all(kinds) or (out and measure not in measured):
                continue
            if made := MEASURED[measure](reference, *kinds, spread):
                measured.add(measure)
                estimate, used = made
                told: dict[str, Any] = {"measure": measure, "left_out": out}
                told["destroyed"] = [arm.name for arm in counted if arm.destroys_label]
                for kind in KINDS:
                    told[kind] = _operators(arm for arm in used if arm.kind == kind)
                told["doses"] = sorted({arm.rate for arm in used})
                yield shared | told | estimate.row()


def _arms(section: pd.DataFrame, samples: pd.DataFrame) -> list[_Arm]:
    """The arms of both kinds in the order of the tables."""
    damaged = section[section["corruption"] != "none"]
    variant = [name for name in ARM if name != "fraction"]
    damaged = damaged.assign(line=damaged.groupby(variant, dropna=False).ngroup())
    parts = [part for _, part in damaged.groupby(["line", "fraction"])]
    found = []
    for part in sorted(parts, key=lambda part: place(part.iloc[0])):
        run = part.iloc[0]
        if (declared := shown(run)).target in KINDS:
            changed = float(part["changed"].mean(skipna=False)) if "changed" in part else math.nan
            named = (declared.title, declared.target, arm_name(run), int(run["line"]))
            numbers = (float(run["fraction"]), changed, destroys_label(run))
            found.append(_Arm(*named, *numbers, arm_shares(part, samples)))
    return found


def _operators(arms: Iterable[_Arm]) -> list[str]:
    return list(dict.fromkeys(arm.operator for arm in arms))


def _lines(arms: Sequence[_Arm], dose: Callable[[_Arm], float]) -> list[list[tuple[float, Shares]]]:
    """The doses and scores of each operator and variant."""
    lines: dict[int, list[tuple[float, Shares]]] = {}
    for arm in arms:
        lines.setdefault(arm.line, []).append((dose(arm), arm.shares))
    return [*lines.values()]


def _slope(
    reference: Shares | None, structure: list[_Arm], content: list[_Arm], spread: Spread | None
) -> Measured | None:
    if reference is None:
        return None
    one, other = (_lines(arms, lambda arm: arm.rate) for arms in (structure, content))
    return slope_contrast(reference, one, other, spread), [*structure, *content]


def _equal_rates(
    reference: Shares | None, structure: list[_Arm], content: list[_Arm], spread: Spread | None
) -> Measured | None:
    """The uncorrupted arm has no part in it."""
    both = {arm.rate for arm in structure} & {arm.rate for arm in content}
    if not both:
        return None
    lines = (_lines(arms, lambda arm: arm.rate) for arms in (structure, content))
    one, other = ([dict(line) for line in kind] for kind in lines)
    used = [arm for arm in (*structure, *content) if arm.rate in both]
    return structure_minus_content(one, other, spread)[0], used


def _amount(
    reference: Shares | None, structure: list[_Arm], content: list[_Arm], spread: Spread | None
) -> Measured | None:
    """An arm that changed nothing has no dose and is not counted."""
    known = not any(math.isnan(arm.changed) for arm in (*structure, *content))
    kinds = [[arm for arm in arms if arm.changed > 0] for arms in (structure, content)]
    if reference is None or not known or not all(kinds):
        return None
    one, other = (_lines(arms, lambda arm: arm.changed) for arms in kinds)
    return slope_contrast(reference, one, other, spread, TENTH), [*kinds[0], *kinds[1]]


MEASURED: dict[str, Callable[..., Measured | None]] = {
    SLOPE: _slope,
    EQUAL_RATES: _equal_rates,
    AMOUNT: _amount,
}
