r"""The answer is found in a solution and written in one plain notation.

Only what follows the thought is read. The answer is the last `\boxed{}`, together with boxes joined
to it (`\boxed{1} and \boxed{2}`); else what `<answer>` encloses; else what follows the last "final
answer is" or "answer:". A formula that none of these announces is not an answer.
"""

import re

from distill.grading.notation import tidy
from distill.trace.boxes import Box, boxes

_JOINT = re.compile(r"[\s$,;]*(?:[^.\n\\]{0,30}?(?:\band\b|\bor\b)[^.\n\\]{0,30}|[$,;\s]*)")
_SPACING = re.compile(r"\\(?:quad|qquad|text|mathrm|mbox|[ ,;:!])(?![a-zA-Z])|[{}]")
_TAGGED = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_ANNOUNCED = re.compile(
    r"(?:final answer(?:\s+is)?|(?:correct |right )?answer(?:\s+is|\s*:))\s*[:*_\s]*"
    r"(?=(?P<answer>[^\n]{0,500}))",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^[ \t]*```[ \t]*([\w+-]*)[^\n]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
_FORMULA = re.compile(
    r"(?<!\\)\$\$(.+?)\$\$|(?<!\\)\$([^$]+)\$|\\\((.+?)\\\)|(?<!\\)\\\[(.+?)\\\]", re.DOTALL
)


def extract(solution: str) -> str | None:
    """The answer of a solution, as it is written there; None if none is boxed or announced."""
    found = parts(solution)
    return ", ".join(found) if found else None


def parts(solution: str) -> list[str]:
    r"""The parts of that answer, each once: several of joined boxes, else one; none if none."""
    if boxed := boxes(solution):
        return _joined(solution, boxed)
    if tagged := _TAGGED.findall(solution):
        return [tagged[-1].strip()]
    announced = [m["answer"].strip() for m in _ANNOUNCED.finditer(solution)]
    announced = [text for text in announced if text.strip("*_ .:")]
    return [_sentence(announced[-1])] if announced else []


def letter(answer: str) -> str | None:
    """The letter of the option that an answer names (`B`, `(B)`, `B. Paris`), or None."""
    plain = re.sub(
        r"\\(?:text\w*|mathrm|mbox|rm)\s*\{([^{}]*)\}", r"\1", tidy(answer.replace("**", ""))
    )
    match = _LETTER.fullmatch(plain.strip("*_ "))
    return match["letter"].upper() if match else None


_LETTER = re.compile(
    r"(?:option |choice |answer:? )?[(\[]?\**(?P<letter>[A-Z])\**(?:[)\].:]\**(?:\s.*)?)?",
    re.DOTALL | re.IGNORECASE,
)


def code(solution: str) -> str | None:
    """The last fenced block of a solution that is Python or names no language; None without one."""
    blocks = [text for name, text in _FENCE.findall(solution) if name.lower() in _PYTHON]
    return blocks[-1] if blocks else None


_PYTHON = {"", "python", "python3", "py"}


_APART = 80
"""Two boxes with more characters than this between them are not one answer."""


def _joined(text: str, boxes: list[Box]) -> list[str]:
    """The last box, and those before it that only `and`, `or` or a comma separates from it."""
    answers = [boxes[-1].content]
    for (_, end, content), (start, _, _) in zip(boxes[-2::-1], boxes[:0:-1], strict=True):
        if start - end > _APART:
            break
        between = _SPACING.sub(" ", text[end:start])
        if "\n\n" in between or not re.search(r"\band\b|\bor\b|[,;]", between):
            break
        if not _JOINT.fullmatch(between):
            break
        answers.insert(0, content)
    return list(dict.fromkeys(answers))


def _sentence(announced: str) -> str:
    """The answer in an announcement: the first formula or number after its verb, else all of it."""
    text = re.split(r"\.(?=\s|$)", announced.strip("*_ "), maxsplit=1)[0].strip("*_ ")
    if len(_PROSE.findall(_FORMULA.sub(" ", text))) < 2 and not _FORMULA.match(text):
        return text
    *_, predicate = re.split(r"\b(?:is|are|equals)\b", text)
    for where, which in ((predicate, 0), (text, -1)):
        found = [next(filter(None, g)) for g in _FORMULA.findall(where)] or _NUMBER.findall(where)
        if found:
            return found[which].strip()
    return text


_PROSE = re.compile(r"(?<![\\\w])[A-Za-z][a-z]{2,}")
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:\s?/\s?\d+|\s?\\?%)?")
