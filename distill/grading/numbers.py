"""Written numbers are read as exact fractions, unless they are too long to compute."""

import re
from fractions import Fraction

LARGEST = 100_000
"""Bits of the largest power that is computed; of larger ones there is no value."""

_GROUPED = re.compile(r"[1-9]\d{0,2}(?:[,\s]\d{3})+(?!\d)")
_DECIMAL = re.compile(r"(?:\d+\.?\d*|\.\d+)")
_SCIENTIFIC = re.compile(r"(?P<head>.+?)(?:\\times|\\cdot|\*)\s*10\s*\^\s*(?P<power>.+)", re.DOTALL)
_FLOAT = re.compile(r"(?P<head>[\d.]+)[eE](?P<power>[+-]?\d{1,5})")
_BASED = re.compile(r"(?P<digits>[0-9A-Z]+)\s*_\s*\{?\s*(?P<base>\d{1,2})\s*\}?")
_FRACTION = re.compile(r"(?P<whole>\d*)\s*\\frac\{(?P<over>[^{}]+)\}\{(?P<under>[^{}]+)\}")
_REPEATING = re.compile(
    r"(?P<whole>\d*)\.(?P<once>\d*?)"
    r"(?:\\(?:overline|bar|dot)\s*\{?(?P<over>\d+)\}?|\((?P<round>\d+)\)|(?P<seen>\d+?)(?P=seen)+\s*\\ldots)"
)
_MIXED = re.compile(r"(?P<whole>\d+)\s+(?P<over>\d+)\s*/\s*(?P<under>\d+)")


def number(text: str) -> Fraction | None:
    r"""The value of a tidy text (see `notation.tidy`) if it is a single number, else None.

    It reads integers and decimals, with or without thousands separators (`10,080`, `10 080`),
    repeating ones (`0.\overline{3}`, `0.(3)`, `0.333\ldots`), fractions and mixed numbers (`a/b`,
    `\frac{a}{b}`, `2\frac{5}{8}`), powers, scientific notation and digits with a base (`2516_8`).
    A comma that is not before three digits separates a list.
    """
    text = text.strip()
    if len(text) > 1000:  # longer than any real answer
        return None
    for sign, factor in (("-", -1), ("+", 1)):
        if text.startswith(sign):
            value = _unsigned(text[1:].strip())
            return None if value is None else factor * value
    return _unsigned(text)


def rounds_to(exact: Fraction, decimal: str, significant: int = 6) -> bool:
    """Whether a decimal is the exact number rounded to its places, with enough significant digits.

    `decimal` is as it is written, also in scientific notation.
    """
    if scientific := _SCIENTIFIC.fullmatch(decimal):
        decimal, power = scientific["head"].strip(), number(_inner(scientific["power"]))
        if power is None or abs(power) > LARGEST:
            return False
        exact /= Fraction(10) ** int(power)
    match = re.fullmatch(r"[+-]?(\d*)\.(\d+)", decimal)
    if not match or len((match[1] + match[2]).lstrip("0")) < significant:
        return False
    return abs(Fraction(decimal) - exact) * 10 ** len(match[2]) <= Fraction(1, 2)


def is_finite(value: Fraction) -> bool:
    """Whether the value has finitely many decimals, so that nobody needs to round it."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _unsigned(text: str) -> Fraction | None:
    if not text or text[0] in "+-":
        return None
    digits = text
    if grouped := _GROUPED.match(text):
        digits = re.sub(r"[,\s]", "", grouped[0]) + text[grouped.end() :]
    if _DECIMAL.fullmatch(digits):
        return Fraction(digits)
    if match := _REPEATING.fullmatch(text):
        cycle = match["over"] or match["round"] or match["seen"]
        once = Fraction(f"{match['whole'] or 0}.{match['once'] or 0}")
        return once + Fraction(int(cycle), (10 ** len(cycle) - 1) * 10 ** len(match["once"]))
    if match := _BASED.fullmatch(text):
        return _based(match["digits"], int(match["base"]))
    if match := _FLOAT.fullmatch(text):
        return _product(match["head"], "10", match["power"])
    if match := _MIXED.fullmatch(text):
        return _ratio(match["whole"], match["over"], match["under"])
    if match := _FRACTION.fullmatch(text):
        return _ratio(match["whole"] or "0", match["over"], match["under"])
    if match := _SCIENTIFIC.fullmatch(text):
        return _product(match["head"], "10", match["power"])
    if text.count("/") == 1:
        return _ratio("0", *text.split("/"))
    if text.count("^") == 1:
        return _product("1", *text.split("^"))
    return None


def _ratio(whole: str, over: str, under: str) -> Fraction | None:
    values = [number(_inner(part)) for part in (whole, over, under)]
    if values[0] is None or values[1] is None or not values[2]:
        return None
    return values[0] + values[1] / values[2]


def _product(head: str, base: str, power: str) -> Fraction | None:
    factor, root, exponent = number(head), number(_inner(base)), number(_inner(power))
    if factor is None or root is None or exponent is None or exponent.denominator != 1:
        return None
    size = max(abs(root.numerator), root.denominator).bit_length()
    if abs(exponent) * size > LARGEST or (root == 0 and exponent < 0):
        return None
    return factor * root ** int(exponent)


def _based(digits: str, base: int) -> Fraction | None:
    try:
        return Fraction(int(digits, base)) if 2 <= base <= 36 else None
    except ValueError:
        return None


def _inner(text: str) -> str:
    text = text.strip()
    for opening, closing in ("{}", "()"):
        if text.startswith(opening) and text.endswith(closing):
            return text[1:-1].strip()
    return text
