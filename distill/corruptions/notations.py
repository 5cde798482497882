"""The ways in which a text writes one number: `1,234`, `1234`, `1234.0`; `3`, `three`; `1/2`."""

import re

_FRACTION = re.compile(
    r"[-+]?(?:\\[dt]?frac\s*(?:\{(\d+)\}|(\d))\s*(?:\{(\d+)\}|(\d))|(\d+)\s*/\s*(\d+))"
)
_GROUPS = r"(?:,|\{,\}|\\,|\\!|,\\!)?"
_SPACE = r"(?:\s|\\!)*"
_NO_INDEX = (
    r"(?<![\^_]{first})(?<![\^_]\{{{first})(?<!\d{first})(?<!\d[.,]{first})(?<![a-zA-Z]{first})"
)
"""No exponent, index, name such as x1, or longer number; stands behind the first digit."""

_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_SMALL = f"zero one two three four five six seven eight nine {_TEENS}".split()
_TENS = [*map("{}ty".format, ("twen", "thir", "for", "fif", "six", "seven", "eigh", "nine"))]


def number_written(number: str, as_word: str = "") -> re.Pattern[str]:
    """Find a number such as `1,234.5`, with and without commas and zeros at its end, or its word.

    The pattern begins with the first digit and looks back from there: one that begins with a
    literal is searched for several times faster.
    """
    whole, _, decimals = number.replace(",", "").partition(".")
    first, rest = whole[0], whole[1:]
    digits = ((_GROUPS if (len(whole) - i) % 3 == 0 else "") + d for i, d in enumerate(rest, 1))
    tail = rf"\.{decimals}0*" if decimals else r"(?:\.0+)?"
    found = first + _NO_INDEX.format(first=first) + "".join(digits) + tail + r"(?![.,]?\d)"
    # "one" is more often a pronoun.
    named = rf"|\b(?i:{as_word})\b" if as_word and as_word != "one" else ""
    return re.compile(f"(?:{found}{named})")


def fraction(answer: str) -> tuple[str, str] | None:
    r"""Numerator and denominator of `\frac{1}{2}`, `\dfrac12` or `1/2`; None for anything else."""
    match = _FRACTION.fullmatch(answer.strip())
    if not match:
        return None
    numerator, denominator = filter(None, match.groups())
    return numerator, denominator


def fraction_written(numerator: str, denominator: str) -> re.Pattern[str]:
    """Find a fraction, set as one or with a slash."""
    parts = (rf"\{{?{_SPACE}{part}{_SPACE}\}}?" for part in (numerator, denominator))
    set_ = rf"\\[dt]?frac{_SPACE}" + _SPACE.join(parts) + r"(?!\d)"
    slash = rf"(?<![\d.,/]){numerator}{_SPACE}/{_SPACE}{denominator}(?![.,/]?\d)"
    return re.compile(f"(?:{set_}|{slash})")


def word(number: int) -> str:
    """A number below 100 in English: `forty-two`."""
    if number < len(_SMALL):
        return _SMALL[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_SMALL[ones]}" if ones else "")
