"""Values in words: the formulas, numbers and sentences of a text."""

import re

FORMULA = re.compile(
    r"(?<!\\)\$\$(.+?)\$\$|(?<![\\$])\$(?![\s$])([^$\n]*?[^\s$\\])\$(?![\d$])"
    r"|\\\((.+?)\\\)|(?<!\\)\\\[(.+?)\\\]",
    re.DOTALL,
)
NUMBER = re.compile(
    r"(?<![\w.,^_{])(?:\\?\$|[€£])?\s?[-+\u2212]?(?:\\?\$|[€£])?"
    r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:(?<=\d)\.\d+|(?<!\d)\.\d+)?(?<=\d)"
    r"(?:\s?/\s?\d+)?(?:\s?\\?%)?(?![\w^])"
)
COPULA = re.compile(
    r"\b(?:is|are|was|were|equals?|be)\b(?:\s+(?:equal|approximately|about|exactly|therefore|thus"
    r"|then|only|simply|just|indeed|to|given by))*\s*:?",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"\s*(?:[,;]\s*)?(?:\b(?:because|since|which|where|when|as|so|for|given|making|meaning|after|by"
    r"|if|whereas|while|obtained|assuming)\b|[;—]|\s-{1,2}\s|,\s+(?:not|and not|rather)\b).*",
    re.IGNORECASE | re.DOTALL,
)
_PROSE = re.compile(r"(?<![\\\w])[A-Za-z][a-z]{2,}")
_NO_UNIT = (
    r"(?:hundred|thousand|million|billion|trillion|dozen|per\s?cent|pct|pi|and|or|to|by|base|mod"
    r"|cents?|half|halves|thirds?|quarters?|fourths?|fifths?|[ap]\.?m)\b"
)
"""Words after a number without which it is another number; all others may be left out."""
_AMOUNT = re.compile(rf"(?P<number>{NUMBER.pattern})\s+(?!{_NO_UNIT})[a-z][a-z' -]*")
_UNIT = re.compile(rf"\s*(?!\s*{_NO_UNIT})[A-Za-z°][A-Za-z°²³^/'. -]*")
_ASIDE = re.compile(r"(?:in|after|at|on|for|over|with|from|of|by|during)\b[^,]*,\s*", re.IGNORECASE)
_LISTED = re.compile(r"(?:\b(?:and|or)|[,;:])\s*(?:\\?\$)?(?:\d|\x01|\x02)")
_RAW = re.compile(
    r"[-+]?\d*\s*\\(?:[dtc]?frac|sqrt|pi|infty|binom)\b(?:\[[^\]]*\])?"
    r"(?:\{(?:[^{}]|\{[^{}]*\})*\})*"
)
"""A value in LaTeX that stands in no formula."""
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*|__([^_\n]+)__")
_STOP = re.compile(r"(?<=[.!?。])[\"')*_]*\s+(?=\S)|\n+")
_CLOSED = re.compile(r"[\d%\x02.!?。][*_\"' )]*$")
_LONGEST = 60
"""Characters of a phrase that can be an answer as a whole."""


def value(text: str) -> str | None:
    """The answer in a phrase: all of it if it is hardly prose, else its first formula or number.

    Units after a number are left out (`12 apples`), reasons are too (`12 because ...`), and of a
    computation (`5 + 7 = 12`) the left side.
    """
    reason = _AFTER.search(masked(text))
    if reason and values(text[: reason.start()]):
        text = text[: reason.start()]
    text = re.sub(r"^\s*[-*+•]\s+", "", text).lstrip("*_ :,").rstrip("*_ .:,(。")
    if strong := bold(text):
        return value(strong)
    formula = FORMULA.match(text)
    if formula and (formula.end() == len(text) or _UNIT.fullmatch(text, formula.end())):
        return _right(inner(formula))
    text = _right(text)
    if amount := _AMOUNT.fullmatch(text):
        return amount["number"].strip()
    if not is_prose(text):
        return text or None
    text = _ASIDE.sub("", text) if _ASIDE.match(text) else text
    for part in (COPULA.split(text)[-1], text):
        if found := values(part):
            return text if _LISTED.search(masked(part)) and len(text) < _LONGEST else found[0]
    return text if len(text) < _LONGEST else None


def values(text: str) -> list[str]:
    """Formulas and numbers in order, as they are written, formulas without their delimiters."""
    found = [(match.start(), inner(match)) for match in FORMULA.finditer(text)]
    for pattern in (FORMULA, _RAW, NUMBER):
        if pattern is not FORMULA:
            found += [(match.start(), match[0].strip()) for match in pattern.finditer(text)]
        text = pattern.sub(lambda match: " " * len(match[0]), text)
    return [one for _, one in sorted(found)]


def bold(text: str) -> str | None:
    """The last part in bold that has a value."""
    found = (a or b for a, b in reversed(_BOLD.findall(text)))
    return next((part for part in found if values(part)), None)


def sentences(text: str) -> list[str]:
    """Sentences and lines; a formula on lines of its own belongs to an open one before."""
    pieces: list[str] = []
    cover, start = masked(text), 0
    for begin, end in [*(m.span() for m in _STOP.finditer(cover)), (len(text), len(text))]:
        piece, start = text[start:begin].strip(), end
        alone = not plain(piece).strip(" .,;*_")
        is_open = pieces and not _CLOSED.search(masked(pieces[-1]))
        if piece and is_open and (alone or pieces[-1].endswith(":")):
            pieces[-1] += " " + piece
        elif piece:
            pieces.append(piece)
    return pieces


def is_prose(text: str) -> bool:
    """Whether two words or more stand outside of formulas."""
    return len(_PROSE.findall(plain(text))) >= 2


def masked(text: str) -> str:
    """The text with signs of no meaning in place of every formula, the last of them another."""
    return FORMULA.sub(lambda match: "\x01" * (len(match[0]) - 1) + "\x02", text)


def plain(text: str) -> str:
    """The text without its formulas."""
    return FORMULA.sub(" ", text)


def inner(formula: re.Match[str]) -> str:
    """What stands between the delimiters of a match of `FORMULA`."""
    return next(filter(None, formula.groups())).strip()


def _right(text: str) -> str:
    left = re.sub(r"\\text\s*\{[^{}]*\}|\\[A-Za-z]+", " ", text.partition("=")[0])
    computed = "=" in text and re.search(r"\d", left) and not re.search(r"[A-Za-z]", left)
    return text.rpartition("=")[2].strip() if computed else text
