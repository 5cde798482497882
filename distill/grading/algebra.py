"""Expressions are compared by math-verify, with corrections of its known errors.

This runs only in the processes of `distill.grading.workers`, since an expression can take any time
or memory. Decimals are read as exact fractions. Numbers are compared to a thousand digits, because
math-verify compares to fifteen and takes 2^-98 for 2^-99. Formulas that it calls equal must also
have equal values at a fixed point. What is too large to compute is undecided at once.
"""

import logging
import re
from fractions import Fraction
from functools import lru_cache
from math import inf
from typing import Any

from distill.grading.numbers import rounds_to

LARGEST_BITS = 2_000_000
"""Bits of the numerator or denominator of the largest number that is computed."""
LARGEST_SUM = 100_000
"""Terms of the longest sum or product that is computed."""
DIGITS = 1_000
"""Digits to which two numbers must agree."""

_DECIMAL = re.compile(r"(?P<raised>\^\s*)?(?<![\w.])(?P<whole>\d*)\.(?P<part>\d+)")
_DEGREES = re.compile(r"(\d+)\s*\^\s*\\circ")
_TOWER = re.compile(r"(\w+)\^(\w+)\^(\w+|\{[^{}]*\})")


def compare(gold: str, answer: str) -> tuple[bool | None, str]:
    """Whether two tidy expressions (see `answers.tidy`) are equal, and why; None: undecided."""
    from math_verify import verify

    left, right = (parsed(text) for text in _told_apart(gold, answer))
    if left is None:
        return None, "the gold answer does not parse"
    if right is None:
        return False, "the answer is no expression"
    if _bits(left) > LARGEST_BITS or _bits(right) > LARGEST_BITS:
        return None, "too large to compute"
    if _is_number(left) and _is_number(right):
        equal = _same_number(left, right, gold, answer)
        if equal is not None:
            return equal, "the same number" if equal else "another number"
    if not verify(left, right, timeout_seconds=None):
        return False, "not equal by math-verify"
    if _differ_at_a_point(left, right):
        return False, "equal by math-verify, but not at a point"
    return True, "equal by math-verify"


