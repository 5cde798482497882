r"""Two answers are compared part by part: texts literally, numbers exactly, the rest by an oracle.

Lists, tuples, sets, intervals and assignments are taken apart, so that the same rules hold for
every part. A part that is not a plain number goes to an `Oracle`, which knows algebra. Equal means
mathematically equal, with these exceptions: a decimal of six digits or more equals a number without
finite decimals that rounds to it; units and degree signs may be left out; and a percentage equals
a gold answer that is its bare number.
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
    squeezed,
    words,
)
from distill.grading.notation import tidy
from distill.grading.numbers import is_finite, number, rounds_to
from distill.grading.units import without_unit

Outcome = tuple[bool | None, str]
"""Verdict (None: undecided) and its reason."""

Oracle = Callable[[str, str], Outcome]
"""Compares two tidy expressions: (gold, answer)."""

_DECIMAL_COMMA = (r"(\d+),(\d+)", r"(0),(\d{2,})")
"""Patterns of a decimal comma in an answer, and in a gold answer, where a comma more often
separates the items of a list."""
_TIME = re.compile(r"(\d\d?):([0-5]\d)([ap]?)m?", re.IGNORECASE)

MAX_CHARACTERS = 2000
MAX_DEPTH = 40
"""Longer or deeper answers are undecided, since parsers take too long for them."""


@dataclass(frozen=True)
class Comparison:
    """The rules by which two answers are compared."""

    oracle: Oracle
    percent: bool = False
    """Whether 10 is the same as a gold answer of 10 %."""

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
        if said := words(gold, answer):
            same = said[0] == said[1]
            return same, "the same words" if same else "other words"
        times = [_TIME.fullmatch(re.sub(r"\\text|[{} .]", "", text)) for text in (gold, answer)]
        if times[0] and times[1]:
            return self._times(*(time.groups() for time in times if time))
        left, right = parts(gold), parts(answer)
        if left and right and left.names and right.names and {*left.names} != {*right.names}:
            return self.oracle(gold, answer)
        if (left and left.names) or (right and right.names):
            return self._parts(left, right) if left and right else self._mixed(gold, answer)
        (gold_name, value), (name, other) = assigned(gold), assigned(answer, stated=True)
        if gold_name and name:
            return self._equations((gold_name, value), (name, other), gold, answer)
        if "=" in (gold_name, name):
            return False, "an equation against a value"
        if left and right and left.bounded and right.bounded and left.bounded != right.bounded:
            return self.oracle(gold, answer)
        if left and right:
            return self._parts(left, right)
        if left or right:
            return self._mixed(value, other)
        return self._atoms(value, other)

    def _times(self, gold: tuple[str, ...], answer: tuple[str, ...]) -> Outcome:
        """Two times of day, of which one may leave out its half of the day."""
        same = all(
            a.lower() == b.lower() or "" in (a, b) for a, b in zip(gold, answer, strict=True)
        )
        return same, "the same time" if same else "another time"

    def _equations(self, gold: tuple[str, str], answer: tuple[str, str], *whole: str) -> Outcome:
        """Two equations: values of the same name, else relations between their variables."""
        (left, value), (right, other) = gold, answer
        if left == right != "=":
            return self._same(value, other)
        asked, of = (re.fullmatch(r"(.*\()([a-zA-Z])\)", name) for name in (left, right))
        if asked and of and asked[1] == of[1] and asked[2] not in other:
            renamed = re.sub(rf"(?<![\\a-zA-Z]){of[2]}(?![a-zA-Z])", asked[2], other)
            return self._same(value, renamed)
        if left.isalpha() and right.isalpha() and (len(left) > 3) != (len(right) > 3):
            return self._same(value, other)  # a word and a symbol for the same thing
        return self.oracle(*whole)

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
        kinds = {gold.brackets, answer.brackets}
        if gold.names and answer.names:
            items = dict(zip(answer.names, answer.items, strict=True))
            return self._ordered(gold.items, [items[name] for name in gold.names])
        unordered = kinds <= {"", "{}", "cup"} and not (gold.names or answer.names)
        is_set = unordered and "{}" in kinds
        if len(gold.items) != len(answer.items) and not is_set:
            return False, f"{len(answer.items)} parts against {len(gold.items)}"
        if unordered:
            return self._unordered(gold.items, answer.items, repeat=is_set)
        half_open = kinds & {"[)", "(]", "cap"} or ("{}" in kinds and len(kinds) > 1)
        turned = kinds == {"row", "col"}
        pair = (
            len(kinds) == 2
            and "" not in kinds
            and not kinds & {"row", "col"}
            and len(gold.items) == 2
        )
        if len(kinds) > 1 and (half_open or turned or pair):
            return False, f"brackets {answer.brackets} against {gold.brackets}"
        return self._ordered(gold.items, answer.items)

    def _ordered(self, gold: list[str], answer: list[str]) -> Outcome:
        unsure = ""
        for item, other in zip(gold, answer, strict=True):
            correct, why = self._same(item, other)
            if correct is False:
                return False, why
            unsure = unsure or ("" if correct else why)
        return (None, unsure) if unsure else (True, "every part is equal")

    def _unordered(self, gold: list[str], answer: list[str], repeat: bool) -> Outcome:
        """Every item has its equal on the other side, one of its own unless items may repeat."""
        unsure = ""
        for here, there, order in ((gold, answer, 1), (answer, gold, -1)):
            left = list(there)
            for item in here:
                outcomes = [self._same(*(item, other)[::order]) for other in left]
                verdicts = [correct for correct, _ in outcomes]
                if True in verdicts:
                    left = left if repeat else left[: (k := verdicts.index(True))] + left[k + 1 :]
                elif None in verdicts:
                    unsure = outcomes[verdicts.index(None)][1]
                else:
                    return False, f"nothing equals the part {item}"
            if not repeat:
                break
        return (None, unsure) if unsure else (True, "every part is equal")

    def _atoms(self, gold: str, answer: str) -> Outcome:
        (left, unit), (right, other) = without_unit(gold), without_unit(answer)
        if {unit, other} == {"degree", ""}:
            outcome = self._values(left, right)
            radians = [
                rf"\frac{{{t}\pi}}{{180}}" if u == "degree" else t
                for t, u in ((left, unit), (right, other))
            ]
            return outcome if outcome[0] else self._values(*radians)
        if {unit, other} == {"%", ""}:
            hundredths = [
                rf"\frac{{{t}}}{{100}}" if u == "%" else t
                for t, u in ((left, unit), (right, other))
            ]
            outcome = self._values(*hundredths)
            bare = self.percent if unit else (number(left) or 2) > 1
            return outcome if outcome[0] or not bare else self._values(left, right)
        if (
            not unit
            or not other
            or set(unit.split()) >= set(other.split())
            or set(unit.split()) <= set(other.split())
        ):
            return self._values(left, right)
        return None, f"the units differ: {other} against {unit}"

    def _values(self, gold: str, answer: str) -> Outcome:
        if squeezed(gold) == squeezed(answer):
            return True, "the same text but for the unit"
        left, right = number(gold), number(answer)
        if left is None or right is None:
            return self.oracle(gold, answer)
        if left == right:
            return True, "the same number"
        if abs(left - right) <= Fraction(str(self.tolerance)):
            return True, f"within {self.tolerance:g}"
        for exact, written in ((left, answer), (right, gold)):
            if not is_finite(exact) and rounds_to(exact, written):
                return True, "the same number, rounded"
        return False, "another number"
