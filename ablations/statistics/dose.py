"""Estimates along a dose-response curve: slopes, and structure against content.

A dose is a corruption rate, the share of an operator's own units that is damaged; or the share of
the text that it changed.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain

from ablations.statistics.intervals import Estimate, Shares, Spreads, contrast

Curve = Mapping[float, Shares]
"""Dose, in (0, 1] -> scores of the arm; of one operator."""

Points = Curve | Sequence[tuple[float, Shares]]
"""The same; in pairs where two arms may have one dose."""


def slope(reference: Shares, curve: Points, spread: Spreads = None) -> Estimate:
    """Change of accuracy from no damage to full damage along the least-squares line.

    Args:
        reference: the uncorrupted arm, the point at dose 0.
        curve: at least one dose; with one, the line goes through both points.
        spread: of the section's runs, see `intervals.contrast`.

    Returns:
        In shares of 1 per full dose, with interval and p; -0.5 is a loss of 50 points from 0 to
        100 %.

    Raises:
        ValueError: no dose, or one outside (0, 1]; or the arms were scored on different problems.
    """
    doses, arms = _unzipped(curve)
    base, weights = slope_weights(doses)
    return contrast([reference, *arms], [base, *weights], spread)


def slope_contrast(
    reference: Shares,
    structure: Sequence[Points],
    content: Sequence[Points],
    spread: Spreads = None,
    per: float = 1.0,
) -> Estimate:
    """Mean slope of the operators on structure minus that of those on content.

    Every arm of the study counts, whatever doses its operator was run at; the uncorrupted arm,
    which all slopes share, counts with what is left of its weight.

    Args:
        reference: the uncorrupted arm.
        structure: one curve per operator, at least one.
        content: one curve per operator, at least one.
        spread: of the section's runs, see `intervals.contrast`.
        per: the dose that the slope is for; 0.1: per 10 %.

    Returns:
        As `slope`; negative if damage to the structure costs more.

    Raises:
        ValueError: a kind has no operator, or see `slope`.
    """
    _both(structure, content)
    arms, weights, base = [reference], [0.0], 0.0
    for curves, sign in ((structure, 1), (content, -1)):
        for curve in curves:
            doses, own = _unzipped(curve)
            shared, slopes = slope_weights(doses)
            base += sign * per * shared / len(curves)
            arms += own
            weights += [sign * per * weight / len(curves) for weight in slopes]
    return contrast(arms, [base, *weights[1:]], spread)


def structure_minus_content(
    structure: Sequence[Curve], content: Sequence[Curve], spread: Spreads = None
) -> tuple[Estimate, list[float]]:
    """Accuracy after damage to the structure minus accuracy after damage to the content.

    Arms of one kind are averaged at each dose that both kinds have, then over these doses.

    Args:
        structure: one curve per operator, at least one.
        content: one curve per operator, at least one.
        spread: of the section's runs, see `intervals.contrast`.

    Returns:
        difference: in [-1, 1], paired by problem; negative if damage to the structure costs more.
        doses: the fractions it is taken over, rising.

    Raises:
        ValueError: a kind has no operator, no dose has both kinds, or the arms were scored on
            different problems.
    """
    _both(structure, content)
    doses = [set(chain.from_iterable(curves)) for curves in (structure, content)]
    shared = sorted(doses[0] & doses[1])
    if not shared:
        raise ValueError(
            f"no dose has both kinds: structure {sorted(doses[0])}, content {sorted(doses[1])}"
        )
    arms: list[Shares] = []
    weights: list[float] = []
    for dose in shared:
        for curves, sign in ((structure, 1), (content, -1)):
            at_dose = [curve[dose] for curve in curves if dose in curve]
            arms += at_dose
            weights += [sign / len(at_dose) / len(shared)] * len(at_dose)
    return contrast(arms, weights, spread), shared


def _unzipped(curve: Points) -> tuple[list[float], list[Shares]]:
    """The doses of a curve, and its arms."""
    pairs = [*(curve.items() if isinstance(curve, Mapping) else curve)]
    return [dose for dose, _ in pairs], [arm for _, arm in pairs]


def slope_weights(damaged: Collection[float]) -> tuple[float, list[float]]:
    """Weights of the uncorrupted arm and of the others whose weighted sum is the slope."""
    if not damaged or not all(0 < dose <= 1 for dose in damaged):
        raise ValueError(f"a slope needs one dose or more in (0, 1], got {sorted(damaged)}")
    doses = [0.0, *damaged]
    mean = sum(doses) / len(doses)
    square = sum((dose - mean) ** 2 for dose in doses)
    base, *weights = ((dose - mean) / square for dose in doses)
    return base, weights


def _both(structure: Sequence[Points], content: Sequence[Points]) -> None:
    if not structure or not content:
        raise ValueError(
            "structure against content needs operators of both kinds, got "
            f"{len(structure)} of structure and {len(content)} of content"
        )