@lru_cache(maxsize=1024)
def parsed(text: str) -> Any:
    """The SymPy expression that a tidy text in LaTeX or plain notation denotes, or None."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse
    from sympy import I

    logging.disable(logging.WARNING)  # math-verify warns that its own alarm, SIGALRM, is off
    text = _DECIMAL.sub(_as_fraction, text)
    text = _DEGREES.sub(r"\\frac{\1\\pi}{180}", text)
    text = re.sub(r"\\mathrm\s*\{(\w)\}", r"\1", text)
    text = re.sub(r"_\s*\{\s*\\([a-z]+)\s*\}", r"_{\1}", text)
    while _TOWER.search(text):
        text = _TOWER.sub(r"\1^{\2^\3}", text)
    # Units have been removed with more care: math-verify would also drop the variable of 5m.
    latex = LatexExtractionConfig(normalization_config=NormalizationConfig(units=False))
    for wrapped, config in ((f"${text}$", latex), (text, ExprExtractionConfig())):
        found = parse(wrapped, [config], fallback_mode="no_fallback", parsing_timeout=None)
        if found:
            free: set[Any] = getattr(found[0], "free_symbols", set())
            lone = len(free) == 1 and next(iter(free)).name == "i"
            return found[0].xreplace(dict.fromkeys(free, I)) if lone else found[0]
    return None


def _told_apart(*texts: str) -> list[str]:
    """The texts with those variables renamed that the parser confuses.

    It reads R as r, which matters only if a text has both; and the E of E_1 as Euler's number.
    """
    used = [{match["letter"] for match in _LETTER.finditer(text)} - {None} for text in texts]
    both = {letter for letters in used for letter in letters if letter.swapcase() in letters}

    def rename(match: re.Match[str]) -> str:
        letter, index = match["letter"], match["index"] or match["digit"] or ""
        if letter and index and letter in "EeIi":
            return f"x_{{{letter}{index}}}"
        return f"{letter}_{{big{index}}}" if letter in both and letter.isupper() else match[0]

    return [_LETTER.sub(rename, text) for text in texts]


_LETTER = re.compile(
    r"\\(?:text\w*|mbox|mathrm)\s*\{[^{}]*\}|\\[A-Za-z]+"
    r"|(?P<letter>[A-Za-z])(?:_(?:\{(?P<index>\w+)\}|(?P<digit>\w)))?"
)


def _as_fraction(decimal: re.Match[str]) -> str:
    over, zeros = int(decimal["whole"] + decimal["part"]), "0" * len(decimal["part"])
    fraction = rf"\frac{{{over}}}{{1{zeros}}}"
    return f"^{{{fraction}}}" if decimal["raised"] else fraction


def _bits(expression: Any) -> float:
    """An estimate of how many bits the numbers in an expression have once computed."""
    import sympy

    if isinstance(expression, sympy.Rational):
        return float(max(abs(expression.p), expression.q).bit_length())
    inner = [_bits(part) for part in getattr(expression, "args", ())]
    if max(inner, default=0) > LARGEST_BITS:
        return inf
    if isinstance(expression, sympy.Pow):
        return inner[0] * max(1.0, _size(expression.exp, inner[1]))
    if isinstance(expression, sympy.factorial):
        return _size(expression.args[0], inner[0]) * max(1.0, inner[0])
    if isinstance(expression, sympy.Sum | sympy.Product):
        for limit in expression.limits:
            if len(limit) == 3 and _size(limit[2] - limit[1], max(inner)) > LARGEST_SUM:
                return inf
    return sum(inner)


def _size(expression: Any, bits: float) -> float:
    """Magnitude of a number of so many bits; 0 of anything but a finite number."""
    if not (expression.is_number and expression.is_finite):
        return 0.0
    size = abs(expression.evalf(15)) if bits <= LARGEST_BITS else inf
    return float(size) if size < 1e15 else inf


def _is_number(expression: Any) -> bool:
    import sympy

    is_number = isinstance(expression, sympy.Expr) and expression.is_number
    return is_number and not expression.has(sympy.oo, sympy.zoo, sympy.nan)


def _same_number(left: Any, right: Any, gold: str, answer: str) -> bool | None:
    """Whether two numbers agree to `DIGITS`; None if that cannot be computed."""
    import sympy

    left, right = left.doit(), right.doit()
    if left == right:
        return True
    if left == 0 or right == 0:
        return (left - right).equals(0)
    for digits in (50, DIGITS):
        values = [value.evalf(digits) for value in (left, right)]
        if not all(value.is_comparable or value.is_complex for value in values):
            return None
        scale = max(abs(value) for value in values)
        if not abs(values[0] - values[1]) < scale * sympy.Float(10) ** -(digits - 10):
            return any(
                exact.is_real and not exact.is_Rational and rounds_to(_fraction(value), decimal)
                for exact, value, decimal in zip((left, right), values, (answer, gold), strict=True)
            )
    return True


def _fraction(value: Any) -> Fraction:
    import sympy

    exact = sympy.Rational(value)
    return Fraction(int(exact.p), int(exact.q))


def _differ_at_a_point(left: Any, right: Any) -> bool:
    """Whether two formulas clearly differ in value at one fixed choice of their variables."""
    import sympy

    if not (isinstance(left, sympy.Expr) and isinstance(right, sympy.Expr)):
        return False
    names = sorted({s.name for s in left.free_symbols | right.free_symbols})
    point = {name: sympy.Rational(3 * k + 4, 2 * k + 5) for k, name in enumerate(names)}
    values = [
        side.subs({s: point[s.name] for s in side.free_symbols}).evalf(50) for side in (left, right)
    ]
    if not names or not all(value.is_Number and value.is_finite for value in values):
        return False
    scale = max(abs(value) for value in values)
    return bool(abs(values[0] - values[1]) > scale * sympy.Float(10) ** -30)
