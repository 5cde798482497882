"""What a value of a row counts as: a text, a number, an answer, a level, a truth, a list.

Nothing but text becomes text, and nothing but a list becomes a list: a list, an object, a boolean,
NaN, bytes or a date is never written out as a program would print it, and a text is never taken
letter by letter, not even one that holds JSON. Where a column may hold an answer, a number counts
by its value (42 and 42.0 are `42`), and what data sets write where there is no answer is none.
"""

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

NO_ANSWER = {
    *(
        "proof",
        "see proof",
        "see solution",
        "n/a",
        "n.a",
        "none",
        "none given",
        "null",
        "nil",
        "nan",
    ),
    *("notfound", "not found", "no answer", "no answer found", "answer not found", "unanswerable"),
    *("not available", "not given", "not provided", "unknown", "missing", "tbd"),
    *("todo", "-", "--", "---", "\u2013", "\u2014", "?", "??", "???", ""),
}
"""What data sets write in the column of an answer where there is none, in small letters and without
quotes, brackets or full stops around it. `None` is among them, since programs write it where a
value is missing; where it is the answer, `\\text{None}` is.
"""

_AROUND = " \t\n.\"'`*_$#<>()[]"

_NA = "NA"
"""The same in R and in spreadsheets; `Na` is sodium."""

_EXACT = 2**53
"""From here on a floating-point number has lost digits."""

_NUMBER = re.compile(r"(?:(?<!\S)-)?(?:\d+(?:\.\d+)?|\.\d+)")
_WHOLE = re.compile(r"[-+]?\d{1,300}")
_TRUTH = {"true": True, "false": False, "1": True, "0": False}
_KINDS = ((str, "text"), (bool, "a boolean"), (int | float | Decimal, "a number"))


class RowError(ValueError):
    """A row that holds no problem, trace or response.

    The message says what is missing; what stands before its first colon is the reason by which rows
    are counted.
    """


def kind(value: Any) -> str:
    """What a value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "infinite"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    return next((word for types, word in _KINDS if isinstance(value, types)), type(value).__name__)


def text(value: Any, name: str) -> str:
    """A text as it is; null is empty."""
    if value is None or isinstance(value, str):
        return value or ""
    raise RowError(f"{name} is {kind(value)}, not text")


def written(value: Any, name: str) -> str:
    """A text as it is, a finite number as a decimal number; null is empty."""
    if kind(value) != "a number":
        return text(value, name)
    if isinstance(value, float) and abs(value) >= _EXACT:
        raise RowError(f"{name} is a floating-point number beyond 2**53: its digits are lost")
    digits = format(Decimal(repr(value)) if isinstance(value, float) else Decimal(value), "f")
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if digits == "-0" else digits


def answer(value: Any, name: str) -> str:
    """The answer in a column, stripped of white space. Raises RowError where there is none."""
    if kind(value) == "NaN":
        raise RowError(f"no {name}: NaN")
    found = written(value, name).strip()
    if not found:
        raise RowError(f"no {name}")
    if no_answer(found):
        raise RowError(f"no {name}: {found!r} says that there is none")
    return found


def no_answer(found: str) -> bool:
    """Whether it is what data sets write where there is no answer."""
    bare = found.strip(_AROUND)
    return bare == _NA or bare.lower() in NO_ANSWER


def truth(value: Any, name: str) -> bool | None:
    """A boolean, 0 or 1, or one of them as text; None where it is null, NaN or empty."""
    if value is None or kind(value) == "NaN" or value == "":
        return None
    if isinstance(value, bool):
        return value
    found = written(value, name).strip().lower()
    if found not in _TRUTH:
        raise RowError(f"{name} is neither true nor false: {found[:40]!r}")
    return _TRUTH[found]


def level(value: Any, name: str) -> float | None:
    """A number, or the first number in a text (`Level 5` is 5.0); None where there is none."""
    if value is None or kind(value) == "NaN":
        return None
    if isinstance(value, str):
        found = _NUMBER.search(value)
        value = float(found[0]) if found else math.nan
        return value if math.isfinite(value) else None
    if kind(value) != "a number" or abs(value) >= _EXACT:
        raise RowError(f"{name} is {kind(value)}, not a level")
    return float(value)


def whole(value: Any, name: str) -> int:
    """A whole number; 3.0, and `3` as text, count as one."""
    if kind(value) in ("a number", "text"):
        found = written(value, name).strip()
        if _WHOLE.fullmatch(found):
            return int(found)
    raise RowError(f"{name} is {kind(value)}, not a whole number")


def items(value: Any, name: str) -> list[Any]:
    """A list; null is empty."""
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return list(value)
    raise RowError(f"{name} is {kind(value)}, not a list")


def texts(value: Any, name: str) -> list[str]:
    """A list of texts; a number in it is written as a decimal number."""
    found = items(value, name)
    for number, item in enumerate(found, 1):
        if kind(item) not in ("text", "a number"):
            raise RowError(f"an item of {name} is {kind(item)}, not text: {number} of {len(found)}")
    return [written(item, f"an item of {name}") for item in found]
