r"""An answer is taken apart, as text, into what it is assigned to and its parts."""

import re
from dataclasses import dataclass, field

from distill.grading.numbers import number
from distill.grading.units import TEXT, without_unit

_NESTING = r"(?P<open>\\\{|\\begin(?=\{)|[(\[{])|(?P<close>\\\}|\\end(?=\{)|[)\]}])"
_COMMA = r",|(?<!\\)\b(?:and|or)\b"
_CUP = r"\\cup(?![a-zA-Z])"
_FUNCTION = r"\\(?:sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|frac|lim|sum|prod|int)\b"
_INDEX = r"(?:_(?:\{[^{}]*\}|\w))?"
_LETTERS = rf"(?!{_FUNCTION})(?:[A-Za-z]|[A-Z]{{2,}}|[A-Za-z]{{4,}}|\\[A-Za-z]+)'*{_INDEX}'*"
_NAME = (
    r"(?:m?\\(?:angle|triangle|overline|overrightarrow|widehat))?"
    rf"(?:{_LETTERS}(?:\([^()]*\))?|\{{{_LETTERS}\}}|\|{_LETTERS}\||\[{_LETTERS}\])"
)
_STATED = (
    rf"[A-Za-z](?:\+[A-Za-z])+|\\(?:sin|cos|tan)(?:\\angle)?\(?{_LETTERS}\)?"
    rf"|\\frac\{{{_NAME}\}}\{{{_NAME}\}}"
)
"""Left sides by which an answer says what was asked: `m + n = 17`, `\\cos A = 3/5`."""
_NAMES = re.compile(rf"\(?{_NAME}(?:[,;]{_NAME})*\)?|{_NAME}:{_NAME}")
_BOUND = r"\s*(<|>|\\le(?![a-zA-Z])|\\ge(?![a-zA-Z]))\s*"
_PROSE = re.compile(r"[^\W\d_]+(?:[ ',.-]+[^\W_]+)*\.?")
_WORD = re.compile(r"(?<![\\A-Za-z])(?=[a-z]*[aeiouy])[A-Za-z][a-z]{4,}")
_MATRIX = re.compile(r"\\begin\{pmatrix\}(.*)\\end\{pmatrix\}", re.DOTALL)


@dataclass(frozen=True)
class Parts:
    """An answer of several parts."""

    brackets: str
    """`()`, `[)`, `{}` and so on; empty for a bare list, `cup` for a union, `row` and `col` for
    a vector."""

    items: list[str]
    names: list[str] = field(default_factory=list)
    """What each part is assigned to, if each is assigned to something else."""

    bounded: str = ""
    """The variable of an inequality whose solutions these are."""


def parts(text: str) -> Parts | None:
    r"""The parts of a tidy answer; None if it is a single expression.

    `a \pm b` has two parts. An inequality in one variable becomes the interval of its solutions.
    """
    if number(without_unit(text)[0]) is not None:
        return None
    if matrix := _MATRIX.fullmatch(text):
        rows = [row.split("&") for row in matrix[1].split("\\\\") if row.strip()]
        flat, single = [item.strip() for row in rows for item in row], len(rows) == 1
        return (
            Parts("row" if single else "col", flat)
            if len(flat) in map(len, (rows, rows[0]))
            else None
        )
    for separator in (_CUP, ";", _COMMA):
        items = split(text, separator)
        if len(items) == 2 and re.search(r"\band\b", text) and all(map(_interval, items)):
            return _both(*map(_interval, items))
        if len(items) > 1:
            return _named("cup" if separator == _CUP else "", [s for i in items for s in _signs(i)])
    if len(terms := split(text, ":")) > 2:
        first, values = number(terms[0]), [number(term) for term in terms]
        ratios = [str(value / first) if value is not None and first else "" for value in values]
        return Parts("()", ratios if all(ratios) else terms)
    name, value = assigned(text)
    if "," in name or ";" in name:
        several, names = parts(value), re.split("[,;]", name.strip("()"))
        fits = several and not several.names and len(several.items) == len(names)
        return Parts("", several.items, names) if several and fits else several
    if len(_signs(text)) > 1:
        return _named("", _signs(text))
    if interval := _interval(text):
        return interval
    if value != text:
        return parts(value)
    inside, brackets = _enclosed(text)
    if not brackets:
        return None
    for separator in (";", _COMMA):
        items = [sign for item in split(inside, separator) for sign in _signs(item)]
        if len(items) > 1:
            return _named(brackets, items)
    return None if brackets[0] == "[" else parts(inside)


def _named(brackets: str, items: list[str]) -> Parts:
    """The parts with their names apart; a name of all, or of the first alone, is dropped."""
    names, values = zip(*map(assigned, items), strict=True)
    if "" not in names and "=" not in names and len(set(names)) == len(names):
        return Parts(brackets, list(values), list(names))
    if names[0] not in ("", "=") and set(names[1:]) <= {"", names[0]}:
        return Parts(brackets, list(values))
    return Parts(brackets, items)


