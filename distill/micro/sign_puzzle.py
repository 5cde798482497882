"""The task of the embedded world: put + or - between numbers so that the total is a target."""

import functools
import hashlib
import itertools
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

SPLITS = ("train", "validation", "test")
LARGEST = 9
"""Numbers are 1 to 9, so that each is one digit."""
SIZE = 4
"""Numbers per problem: 8 sign patterns, of which about 15 % reach the target by chance."""

_QUESTION = re.compile(r"Use \+ or - between ([1-9](?: [1-9])+) to make (0|[1-9][0-9]*)\.")
_EXPRESSION = re.compile(r"[0-9]+(?: *[+-] *[0-9]+)*")


@dataclass(frozen=True)
class SignPuzzle:
    """Numbers in a fixed order, and the total that the signs between them must give."""

    numbers: tuple[int, ...]
    target: int

    @property
    def question(self) -> str:
        """The problem's text, without the prompt around it."""
        return f"Use + or - between {' '.join(map(str, self.numbers))} to make {self.target}."

    @property
    def answer(self) -> str:
        """The first correct expression in the teacher's order; `check` accepts all correct ones."""
        for signs in sign_patterns(len(self.numbers)):
            if total(self.numbers, signs) == self.target:
                return expression(self.numbers, signs)
        raise ValueError(f"no signs between {self.numbers} make {self.target}")


def problems(split: str, count: int, seed: int) -> list[SignPuzzle]:
    """Draw distinct problems of a split.

    Every target can be reached without a negative running total, and none is the plain sum. For a
    given seed, a smaller count is a prefix of a larger one.

    Raises:
        ValueError: unknown split, or `count` is negative or more than the split has.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
    drawn = list(every_problem(split))
    if not 0 <= count <= len(drawn):
        sizes = ", ".join(f"{name} {len(every_problem(name))}" for name in SPLITS)
        raise ValueError(
            f"count must be in 0..{len(drawn)} for split {split!r}, got {count}; sizes: {sizes}"
        )
    random.Random(f"{seed}:{split}").shuffle(drawn)
    return drawn[:count]


def split_of(numbers: Sequence[int]) -> str:
    """The split of a tuple of numbers of any length: 5 % validation, 5 % test, the rest train.

    A stable hash decides, so that no list of tuples is needed and all targets of a tuple are in the
    same split.
    """
    digest = hashlib.sha256(" ".join(map(str, numbers)).encode()).digest()
    return {0: "validation", 1: "test"}.get(int.from_bytes(digest[:8]) % 20, "train")


def parse_question(question: str) -> SignPuzzle:
    """Parse a question. Raises ValueError if it is not exactly the text of a sign puzzle."""
    match = _QUESTION.fullmatch(question)
    if not match:
        raise ValueError(
            f"not a sign puzzle: {question!r}; expected a text like "
            "'Use + or - between 6 1 1 3 to make 9.'"
        )
    return SignPuzzle(tuple(map(int, match[1].split())), int(match[2]))


def check(question: str, answer_expression: str) -> tuple[bool, str]:
    """Whether an expression is a correct answer, and the reason.

    A correct answer has the question's numbers in their order, + or - between them, the target as
    its total, and no running total below zero. Spaces around signs are allowed, nothing else.
    """
    puzzle = parse_question(question)
    text = answer_expression.strip(" ")
    if not _EXPRESSION.fullmatch(text):
        return False, "not numbers with + or - between them"
    wanted = [str(number) for number in puzzle.numbers]
    if re.findall(r"[0-9]+", text) != wanted:  # as text: no leading zeros, no giant integers
        return False, f"the numbers are not {' '.join(wanted)} in this order"
    made = total(puzzle.numbers, re.findall(r"[+-]", text))
    if made is None:
        return False, "a running total is negative"
    if made != puzzle.target:
        return False, f"makes {made}, not {puzzle.target}"
    return True, "right"


def sign_patterns(size: int) -> list[tuple[str, ...]]:
    """All sign patterns between `size` numbers in the teacher's order: +++, ++-, +-+, ..."""
    return list(itertools.product("+-", repeat=size - 1))


def total(numbers: Sequence[int], signs: Sequence[str]) -> int | None:
    """The expression's total, or None if a running total is negative."""
    running = numbers[0]
    for number, sign in zip(numbers[1:], signs, strict=True):
        running = running + number if sign == "+" else running - number
        if running < 0:
            return None
    return running


def expression(numbers: Sequence[int], signs: Sequence[str]) -> str:
    """Numbers and signs as text, e.g. 6+1-1+3."""
    return str(numbers[0]) + "".join(
        f"{sign}{number}" for number, sign in zip(numbers[1:], signs, strict=True)
    )


@functools.cache
def every_problem(split: str) -> tuple[SignPuzzle, ...]:
    """The distinct problems of a split, in order of numbers and target."""
    found = []
    for numbers in itertools.product(range(1, LARGEST + 1), repeat=SIZE):
        if split_of(numbers) == split:
            totals = {total(numbers, signs) for signs in sign_patterns(SIZE)}
            reachable = {made for made in totals if made is not None} - {sum(numbers)}
            found += [SignPuzzle(numbers, target) for target in sorted(reachable)]
    return tuple(found)
