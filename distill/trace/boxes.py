r"""Boxed answers (`\boxed{...}` and the like) are read from a text here, and nowhere else."""

import re
from typing import NamedTuple

_BOX = re.compile(r"\\(?:begin)?f?box(?:ed)?\s*\{")
_BARE_BOX = re.compile(r"\\boxed\s+([^\s${}]+)")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


class Box(NamedTuple):
    """A closed box in a text."""

    start: int
    """Where its backslash stands."""

    end: int
    content: str
    """What it holds, without white space around it."""


def boxes(text: str) -> list[Box]:
    r"""Every closed box, in order; of nested ones the outermost.

    Boxes are `\boxed{31}`, `\fbox{31}`, `\box{31}`; where a text has none of these, `\boxed 31`.
    """
    if "box" not in text:
        return []
    starts = {match.end() - 1: match.start() for match in _BOX.finditer(text)}
    opened: list[int] = []
    found: list[Box] = []
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened and (place := opened.pop()) in starts:
            while found and found[-1].start > starts[place]:
                found.pop()
            content = text[place + 1 : brace.start()].strip()
            found.append(Box(starts[place], brace.end(), content))
    if not found:
        found = [Box(m.start(), m.end(), m[1].rstrip(".,")) for m in _BARE_BOX.finditer(text)]
    return found
