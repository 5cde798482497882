r"""The program is found in a solution: which of its fenced blocks a reader would run.

Blocks are fenced as in CommonMark: three or more backticks or tildes, closed by as many or by the
end of the text, in lists and quotations too; a fence inside a docstring closes nothing. Only Python
counts: the last block named so, else the last that names no language. Passed over, as long as
others remain, are blocks that do not define what the tests call, and those that a line such as
`Output:` or `Example usage:` introduces. A solution without any fence is a program if it has the
lines of one.
"""

import json
import re
import textwrap
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import NamedTuple

_OPEN = re.compile(
    r"(?P<lead>[ \t]*(?:>[ \t]?)*(?:(?:[-*+]|\d{1,3}[.)])[ \t]+)*)"
    r"(?:(?P<fence>`{3,})(?P<info>[^`]*)|(?P<tilde>~{3,})(?P<told>.*))"
)
_PYTHON = re.compile(r"i?py(?:thon)?[\d.]*", re.IGNORECASE)
_SHOWN = re.compile(
    r"\W*(?:\w+\W+){0,3}?(?:outputs?|inputs?|run(?:ning)?|results?|usage|examples?|tests?|prints?"
    r"|console|terminal|stdout|stdin|shell|called|follows)\b(?:\W+\w+){0,4}?\W*",
    re.IGNORECASE,
)
_CALL = re.compile(r"\b([A-Za-z_]\w*)\(")
_SESSION = re.compile(r"\s*(?:>>>|\$ |In \[\d*\]:)")
_TEXT = re.compile(r'"""|\'\'\'|#.*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|\\.', re.DOTALL)
_TRIPLE = ('"""', "'''")
_LINE = re.compile(
    r"(?:from [\w.]+ import|import [\w.]+|def \w+|class \w+|async def|@\w|#|return\b|pass\b|print\("
    r"|(?:if|elif|else|for|while|with|try|except|finally)\b.*:\s*(?:#.*)?$"
    r"|[A-Za-z_][\w.]*(?:\[.*\])?(?:\s*,\s*[A-Za-z_]\w*)*\s*(?:[-+*/%|&]|//|\*\*)?=(?!=)"
    r"|[A-Za-z_][\w.]*\(.*\)\s*(?:#.*)?$|[)\]}]|\"\"\"|''')"
)
_BEGINS = re.compile(r"(?:from [\w.]+ import|import [\w.]+|def \w+|class \w+|print\()")


class _Block(NamedTuple):
    language: str
    before: str
    """The last line above it that is not blank."""
    code: str

    @property
    def shown(self) -> bool:
        """Whether it is what a program prints or how it is run, rather than a program."""
        if _SESSION.match(self.code):
            return True
        return bool(_SHOWN.fullmatch(self.before[-120:])) and not _PROGRAM.search(self.before)


_PROGRAM = re.compile(r"\b(?:program|code|solution|function|implementation)\b", re.IGNORECASE)


class Program(NamedTuple):
    """A program as it was found in a solution."""

    code: str
    fenced: bool


@lru_cache(maxsize=1024)
def called(tests: tuple[str, ...]) -> frozenset[str]:
    """Names of functions and classes that the tests of a problem may call, by the first test."""
    test = json.loads(tests[0]) if tests else {}
    if not isinstance(test, dict):
        return frozenset()
    names = [test["function"]] if "function" in test else test.get("entry")
    return frozenset(names or _CALL.findall(str(test.get("code", ""))))


def program(solution: str, names: Collection[str] = ()) -> Program | None:
    """The Python program of a solution; None without one.

    Args:
        solution: what follows the thought.
        names: functions or classes that the tests may call; of several blocks the last that defines
            one of them is the program, if there is such a block.
    """
    blocks = list(_blocks(re.split(r"\r\n|\n|\r", solution.rstrip())))
    if not blocks:
        code = _unfenced(solution)
        return Program(code, fenced=False) if code else None
    named = [block for block in blocks if _PYTHON.fullmatch(block.language)]
    found = named or [block for block in blocks if not block.language]
    defining = [block for block in found if any(_defines(block.code, name) for name in names)]
    for kept in (defining, [block for block in found if not block.shown], found):
        if kept:
            return Program(kept[-1].code, fenced=True)
    return None


def _defines(code: str, name: str) -> bool:
    made = rf"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+{re.escape(name)}\b|^{re.escape(name)}\s*="
    return bool(re.search(made, code, re.MULTILINE))


def _blocks(lines: list[str]) -> Iterator[_Block]:
    """The fenced blocks in order."""
    place, before = 0, ""
    while place < len(lines):
        opened = _OPEN.fullmatch(lines[place])
        if not opened:
            before = lines[place] if lines[place].strip() else before
            place += 1
            continue
        language = _language(opened["info"] or opened["told"] or "")
        end = _end(lines, place + 1, opened, _PYTHON.fullmatch(language) is not None)
        yield _Block(language, before, _dedented(lines[place + 1 : end], opened["lead"]))
        place, before = end + 1, ""


def _language(info: str) -> str:
    first = re.split(r"[\s:,;={}]", info.strip().lstrip("{.").strip(), maxsplit=1)[0]
    return first.strip("}.")


def _end(lines: list[str], start: int, opened: re.Match[str], python: bool) -> int:
    """The line that closes a block; of Python, the first outside of docstrings, if there is one."""
    fence = opened["fence"] or opened["tilde"]
    closing = re.compile(rf"[ \t>]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*")
    deepest = len(opened["lead"].expandtabs()) + 3
    first, quote = len(lines), ""
    for place in range(start, len(lines)):
        line = lines[place]
        indent = len(line.expandtabs()) - len(line.expandtabs().lstrip())
        if closing.fullmatch(line) and indent <= deepest:
            first = min(first, place)
            if not quote:
                return place
        elif python:
            quote = _open_quote(line, quote)
    return first


def _open_quote(line: str, quote: str) -> str:
    """The marks of the docstring that is still open after a line, or nothing."""
    place = 0
    while True:
        if quote:
            place = line.find(quote, place)
            if place < 0:
                return quote
            place, quote = place + len(quote), ""
        match = _TEXT.search(line, place)
        if not match:
            return ""
        place = match.end()
        quote = match[0] if match[0] in _TRIPLE else ""


def _dedented(lines: list[str], lead: str) -> str:
    """The lines without the indentation of their block."""
    if ">" in lead:
        lines = [re.sub(r"^[ \t]*(?:>[ \t]?)+", "", line) for line in lines]
    width = len(lead.expandtabs())
    lines = [line.expandtabs() if line[:width].count("\t") else line for line in lines]
    own = [line[min(width, len(line) - len(line.lstrip())) :] for line in lines]
    return textwrap.dedent("".join(f"{line}\n" for line in own))


def _unfenced(solution: str) -> str | None:
    """The lines from the first that begins a program to the last that reads as one."""
    lines = re.split(r"\r\n|\n|\r", textwrap.dedent(solution))
    start = next((k for k, line in enumerate(lines) if _BEGINS.match(line)), None)
    if start is None:
        return None
    end, quote = start, ""
    for place in range(start, len(lines)):
        line = lines[place]
        if line.strip() and not quote and not line[0].isspace() and not _LINE.match(line):
            break
        quote = _open_quote(line, quote)
        end = place
    code = "\n".join(lines[start : end + 1]).rstrip() + "\n"
    return code if re.search(r"\(|=", code) else None
