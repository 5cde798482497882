r"""The answer is read from a solution and written in one plain notation.

Only what follows the thought is read, by one reader after the other:

1. a mark that prompts ask for: the last `\boxed{}` with the boxes joined to it (`\boxed{1} and
   \boxed{2}`) and a percent sign after it; else what `<answer>` encloses; else what follows `####`;
2. else, unless `grading.fallback` is `none`, what the solution states in words to be its answer,
   see `distill.grading.statements`;
3. else, if it is `last_number`, the last number.

A formula that is neither marked nor stated is not an answer.
"""

import re
from itertools import pairwise
from typing import NamedTuple

from distill.grading import conclusions, statements
from distill.grading.notation import tidy
from distill.trace.boxes import Box, boxes

_SEPARATED = re.compile(r"\band\b|\bor\b|[,;&]")
_JOINT = re.compile(
    r"[\s$,;&]*(?:(?:and|or)\b|[,;&])[\s$,;&]*(?:(?:and|or)\b[\s$]*)?(?:[\w'^{}()]{1,12}\s*=[\s$]*)?"
    r"|[^.\n\\]{0,30}?\b(?:and|or)\b[^.\n\\]{0,30}"
)
_SPACING = re.compile(r"\\(?:quad|qquad|text|mathrm|mbox|[ ,;:!()\[\]])(?![a-zA-Z])|[{}]")
_PERCENT = re.compile(r"(?:[\s$}*_]|\\[)\],;! ])*(?:\\?%|\\text\{\s*percent\s*\}|per\s?cent\b)")
_NO_BOX = re.compile(r"\$?\\boxed\s*\{\s*\}\$?")
_EMPTY = re.compile(r"(?:\\[lc]?dots|\\[,;:! ]|[\s.…?_])*")
_HASH = re.compile(r"^[ \t>*]*####(?!#)[ \t]*([^\n]*)", re.MULTILINE)
_VALUE = re.compile(
    r"[-+\u2212]?(?:\\?\$)?\s?[\d.,/]*\d(?:\s?\\?%)?|\(?[A-J]\)?|\\d?frac\{\d+\}\{\d+\}"
)
"""What `####` can mark; in other texts it begins a heading of Markdown."""
_ANOTHER = re.compile(r"\n[ \t]*(?:question|q|problem)[ \t]*(?:\d{1,3}[ \t]*)?:", re.IGNORECASE)
_APART = 80
"""Two boxes with more characters than this between them are not one answer."""


class Read(NamedTuple):
    """An answer as it was read in a solution."""

    parts: list[str]
    """As they are written there, each once: several of joined boxes, else one; none if none."""

    marked: bool
    """Whether a mark that prompts ask for says that it is the answer."""

    hundredths: bool = False
    r"""Whether a percent sign follows its one box. `\boxed{28\%}` may answer "what per cent", whose
    gold answer is 28; in `\boxed{28}\%` the box holds the number and the sign says of what."""

    @property
    def answer(self) -> str | None:
        """The parts as a list in one text; None without any."""
        return ", ".join(self.parts) if self.parts else None

    @property
    def value(self) -> str | None:
        """The share that a percentage is, where the sign follows the box."""
        share = self.parts[0].removesuffix(r"\%") if self.hundredths else ""
        return rf"\frac{{{share}}}{{100}}" if share else None


def read(solution: str, fallback: str = "statement") -> Read:
    """The answer of a solution; `fallback` is as `GradingConfig.fallback`."""
    if found := marked(solution):
        *_, last = [None, *boxes(solution)]
        alone = last is not None and len(found) == 1 and found[0] != last.content
        return Read(found, True, alone and found[0] == rf"{last.content}\%")
    answer = None
    if fallback != "none":
        answer = statements.stated(_NO_BOX.sub(" ", _own(solution)))
    if fallback == "last_number" and answer is None:
        answer = conclusions.last_number(solution)
    return Read([] if answer is None else [answer], False)


def extract(text: str) -> str | None:
    """The answer of a worked solution that data give as right: marked or announced, else None."""
    found = parts(text)
    return ", ".join(found) if found else None


def parts(text: str) -> list[str]:
    """The parts of that answer."""
    announced = None if (found := marked(text)) else statements.announced(text)
    return found or ([announced] if announced else [])


def marked(solution: str) -> list[str]:
    """The parts of the answer that a box, a tag or `####` marks; none without a mark."""
    if boxed := [box for box in boxes(solution) if not _EMPTY.fullmatch(box.content)]:
        return _joined(solution, boxed)
    closed = solution.rfind("</answer>")
    opened = solution.rfind("<answer>", 0, max(closed, 0))
    if opened >= 0 and (tagged := solution[opened + len("<answer>") : closed].strip()):
        return [tagged]
    hashed = [text.strip(" *$") for text in _HASH.findall(_own(solution))]
    return [text for text in hashed if _VALUE.fullmatch(text)][-1:]


def letter(answer: str) -> str | None:
    """The letter of the option that an answer names (`B`, `(B)`, `B. Paris`), or None."""
    plain = re.sub(
        r"\\(?:text\w*|mathrm|mathbf|mbox|rm)\s*\{([^{}]*)\}", r"\1", tidy(answer.replace("**", ""))
    )
    match = _LETTER.fullmatch(plain.strip("*_ "))
    return match["letter"].upper() if match else None


_LETTER = re.compile(
    r"(?:option |choice |answer:? )?[(\[]?\**(?P<letter>[A-Z])\**(?:[)\].:]\**(?:\s.*)?)?",
    re.DOTALL | re.IGNORECASE,
)


def _own(solution: str) -> str:
    """The solution without a further question that a model made up and answered after its own."""
    end = _ANOTHER.search(solution)
    before = solution[: end.start()] if end else solution
    return before if _HASH.search(before) or statements.announced(before) else solution


def _joined(text: str, boxes: list[Box]) -> list[str]:
    """The last box, and those before it that only `and`, `or` or a comma separates from it."""
    answers = [_with_percent(text, boxes[-1])]
    for later, box in pairwise(reversed(boxes)):
        if later.start - box.end > _APART:
            break
        between = _SPACING.sub(" ", text[box.end : later.start])
        if "\n\n" in between or not _SEPARATED.search(between) or not _JOINT.fullmatch(between):
            break
        answers.append(_with_percent(text, box))
    return list(dict.fromkeys(reversed(answers)))


def _with_percent(text: str, box: Box) -> str:
    """What a box holds, with the percent sign that follows it."""
    follows = _PERCENT.match(text, box.end, box.end + 40)
    return rf"{box.content}\%" if follows and "%" not in box.content else box.content
