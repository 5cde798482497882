"""A trace's final answer is replaced by a wrong one of the same shape, wherever it is stated."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from random import Random

from distill.trace.records import Trace

_NUMBER = re.compile(r"[-+]?([0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?)")
_UNIT = re.compile(r"\\(?:text|mathrm)\{[^}]*\}|\^?\{?\\circ\}?|\\?[%$]|\\[,! ]|\s")
_DIGITS = re.compile(r"[0-9]+")
_SIGNS = re.compile(r"[+-]")
_SIGNED_SUM = re.compile(r"[0-9]+(?:\s*[+-]\s*[0-9]+){1,10}")
_TOKEN = re.compile(r"\\[A-Za-z]+|[0-9]+|\S")
_FRACTIONS = (r"\frac", r"\dfrac", r"\tfrac")
_CHOICE = re.compile(r"\(?([A-J])\)?")
_CHOICES = "ABCD"
_CHOICE_STATED = r"(?:(?<=\{{)|(?<=\()|(?<=option )|(?<=answer is ))\(?{letter}\b"


def edit_answer(trace: Trace, rng: Random) -> Trace | None:
    r"""The trace with another final answer, marked wrong; None where it cannot be changed.

    The answer is what the solution boxes, else the problem's. It is replaced in thought and
    solution:

    * one number (`204`, `1,234.5`, also with a unit, `60\%`): one run of its digits is redrawn, in
      every occurrence of the number that is not part of a longer one;
    * a sum with signs (`6+1-1+3`): signs are flipped so that the total differs and, where that can
      be, no running total is negative; in every occurrence, with or without blanks;
    * anything else with digits (`\frac{1}{2}`): one run of digits is redrawn, in every occurrence
      with or without blanks, whether written with `\frac`, `\dfrac` or `\tfrac`;
    * a choice (`B`): another letter, where it stands in braces or parentheses or after "answer is".
    """
    answer = _boxed(trace.solution) or trace.problem.answer.strip()
    change = _change(answer, rng)
    if change is None:
        return None
    stated, part, new = change

    def swap(match: re.Match[str]) -> str:
        values: Iterator[str] = iter(new)
        return part.sub(lambda _: next(values), match[0])

    solution = stated.sub(swap, trace.solution)
    if solution == trace.solution:
        return None
    thought = stated.sub(swap, trace.thought)
    return replace(
        trace, thought=thought, solution=solution, correct=False, why="final answer was replaced"
    )


Change = tuple[re.Pattern[str], re.Pattern[str], list[str]]
"""What states the answer, its parts that change, and their new values in order."""


def _change(answer: str, rng: Random) -> Change | None:
    if choice := _CHOICE.fullmatch(answer):
        letter = rng.choice([other for other in _CHOICES if other != choice[1]])
        stated = re.compile(_CHOICE_STATED.format(letter=choice[1]))
        return stated, re.compile(choice[1]), [letter]
    if _SIGNED_SUM.fullmatch(answer) and (signs := _other_signs(answer, rng)):
        return occurrence(answer, "+*/-"), _SIGNS, signs
    if number := _NUMBER.fullmatch(_UNIT.sub("", answer)):
        answer = number[1]
    runs = _DIGITS.findall(answer)
    if not runs:
        return None
    place = rng.randrange(len(runs))
    runs[place] = _other_digits(runs[place], rng)
    return occurrence(answer), _DIGITS, runs


def occurrence(answer: str, operators: str = "") -> re.Pattern[str]:
    """Matches the answer with any blanks between its tokens, not as part of a longer number or sum.

    The pattern begins with the answer's first character and looks back from there: a pattern that
    begins with a literal is searched for several times faster.
    """
    tokens = [r"\\[dt]?frac" if t in _FRACTIONS else re.escape(t) for t in _TOKEN.findall(answer)]
    inner = r"\s*".join(tokens)
    first = re.escape(answer[0])
    back = rf"(?<!\d{first})(?<!\d[.,{operators}]{first})"
    ahead = rf"(?![.,{operators}]?\d)"
    return re.compile(first + back + inner[len(first) :] + ahead)


def _other_digits(run: str, rng: Random) -> str:
    """As many digits, another value; no new leading zero, no zero for a single digit."""
    low = 0 if len(run) > 1 and run[0] == "0" else 10 ** (len(run) - 1)
    while True:
        new = f"{rng.randrange(low, 10 ** len(run)):0{len(run)}}"
        if new != run:
            return new


def _other_signs(answer: str, rng: Random) -> list[str] | None:
    """Signs that make another total; None where there are none."""
    numbers = [int(number) for number in _DIGITS.findall(answer)]
    old = _totals(numbers, _SIGNS.findall(answer))[-1]
    patterns = [list(signs) for signs in product("+-", repeat=len(numbers) - 1)]
    wrong = [signs for signs in patterns if _totals(numbers, signs)[-1] != old]
    plausible = [signs for signs in wrong if min(_totals(numbers, signs)) >= 0]
    candidates = plausible or wrong
    return rng.choice(candidates) if candidates else None


def _totals(numbers: list[int], signs: list[str]) -> list[int]:
    """The running totals."""
    totals = numbers[:1]
    for number, sign in zip(numbers[1:], signs, strict=True):
        totals.append(totals[-1] + (number if sign == "+" else -number))
    return totals


def _boxed(text: str) -> str | None:
    r"""What the last `\boxed{...}` holds; None where there is none or it is not closed."""
    start = text.rfind(r"\boxed{")
    if start < 0:
        return None
    begin, depth = start + len(r"\boxed{"), 1
    for place in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return text[begin:place].strip() or None
    return None
