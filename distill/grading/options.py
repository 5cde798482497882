"""The option that a solution of a choice problem names in words."""

import re

from distill.grading import conclusions, statements

_OPTION = re.compile(
    r"(?:[\s*_:\uff1a$]|\\\(|\\?text|\\boxed|\{|option\b|choice\b|letter\b)*"
    r"(?:\(\s*\**(?P<a>[A-Ja-j])\**\s*\)|(?P<b>[A-J]))"
    r"(?=[)\].:,;*_}$。]|\s*$|\s*\n|\s+(?:because|since|as|which|is|[-(\u2013—])|\s+[A-Z\d$\\])"
)
_CHOSEN = re.compile(
    r"(?:\b(?:correct|right|best|true)\s+(?:option|choice|alternative|statement|one)"
    r"(?:\s+(?:is|would be)|\s*:)|\b(?:choose|pick|select|go with)\b)(?P<after>[^\n]{0,40})"
    r"|\b(?:[Oo]ption|[Cc]hoice|[Aa]lternative|[Ss]tatement)\s*"
    r"(?:\(\s*(?P<d>[a-jA-J])\s*\)|[*(\[]*(?P<c>[A-J])\b)[^.\n]{0,40}?"
    r"\b(?:is|as)\s+(?:therefore\s+|thus\s+)?(?:the\s+)?(?:correct|right|best|answer)\b"
)


def option(solution: str) -> str | None:
    """The letter of the option that a solution states last to be the answer; None without one."""
    for start, text in statements.announcements(solution):
        text = text[statements.HEDGE.match(text).end() :]  # type: ignore[union-attr]
        line = text.partition("\n\n")[0]
        while instead := statements.INSTEAD.search(line):
            line = text = line[instead.end() :]
        if (match := _OPTION.match(text)) and "?" not in text[match.end() : match.end() + 2]:
            return [(match["a"] or match["b"]).upper(), *_chosen(solution[start:])][-1]
    if found := _chosen(solution):
        return found[-1]
    last = (solution.strip().splitlines() or [""])[-1]
    named = {letter.upper() for letter in re.findall(r"\(([A-Ja-j])\)", last)}
    if len(named) == 1 and conclusions.CUE.search(last) and not conclusions.UNSURE.search(last):
        return named.pop()
    match = re.fullmatch(r"[*_\s]*\(?[*_]*(?P<letter>[A-J])[*_]*(?:\)|[.:])?[*_]*(?:\s.*)?", last)
    if match and (len(last.strip("*_ ")) <= 4 or re.match(r"\W*[A-J]\W*[).:]", last)):
        return match["letter"]
    return None


def _chosen(text: str) -> list[str]:
    """Letters of options that are called correct or chosen, in order."""
    found = []
    for match in _CHOSEN.finditer(text):
        if letter := match["c"] or match["d"]:
            found.append(letter.upper())
        elif named := _OPTION.match(match["after"] + " "):
            found.append((named["a"] or named["b"]).upper())
    return found
