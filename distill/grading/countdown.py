r"""Countdown answers are checked and searched for: each given number is used once for a target.

For example `95, 89, 47, 24` make `17` as `(47 - 24) - (95 - 89)`. The gold answer is one right
expression, from which the numbers and the target are read.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from operator import add, mul, sub, truediv
from typing import Any

from distill.grading.notation import tidy

_FRACTION = re.compile(r"\\frac\{([^{}]*)\}\{([^{}]*)\}")
_SPELLINGS = (
    (re.compile(r"\\times|\\cdot"), "*"),
    (re.compile(r"\\div"), "/"),
    (re.compile(r"[{\[]"), "("),
    (re.compile(r"[}\]]"), ")"),
)
_OPERATORS: dict[type, Any] = {ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.Div: truediv}
MAX_CHARACTERS = 500
"""Texts longer than this are not expressions of a few numbers."""


def check(gold: str, answer: str) -> tuple[bool | None, str]:
    """Whether an expression uses the numbers of the gold answer, each once, and has its value.

    It may have `+ - * /`, brackets and whole numbers, and `= target` at its end. Its value is
    computed exactly.
    """
    right, made = _read(gold), _read(answer)
    if right is None:
        return None, f"the gold answer {gold!r} is no expression"
    if made is None:
        return False, "no expression of + - * / and whole numbers"
    (target, numbers), (value, used) = right, made
    if used != numbers:
        return False, f"uses {_listed(used)} for {_listed(numbers)}"
    if value != target:
        return False, f"makes {value}, not {target}"
    return True, "uses every number once and makes the target"


def _read(text: str) -> tuple[Fraction, Counter[int]] | None:
    """Value and numbers of an expression; None if the text is not one or divides by zero."""
    text = tidy(text).split("=")[0].strip()
    if len(text) > MAX_CHARACTERS:
        return None
    while _FRACTION.search(text):
        text = _FRACTION.sub(r"((\1)/(\2))", text)
    for pattern, by in _SPELLINGS:
        text = pattern.sub(by, text)
    numbers: Counter[int] = Counter()
    try:
        return _value(ast.parse(text, mode="eval").body, numbers), numbers
    except (ArithmeticError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _value(node: ast.expr, numbers: Counter[int]) -> Fraction:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        numbers[node.value] += 1
        return Fraction(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, numbers)
    if isinstance(node, ast.BinOp) and (operate := _OPERATORS.get(type(node.op))):
        return Fraction(operate(_value(node.left, numbers), _value(node.right, numbers)))
    raise ValueError(f"{type(node).__name__} is no part of a countdown expression")


def _listed(numbers: Counter[int]) -> str:
    return ", ".join(map(str, sorted(numbers.elements()))) or "nothing"


_Term = tuple[Fraction, str]


def expression(numbers: list[int], target: int) -> str | None:
    """The first expression with `+ - * /`, in exact fractions, that equals the target, or None.

    Four numbers take a few milliseconds, six some seconds.
    """
    return _search([(Fraction(number), str(number)) for number in numbers], Fraction(target))


def _search(terms: list[_Term], target: Fraction) -> str | None:
    if len(terms) == 1:
        return terms[0][1] if terms[0][0] == target else None
    for pair in combinations(range(len(terms)), 2):
        rest = [term for k, term in enumerate(terms) if k not in pair]
        for made in _joined(*(terms[k] for k in pair)):
            if found := _search([*rest, made], target):
                return found
    return None


def _joined(left: _Term, right: _Term) -> Iterator[_Term]:
    (a, one), (b, other) = left, right
    yield a + b, f"({one} + {other})"
    yield a * b, f"({one} * {other})"
    yield a - b, f"({one} - {other})"
    yield b - a, f"({other} - {one})"
    if b:
        yield a / b, f"({one} / {other})"
    if a:
        yield b / a, f"({other} / {one})"
