r"""An answer is taken apart, as text, into what it is assigned to, its parts, and its unit."""

import re
from dataclasses import dataclass

from distill.grading.numbers import number

_NESTING = r"(?P<open>\\\{|\\begin(?=\{)|[(\[{])|(?P<close>\\\}|\\end(?=\{)|[)\]}])"
_WORDS = re.compile(r"\\(?:text(?:bf|it|rm|normal)?|mbox|mathrm|rm)\s*\{([^{}]*)\}")
_COMMA = r",|(?<!\\)\b(?:and|or)\b"
_FUNCTION = r"(?!\\(?:sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|frac|lim|sum|prod|int)\b)"
_NAME = (
    rf"{_FUNCTION}(?:[A-Za-z]|[A-Z]{{2,}}|[A-Za-z]{{4,}}|\\[A-Za-z]+)"
    r"'*(?:_(?:\{[^{}]*\}|\w))?(?:\([^()]*\))?"
)
_LABEL = re.compile(rf"\(?{_NAME}(?:[,;:]{_NAME})*\)?")
_UNIT_WORDS = re.compile(
    r"(?P<value>.*?(?:[\d)}]|\\circ))\s*(?P<unit>(?:\\(?:text(?:bf|it|rm|normal)?|mbox|mathrm|rm)\s*"
    r"\{[^{}]*\}\s*(?:\^\s*(?:\{-?\d\}|-?\d))?[\s/]*)+)",
    re.DOTALL,
)
_UNIT_BARE = re.compile(r"(?P<value>[-+]?[\d.,/ ]*\d)\s*(?P<unit>[A-Za-z]{2,}[A-Za-z ]*(?:\^\d)?)")
_PERCENT = re.compile(r"(?P<value>.*\S)\s*(?:%|\bpct|\bpercent(?:age points?)?)", re.DOTALL)
_BOUND = r"\s*(<|>|\\le(?![a-zA-Z])|\\ge(?![a-zA-Z]))\s*"


@dataclass(frozen=True)
class Parts:
    """An answer of several parts."""

    brackets: str
    """`()`, `[)`, `{}` and so on; empty for a bare list, `cup` for a union."""

    items: list[str]


def parts(text: str) -> Parts | None:
    r"""The parts of a tidy answer; None if it is a single expression.

    `a \pm b` has two parts. An inequality in one variable becomes the interval of its solutions.
    """
    if number(without_unit(text)[0]) is not None:
        return None
    for separator in (r"\\cup(?![a-zA-Z])", ";", _COMMA):
        items = split(text, separator)
        if len(items) > 1:
            brackets = "cup" if "cup" in separator else ""
            return Parts(brackets, [sign for item in items for sign in _signs(item)])
    if len(_signs(text)) > 1:
        return Parts("", _signs(text))
    if interval := _interval(text):
        return interval
    inside, brackets = _enclosed(text)
    if not brackets:
        return None
    for separator in (";", _COMMA):
        items = [sign for item in split(inside, separator) for sign in _signs(item)]
        if len(items) > 1:
            return Parts(brackets, items)
    return None if brackets[0] == "[" else parts(inside)


def assigned(text: str) -> tuple[str, str]:
    r"""The name that is assigned a value (or empty), and the value: `x = 5` is (`x`, `5`).

    The value of `x = a = b` is `b`, that of `a \approx b` is `a`; `x \in A` is an assignment too.
    """
    text = split(text, r"\\approx(?![a-zA-Z])")[0]
    if any(len(split(text, separator)) > 1 for separator in (";", _COMMA)):
        return "", text
    for sign in ("=", r"\\in(?![a-zA-Z])"):
        sides = split(text, sign)
        if len(sides) > 1:
            label = re.sub(r"\s", "", _WORDS.sub(r"\1", sides[0]))
            if _LABEL.fullmatch(label):
                return label, sides[-1]
            return ("", sides[-1]) if len(sides) > 2 else ("", text)
    return "", text


