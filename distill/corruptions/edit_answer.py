"""Replace a trace's final answer by a wrong one of the same shape, wherever it is stated."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate, product
from random import Random

from distill.grading import answers
from distill.trace.records import Problem, Trace

_NUMBER = re.compile(r"[-+]?([0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?)")
_UNIT = re.compile(
    r"\\(?:text|mathrm)\{[^}]*\}(?:\^\{?[0-9]\}?)?|\^?\{?\\circ\}?|\\?[%$]|\\[,! ]|\s"
)
_DIGITS = re.compile(r"[0-9]+")
_SIGNS = re.compile(r"[+-]")
_SIGNED_SUM = re.compile(r"[0-9]+(?:\s*[+-]\s*[0-9]+){1,10}")
_TOKEN = re.compile(r"\\[A-Za-z]+|[0-9]+|\S")
_FRACTIONS = (r"\frac", r"\dfrac", r"\tfrac")
_CHOICE = re.compile(r"\(?([A-J])\)?")
_CHOICES = "ABCD"
_TRIES = 100
"""Draws for a joint answer: by chance one part may become another, as in 1 and 2 -> 2 and 7."""
_CHOICE_STATED = r"(?:(?<=\{{)|(?<=\()|(?<=option )|(?<=answer is ))\(?{letter}\b"


def edit_answer(trace: Trace, rng: Random) -> Trace | None:
    r"""Give a trace another final answer and mark it wrong; None if the answer cannot be changed.

    The answer is what the grader reads in the solution; where it reads none, the problem's. It is
    replaced in thought and solution, and of a joint answer (`\boxed{1} and \boxed{2}`) every part:

    * one number (`204`, `1,234.5`, also with a unit, `60\%`): one run of its digits is redrawn, in
      every occurrence of the number that is not part of a longer one;
    * a sum with signs (`6+1-1+3`): signs are flipped so that the total differs and, if possible, no
      running total is negative; in every occurrence, with or without blanks;
    * anything else with digits (`\frac{1}{2}`): one run of digits is redrawn, in every occurrence
      with or without blanks, whether written with `\frac`, `\dfrac` or `\tfrac`;
    * a choice (`B`): another letter, where it stands in braces or parentheses or after "answer is".
    """
    read = _read(trace.problem, trace.solution)
    for _ in range(_TRIES):
        answer = read or [trace.problem.answer.strip()]
        changes = [change for part in answer if (change := _change(part, rng))]
        solution = _apply(changes, trace.solution)
        if solution == trace.solution:
            return None
        if not set(read) & set(_read(trace.problem, solution)):
            thought = _apply(changes, trace.thought)
            why = "final answer was replaced"
            return replace(trace, thought=thought, solution=solution, correct=False, why=why)
    return None


def _read(problem: Problem, solution: str) -> list[str]:
    """The parts of the solution's answer, as they are graded; none where none is read."""
    parts = answers.parts(solution)
    if problem.kind == "choice":
        return [letter for part in parts if (letter := answers.letter(part))]
    return [part for part in parts if part]


Change = tuple[re.Pattern[str], re.Pattern[str], list[str]]
"""Pattern of an answer as it is stated; pattern of what changes in it; new values in order."""


def _apply(changes: list[Change], text: str) -> str:
    """Replace every stated answer, all in one pass: no new answer is changed again."""
    if not changes:
        return text
    stated = re.compile("|".join(f"({pattern.pattern})" for pattern, _, _ in changes))

    def swap(match: re.Match[str]) -> str:
        _, changing, new = changes[int(match.lastindex or 1) - 1]
        values: Iterator[str] = iter(new)
        return changing.sub(lambda _: next(values), match[0])

    return stated.sub(swap, text)


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
    r"""Find the answer, also with blanks or `\!` between its tokens; in no longer number or sum.

    The pattern begins with the answer's first character and looks back from there: a pattern that
    begins with a literal is searched for several times faster.
    """
    tokens = [r"\\[dt]?frac" if t in _FRACTIONS else re.escape(t) for t in _TOKEN.findall(answer)]
    inner = r"(?:\s|\\!)*".join(tokens)
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
    return [*accumulate(int(sign + str(n)) for n, sign in zip(numbers, ["+", *signs], strict=True))]
