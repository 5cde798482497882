"""Replace a trace's final answer by a wrong one of the same shape, where the trace concludes."""

import re
from dataclasses import dataclass, replace
from itertools import accumulate, compress, product
from random import Random
from typing import NamedTuple

from distill.corruptions.notations import fraction, fraction_written, number_written, word
from distill.corruptions.statements import final_statements
from distill.grading import answers
from distill.trace.records import Problem, Trace

_NUMBER = re.compile(r"[-+]?([0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?)")
_UNIT = re.compile(
    r"\\(?:text|mathrm)\{[^}]*\}(?:\^\{?[0-9]\}?)?|\^?\{?\\circ\}?|\\?[%$]|\\[,! ]|\s"
)
_DIGIT = re.compile(r"[0-9]")
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


class Edited(NamedTuple):
    """A trace with another final answer."""

    trace: Trace
    changed: int
    """Places in thought and solution at which it was replaced."""


def edit_answer(trace: Trace, rng: Random) -> Edited | None:
    r"""Give a trace another final answer and mark it wrong; None if the answer cannot be changed.

    The answer is what the grader reads in the solution; where it reads none, the problem's. It is
    replaced where thought and solution conclude (`final_statements`) and stays elsewhere: a small
    number stands for much else in a thought. Of a joint answer (`\boxed{1} and \boxed{2}`) every
    part is replaced:

    * one number (`204`, `1,234.5`, also with a unit, `60\%`): its digits are redrawn, however they
      are written (`1234.5`; `three` for 3), where they are not part of a longer number;
    * a fraction (`\frac{1}{2}`, `1/2`): one of its two numbers is redrawn, in either notation;
    * a sum with signs (`6+1-1+3`): signs are flipped so that the total differs and, if possible, no
      running total is negative; it is replaced wherever it stands, with or without blanks;
    * anything else with digits (`2\sqrt{3}`): one run of digits is redrawn;
    * a choice (`B`): another letter, where it stands in braces or parentheses or after "answer is".
    """
    read = _read(trace.problem, trace.solution)
    for _ in range(_TRIES):
        answer = read or [trace.problem.answer.strip()]
        changes = [change for part in answer if (change := _change(part, rng))]
        solution, in_solution = _apply(changes, trace.solution)
        if not in_solution or solution == trace.solution:
            return None
        if not set(read) & set(_read(trace.problem, solution)):
            thought, in_thought = _apply(changes, trace.thought)
            why = "final answer was replaced"
            made = replace(trace, thought=thought, solution=solution, correct=False, why=why)
            return Edited(made, in_solution + in_thought)
    return None


def _read(problem: Problem, solution: str) -> list[str]:
    """The parts of the solution's answer, as they are graded; none where none is read."""
    parts = answers.parts(solution)
    if problem.kind == "choice":
        return [letter for part in parts if (letter := answers.letter(part))]
    return [part for part in parts if part]


@dataclass(frozen=True)
class Change:
    """How one part of an answer becomes another."""

    stated: re.Pattern[str]
    """The part, as texts state it."""

    changing: re.Pattern[str]
    """What changes in such a statement."""

    new: list[str]
    """What comes instead, in order; what is left of them stays."""

    word: str = ""
    """A small number's new word, where it is stated as a word."""

    everywhere: bool = False
    """Whether it is replaced wherever it stands, since it can mean nothing else."""

    def swapped(self, text: str) -> str:
        """A statement of the old part as one of the new."""
        if self.word and text[0].isalpha():
            return self.word.capitalize() if text[0].isupper() else self.word
        values = iter(self.new)
        return self.changing.sub(lambda old: next(values, old[0]), text)


def _apply(changes: list[Change], text: str) -> tuple[str, int]:
    """Replace the stated parts, all in one pass: no new one is changed again; and how many."""
    if not changes:
        return text, 0
    stated = re.compile("|".join(f"({change.stated.pattern})" for change in changes))
    if any(change.everywhere for change in changes):
        places = list(stated.finditer(text))
    else:
        places = final_statements(text, stated)
    made: list[str] = []
    at = 0
    for place in places:
        change = next(compress(changes, place.groups()))
        made += text[at : place.start()], change.swapped(place[0])
        at = place.end()
    return "".join((*made, text[at:])), len(places)


def _change(answer: str, rng: Random) -> Change | None:
    if choice := _CHOICE.fullmatch(answer):
        letter = rng.choice([other for other in _CHOICES if other != choice[1]])
        stated = re.compile(_CHOICE_STATED.format(letter=choice[1]))
        return Change(stated, re.compile(choice[1]), [letter])
    if _SIGNED_SUM.fullmatch(answer) and (signs := _other_signs(answer, rng)):
        return Change(occurrence(answer, "+*/-"), _SIGNS, signs, everywhere=True)
    number = _NUMBER.fullmatch(_UNIT.sub("", answer))
    written = number[1] if number else answer
    runs = _DIGITS.findall(written)
    if not runs:
        return None
    old = "".join(runs)
    place = rng.randrange(len(runs))
    runs[place] = _other_digits(runs[place], rng)
    if parts := fraction(answer):
        return Change(fraction_written(*parts), _DIGIT, [*"".join(runs)])
    if not number:
        return Change(occurrence(answer), _DIGITS, runs)
    new = "".join(runs)
    said = old if old == written and len(old) < 3 else ""
    stated = number_written(written, word(int(said)) if said else "")
    return Change(stated, _DIGIT, [*new], word(int(new)) if said else "")


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