def without_unit(text: str) -> tuple[str, str]:
    r"""Value and unit: (`28`, `%`), (`15`, `cm^2`), (`3`, empty). A degree sign is dropped."""
    words = _WORDS.sub(lambda m: m[1] if "perc" in m[1] or "pct" in m[1] else m[0], text)
    if match := _PERCENT.fullmatch(words):
        return match["value"], "%"
    match, value, unit = _UNIT_WORDS.fullmatch(text) or _UNIT_BARE.fullmatch(text), text, ""
    if match:
        value, unit = match["value"], _WORDS.sub(r"\1", match["unit"])
    value = re.sub(r"\s*\^\s*\\circ$", "", value.strip())
    return value, re.sub(r"[\s.,(){}]", "", unit).lower().removesuffix("s")


def squeezed(text: str) -> str:
    """The text for literal comparison: without spaces and fonts, a word in lower case."""
    text = re.sub(r"\s", "", _WORDS.sub(r"\1", text))
    while text.startswith("(") and text.endswith(")") and _encloses(text):
        if re.search(r"[,;]", text):
            break
        text = text[1:-1]
    return text.casefold() if text.isalpha() and len(text) > 1 else text


def split(text: str, separator: str) -> list[str]:
    """The pieces of a text between separators outside all brackets; empty pieces are dropped."""
    pieces, level, start = [], 0, 0
    for match in re.finditer(rf"{_NESTING}|(?P<cut>{separator})", text):
        if match["cut"] is None:
            level += 1 if match["open"] else -1
        elif level == 0:
            pieces.append(text[start : match.start()])
            start = match.end()
    return [piece for piece in map(str.strip, [*pieces, text[start:]]) if piece] or [""]


def depth(text: str) -> int:
    """The deepest nesting of brackets and braces in a text."""
    level = deepest = 0
    for match in re.finditer(_NESTING, text):
        level += 1 if match["open"] else -1
        deepest = max(deepest, level)
    return deepest


def _enclosed(text: str) -> tuple[str, str]:
    """What is inside the brackets around the whole text, and the brackets; without any, empty."""
    opening, end = re.match(r"\\\{|[(\[{]", text), re.search(r"(?:\\\}|[)\]}])$", text)
    if not opening or not end or not _encloses(text):
        return text, ""
    inside = text[opening.end() : end.start()].strip()
    return inside, (opening[0] + end[0]).replace("\\", "")


def _encloses(text: str) -> bool:
    level = 0
    for match in re.finditer(_NESTING, text):
        level += 1 if match["open"] else -1
        if level == 0:
            return match.end() == len(text)
    return False


def _signs(text: str) -> list[str]:
    if text.count(r"\pm") != 1:
        return [text]
    return [text.replace(r"\pm", a).replace(r"\mp", b).strip() for a, b in ("+-", "-+")]


def _interval(text: str) -> Parts | None:
    r"""The solutions of `x < 3` or `1 \le x < 3`; None if the text says neither."""
    pieces = [piece.strip() for piece in re.split(_BOUND, text)]
    if len(pieces) == 3 and re.fullmatch(_NAME, pieces[2]):
        pieces = [pieces[2], _FLIPPED[pieces[1]], pieces[0]]
    if len(pieces) == 3 and re.fullmatch(_NAME, pieces[0]):
        name, sign, bound = pieces
        pieces = [bound, _FLIPPED[sign], name, "<", r"\infty"]
        if sign in ("<", r"\le"):
            pieces = [r"-\infty", "<", name, sign, bound]
    if len(pieces) != 5 or not re.fullmatch(_NAME, pieces[2]):
        return None
    if {pieces[1], pieces[3]} <= {">", r"\ge"}:
        pieces = [_FLIPPED.get(piece, piece) for piece in reversed(pieces)]
    low, left, _, right, high = pieces
    if not {left, right} <= {"<", r"\le"}:
        return None
    return Parts(("[" if left == r"\le" else "(") + ("]" if right == r"\le" else ")"), [low, high])


_FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
