r"""Two answers are compared part by part: texts literally, numbers exactly, the rest by an oracle.

Lists, tuples, sets, intervals and assignments are taken apart, so that the same rules hold for
every part. A part that is not a plain number goes to an `Oracle`, which knows algebra. Equal means
mathematically equal, with these exceptions: a decimal of six digits or more equals a number without
finite decimals that rounds to it, and units and degree signs may be left out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from distill.grading.answer_parts import (
    Parts,
    assigned,
    depth,
    parts,
    split,
    squeezed,
    without_unit,
)
from distill.grading.answers import tidy
from distill.grading.numbers import is_finite, number, rounds_to

Outcome = tuple[bool | None, str]
"""Verdict (None: undecided) and its reason."""

Oracle = Callable[[str, str], Outcome]
"""Compares two tidy expressions: (gold, answer)."""

_DECIMAL_COMMA = (r"(\d+),(\d+)", r"(0),(\d{2,})")
"""Patterns of a decimal comma in an answer, and in a gold answer, where a comma more often
separates the items of a list."""

MAX_CHARACTERS = 2000
MAX_DEPTH = 40
"""Longer or deeper answers are undecided, since parsers take too long for them."""


@dataclass(frozen=True)
class Comparison:
    """The rules by which two answers are compared."""

    oracle: Oracle
    percent: bool = False
    """Whether 10 % and 10 are the same."""

    tolerance: float = 0.0
    """Numbers that differ by no more than this are the same; >= 0."""

    def equal(self, gold: str, answer: str) -> Outcome:
        """Whether an answer is equal to the gold answer, and why."""
        if not gold.strip():
            return None, "the gold answer is empty"
        if gold.strip() == answer.strip():
            return True, "the same text"
        for text in (gold, answer):
            if len(text) > MAX_CHARACTERS or depth(text) > MAX_DEPTH:
                return None, "the expression is too long or too deeply nested"
        return self._same(tidy(gold), tidy(answer))

    def _same(self, gold: str, answer: str) -> Outcome:
        if squeezed(gold) == squeezed(answer):
            return True, "the same text"
        (gold_label, gold), (label, answer) = assigned(gold), assigned(answer)
        if len(gold_label) == len(label) == 1 and gold_label != label:
            return False, f"{label} is answered, {gold_label} is asked"
        left, right = parts(gold), parts(answer)
        if left and right:
            return self._parts(left, right)
        if left or right:
            return self._mixed(gold, answer)
        return self._atoms(gold, answer)

    def _mixed(self, gold: str, answer: str) -> Outcome:
        """One answer has several parts, the other is a single expression."""
        values = number(without_unit(gold)[0]), number(without_unit(answer)[0])
        for value, written, pattern in zip(values, (answer, gold), _DECIMAL_COMMA, strict=True):
            point = re.fullmatch(pattern, written)
            if point and value == Fraction(f"{point[1]}.{point[2]}"):
                return True, "the same number, with a decimal comma"
        if values != (None, None):
            return False, "one number against several"
        return self.oracle(gold, answer)

    def _parts(self, gold: Parts, answer: Parts) -> Outcome:
        if len(gold.items) != len(answer.items):
            return False, f"{len(answer.items)} parts against {len(gold.items)}"
        kinds = {gold.brackets, answer.brackets}
        if len(kinds) == 2 and "" not in kinds and len(gold.items) == 2:
            return False, f"brackets {answer.brackets} against {gold.brackets}"
        labelled = [all(assigned(item)[0] for item in side.items) for side in (gold, answer)]
        if kinds <= {"", "{}", "cup"} and labelled[0] == labelled[1]:
            return self._unordered(gold.items, answer.items)
        return self._ordered(gold.items, answer.items)

    def _ordered(self, gold: list[str], answer: list[str]) -> Outcome:
        unsure = ""
        for item, other in zip(gold, answer, strict=True):
            correct, why = self._same(item, other)
            if correct is False:
                return False, why
            unsure = unsure or ("" if correct else why)
        return (None, unsure) if unsure else (True, "every part is equal")

    def _unordered(self, gold: list[str], answer: list[str]) -> Outcome:
        left, unsure = list(answer), ""
        for item in gold:
            outcomes = [self._same(item, other) for other in left]
            verdicts = [correct for correct, _ in outcomes]
            if True in verdicts:
                del left[verdicts.index(True)]
            elif None in verdicts:
                unsure = outcomes[verdicts.index(None)][1]
            else:
                return False, f"nothing equals the part {item}"
        return (None, unsure) if unsure else (True, "every part is equal")

    def _atoms(self, gold: str, answer: str) -> Outcome:
        (left, unit), (right, other) = without_unit(gold), without_unit(answer)
        if unit == other or not (unit and other):
            if "%" not in (unit, other) or unit == other:
                return self._values(left, right)
            percent = [
                rf"\frac{{{t}}}{{100}}" if u else t for t, u in ((left, unit), (right, other))
            ]
            outcome = self._values(*percent)
            return self._values(left, right) if self.percent and not outcome[0] else outcome
        return None, f"the units differ: {other} against {unit}"

    def _values(self, gold: str, answer: str) -> Outcome:
        if squeezed(gold) == squeezed(answer):
            return True, "the same text but for the unit"
        left, right = number(gold), number(answer)
        if left is None or right is None:
            for value, other in ((left, answer), (right, gold)):
                if value is not None and re.fullmatch(r"[A-Za-df-hj-z]", other):
                    return False, "a name against a number"
            if (len(split(gold, "=")) > 1) != (len(split(answer, "=")) > 1):
                return False, "an equation against a value"
            return self.oracle(gold, answer)
        if left == right:
            return True, "the same number"
        if abs(left - right) <= Fraction(str(self.tolerance)):
            return True, f"within {self.tolerance:g}"
        for exact, written in ((left, answer), (right, gold)):
            if not is_finite(exact) and rounds_to(exact, written):
                return True, "the same number, rounded"
        return False, "another number"