def assigned(text: str, stated: bool = False) -> tuple[str, str]:
    r"""The name that is assigned a value, and the value: `x = 5` and `5 = x` are (`x`, `5`).

    The value of `x = a = b` is `b`, that of `a \approx b` is `a`; `x \in A` is an assignment too.
    Without an equation the name is empty; with one that assigns nothing (`x + y = 0`) it is `=`.

    Args:
        text: A tidy answer.
        stated: Whether it may name what was asked by an expression, as in `m + n = 17`.
    """
    head, *rest = split(text, r"\\approx(?![a-zA-Z])")
    if rest and _name(head):
        text = f"{head} = {rest[-1]}"
    elif rest:
        text = head
    if any(len(split(text, separator)) > 1 for separator in (";", _COMMA)):
        return "", text
    for sign in ("=", r"\\in(?![a-zA-Z])"):
        sides = split(text, sign)
        if len(sides) > 1:
            for side, value in ((sides[0], sides[-1]), (sides[-1], sides[0])):
                if name := _name(side, stated):
                    return name, value
            values = {number(side) for side in sides} - {None}
            numbers = not re.search(r"(?<![\\a-zA-Z])[a-zA-Z]", text) and len(values) < 2
            return ("", sides[-1]) if len(sides) > 2 or numbers else ("=", text)
    return "", text.lstrip("= ")


def _name(text: str, stated: bool = False) -> str:
    text = re.sub(r"\s", "", TEXT.sub(r"\1", text))
    is_name = _NAMES.fullmatch(text) or (stated and re.fullmatch(_STATED, text))
    return text if is_name and text not in ("e", "i", r"\pi", r"\infty", r"\emptyset") else ""


def words(*texts: str) -> list[str] | None:
    r"""The words of answers in prose, in lower case without an article; None if they are none.

    Of prose all are letters, and one answer is in `\text{}` or has a word of five letters with a
    vowel; else they are products of variables.
    """
    plain = [" ".join(TEXT.sub(r" \1 ", text).split()) for text in texts]
    if not all(_PROSE.fullmatch(text) and len(text) > 1 for text in plain):
        return None
    if not any(TEXT.search(text) or _WORD.search(text) for text in texts):
        return None
    plain = [re.sub(r"^(?:an?|the) (?=\w{3})(?!and\b)|\.", "", text.casefold()) for text in plain]
    return [",".join(sorted(re.split(r"(?:,| and| or)+ ", text))) for text in plain]


def squeezed(text: str) -> str:
    """The text for literal comparison: without fonts, and blanks only between digits."""
    text = re.sub(r"(?<=[\d.]) (?=[\d.])", "_ ", TEXT.sub(r"\1", text))
    text = re.sub(r"\s", "", text)
    while text[:1] + text[-1:] in ("()", "{}") and _encloses(text) and not re.search(r"[,;]", text):
        text = text[1:-1]
    return text


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
    r"""The solutions of `x < 3`, `1 \le x < 3` or `x \ne 3`; None if the text says none."""
    pieces = [piece.strip() for piece in re.split(_BOUND, text)]
    if len(pieces) == 3 and _name(pieces[2]) and not _name(pieces[0]):
        pieces = [pieces[2], _FLIPPED[pieces[1]], pieces[0]]
    if len(pieces) == 3 and _name(pieces[0]):
        name, sign, bound = pieces
        pieces = [bound, _FLIPPED[sign], name, "<", r"\infty"]
        if sign in ("<", r"\le"):
            pieces = [r"-\infty", "<", name, sign, bound]
    sides = split(text, r"\\ne(?![a-zA-Z])")
    if len(sides) == 2 and _name(sides[0]):
        return Parts("cup", [rf"(-\infty, {sides[1]})", rf"({sides[1]}, \infty)"], [], sides[0])
    if len(pieces) != 5 or not _name(pieces[2]) or "|" in pieces[2]:
        return None
    if {pieces[1], pieces[3]} <= {">", r"\ge"}:
        pieces = [_FLIPPED.get(piece, piece) for piece in reversed(pieces)]
    low, left, name, right, high = pieces
    if not {left, right} <= {"<", r"\le"}:
        return None
    brackets = ("[" if left == r"\le" else "(") + ("]" if right == r"\le" else ")")
    return Parts(brackets, [low, high], [], name)


def _both(*sides: Parts | None) -> Parts:
    """What solves two bounds of one variable, one from below and one from above."""
    low, high = sorted((side for side in sides if side), key=lambda side: side.items[0] == _LOWEST)
    if low.items[1] != r"\infty" or high.items[0] != _LOWEST or low.bounded != high.bounded:
        return Parts("cap", [*low.items, *high.items])
    return Parts(low.brackets[0] + high.brackets[1], [low.items[0], high.items[1]], [], low.bounded)


_LOWEST = r"-\infty"
_FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
