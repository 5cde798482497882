"""Expressions are read by latex2sympy and compared by their values, sets by math-verify.

This runs only in the processes of `distill.grading.workers`, since an expression can take any time
or memory. Decimals are read as exact fractions. Numbers are compared to a thousand digits, because
math-verify compares to fifteen and takes 2^-98 for 2^-99. Formulas, and the differences of the two
sides of equations, are compared at fixed points. What is too large to compute is undecided at once.
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
POINTS = 10
"""Choices of the variables at which two formulas are compared, some of them below zero."""

Outcome = tuple[bool | None, str]

_DECIMAL = re.compile(r"(?P<raised>\^\s*)?(?<![\w.])(?P<whole>\d*)\.(?P<part>\d+)")
_REWRITES = (
    (re.compile(r"([A-Za-z])('+)"), lambda m: rf"{m[1]}_{{{'prime' * len(m[2])}}}"),
    (re.compile(r"(\d+)\s*\^\s*\\circ"), r"\\frac{\1\\pi}{180}"),
    (re.compile(r"\\text\s*\{(\w)\}"), r"\1"),
    (re.compile(r"_\s*\{\s*\\([a-z]+)\s*\}"), r"_{\1}"),
    (re.compile(r"(?<![\\A-Za-z])\*(?![A-Za-z]*\})"), r"\\cdot "),
)
_MIXED = re.compile(r"(?<![\d.^_{])(\d+)\s*\\frac\{(\d+)\}\{(\d+)\}")
_UNREAD = re.compile(r"(?<!_)[\d.]\s+[\d.]|!\s*!|\d\s*'|\\ldots")
"""What the parser would read as something else: digits apart, double factorials, minutes of arc."""
_TOWER = re.compile(r"(\w+)\^(\w+)\^(\w+|\{[^{}]*\})")
_INDEXED = re.compile(r"(?<![\\A-Za-z])([EeIi])_(?:\{(\w+)\}|(\w))")


def compare(gold: str, answer: str, tolerance: float = 0.0) -> Outcome:
    """Whether two tidy expressions (see `notation.tidy`) are equal, and why; None: undecided.

    Numbers that differ by no more than `tolerance` are equal.
    """
    import sympy

    left, right = parsed(gold), parsed(answer)
    if left is None:
        return None, "the gold answer does not parse"
    if right is None:
        return False, "the answer is no expression"
    if _bits(left) > LARGEST_BITS or _bits(right) > LARGEST_BITS:
        return None, "too large to compute"
    if _is_number(left) and _is_number(right):
        left, right = sympy.real_root(left), sympy.real_root(right)
    try:
        return _compare(left, right, tolerance, gold, answer)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        return None, f"not compared: {type(error).__name__}"


def _compare(left: Any, right: Any, tolerance: float, *texts: str) -> Outcome:
    import sympy

    if _is_number(left) and _is_number(right):
        equal = _same_number(left, right, tolerance, *texts)
        if equal is not None:
            return equal, "the same number" if equal else "another number"
    if any(isinstance(side, sympy.MatrixBase | sympy.MatrixExpr) for side in (left, right)):
        left, right = left.doit(), right.doit()
        if getattr(left, "shape", 0) != getattr(right, "shape", 1):
            return False, "no matrix of the same shape"
        entries = [_compare(a, b, tolerance, "", "") for a, b in zip(left, right, strict=True)]
        return min(entries, key=lambda outcome: (outcome[0] is not False, outcome[0] is True))
    if left.is_Relational and right.is_Relational and _same_relation(left, right):
        return True, "the same relation"
    if not left.free_symbols ^ right.free_symbols or not (left.free_symbols and right.free_symbols):
        left, right = _solved(left), _solved(right)
    if left.is_Relational and right.is_Relational:
        return False, "another relation"
    if isinstance(left, sympy.Expr) and isinstance(right, sympy.Expr):
        same = _ratio_at_points(left, right, whole=True)
        if same is not None:
            return same, "the same at all points" if same else "another value at a point"
    return _verified(left, right)


def _solved(side: Any) -> Any:
    """The set of the solutions of a relation in one variable that has any, else what is given."""
    if not (side.is_Boolean or side.is_Relational) or len(side.free_symbols) != 1:
        return side
    try:
        return side.as_set() or side
    except (NotImplementedError, TypeError):
        return side


def _verified(left: Any, right: Any) -> Outcome:
    import sympy
    from math_verify import verify

    if sympy.S.EmptySet in (left, right):
        return left == right, "the empty set and another"
    same = verify(left, right, timeout_seconds=None)
    return same, "equal by math-verify" if same else "not equal by math-verify"


@lru_cache(maxsize=1024)
def parsed(text: str) -> Any:
    """The SymPy expression that a tidy text denotes, or None."""
    from latex2sympy2_extended import NormalizationConfig, latex2sympy
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig
    from math_verify.grader import should_treat_as_complex
    from sympy import Derivative, I, Symbol

    if _UNREAD.search(text):
        return None
    logging.disable(logging.WARNING)  # math-verify warns that its own alarm, SIGALRM, is off
    text = _INDEXED.sub(lambda m: rf"x_{{{m[1]}{m[2] or m[3]}}}", _MIXED.sub(_mixed, text))
    text = _DECIMAL.sub(_as_fraction, text)
    for pattern, by in _REWRITES:
        text = pattern.sub(by, text)
    while _TOWER.search(text):
        text = _TOWER.sub(r"\1^{\2^\3}", text)
    try:
        found = latex2sympy(
            text,
            is_real=not should_treat_as_complex(text),
            # Units have been removed with more care: it would also drop the variable of 5m.
            normalization_config=NormalizationConfig(units=False, malformed_operators=True),
            conversion_config=ConversionConfig(lowercase_symbols=False),
        )
    except Exception:
        return None
    rates = {d: Symbol(str(d)) for d in found.atoms(Derivative) if not d.expr.has(*d.variables)}
    found = found.xreplace(rates)  # dy/dx of a plain y is no zero
    free: set[Any] = getattr(found, "free_symbols", set())
    lone = len(free) == 1 and next(iter(free)).name == "i"
    return found.xreplace(dict.fromkeys(free, I)) if lone else found


def _mixed(found: re.Match[str]) -> str:
    whole, over, under = map(int, found.groups())
    return rf"\frac{{{whole * under + over}}}{{{under}}}" if over < under else found[0]


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


def _same_number(left: Any, right: Any, tolerance: float, gold: str, answer: str) -> bool | None:
    """Whether two numbers agree to `DIGITS` or the tolerance; None if that cannot be computed."""
    import sympy

    left, right = left.doit(), right.doit()
    if left == right:
        return True
    if tolerance and abs((left - right).evalf(30)) <= sympy.Rational(str(tolerance)):
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


def _same_relation(left: Any, right: Any) -> bool | None:
    """Whether two (in)equalities say the same: their differences are proportional."""
    import sympy

    flipped = (sympy.Gt, sympy.Ge)
    sides = [r.rhs - r.lhs if isinstance(r, flipped) else r.lhs - r.rhs for r in (left, right)]
    kinds = [{sympy.Gt: sympy.Lt, sympy.Ge: sympy.Le}.get(type(r), type(r)) for r in (left, right)]
    if kinds[0] is not kinds[1]:
        return False
    if kinds[0] in (sympy.Eq, sympy.Ne):
        sides = [sympy.together(side.doit()).as_numer_denom()[0] for side in sides]
    positive = kinds[0] in (sympy.Lt, sympy.Le)
    return _ratio_at_points(sides[0], sides[1], whole=False, positive=positive)


def _ratio_at_points(left: Any, right: Any, whole: bool, positive: bool = False) -> bool | None:
    """Whether two formulas have one ratio (1 if `whole`) at points where both are real.

    None if they cannot be evaluated at any.
    """
    import sympy

    names = sorted({s.name for s in left.free_symbols | right.free_symbols})
    ratios = []
    for k in range(POINTS if names else 1):
        point = {
            name: sympy.Rational(
                (-1) ** (k // 2) * ((i + 1) * (17 * k + 4) + 13 * i), i + k % 3 + 5
            )
            for i, name in enumerate(names)
        }
        values = [
            side.subs({s: point[s.name] for s in side.free_symbols}).doit().evalf(50)
            for side in (left, right)
        ]
        if all(v.is_Number and v.is_finite for v in values) and all(
            _real(s, point) for s in (left, right)
        ):
            tiny = [abs(value) < sympy.Float(10) ** -40 for value in values]
            ratios.append(None if all(tiny) else sympy.oo if tiny[1] else values[0] / values[1])
    if len(ratios) < min(3, POINTS if names else 1):
        return None
    ratios = [r for r in ratios if r is not None] or ratios
    if ratios[0] is None:
        return True
    first = sympy.Integer(1) if whole else ratios[0]
    if first in (0, sympy.oo) or (positive and not first > 0):
        return False
    return all(abs(r - first) < abs(first) * sympy.Float(10) ** -30 for r in ratios)


def _real(formula: Any, point: dict[str, Any]) -> bool:
    """Whether no root or logarithm in a formula leaves the real numbers at a point."""
    import sympy

    at = {symbol: point[symbol.name] for symbol in formula.free_symbols}
    roots = [p.base for p in formula.atoms(sympy.Pow) if not p.exp.is_integer]
    inner = [*roots, *(log.args[0] for log in formula.atoms(sympy.log))]
    return all(bool(part.subs(at).evalf(15) >= 0) for part in inner)
