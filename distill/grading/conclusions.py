"""The last sentence of a solution concludes what its answer is.

`So, the sixth term is 5.` and `That makes **5 apples**.` do. A sentence counts if it is whole and
states one value as a fact. What is denied, asked, supposed or checked concludes nothing, nor does
an item of a list; a sentence without a value (`I hope this helps.`) or that checks the result may
follow.
"""

import re

from distill.grading import phrases

_TAIL = 3000
"""Characters at the end of a solution in which its last sentences are looked for."""
_BACK = 4
"""Sentences that are looked at, from the last one back."""

CUE = re.compile(
    r"\b(?:so|thus|therefore|hence|consequently|finally|conclusion|as a result|accordingly|in total"
    r"|altogether|overall|total|final|it follows|we (?:get|have|find|conclude|obtain))\b|∴",
    re.IGNORECASE,
)
UNSURE = re.compile(
    r"^(?:let|try|note|recall|suppose|assum\w+|next|first|step|now|when|using"
    r"|we (?:need|must|can))\b|\b(?:if|suppose|maybe|perhaps|unless|thought|wrong|incorrect"
    r"|initially|at first|unable|whether)\b|\?",
    re.IGNORECASE,
)
_CHECKS = re.compile(
    r"\b(?:check\w*|verif\w+|(?<!methods )(?<!approaches )confirm\w*|satisf\w+|match\w*"
    r"|consistent|as required|indeed)\b|✓",
    re.IGNORECASE,
)
_DOUBTS = re.compile(
    r"\b(?:wrong|incorrect|mistake|error|contradict\w+|however|but|not|cannot|unless|wait)\b|\?",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"(?:\b(?:cannot|not|could|might|may|never)|n['\u2019]t)\s*$",
    re.IGNORECASE,
)
_WORD = re.compile(r"(?<![\\\w{])[A-Za-z]{2,}")
_ONE_LINE = re.compile(r"(?:\\\[|\$\$)?\s*[^\n]*[^\n,]\s*(?:\\\]|\$\$)?\.?")
_STARTS = re.compile(
    rf"[-+\u2212]?\s*[(\[{{\\\x01\x02]|[A-Za-z]\w{{0,2}}\s*=|(?:{phrases.NUMBER.pattern})"
)
_RELATION = re.compile(r"[=<>]|\\(?:equiv|le|ge|leq|geq|ne|neq|approx|sim|implies|to|cong)\b")
_WHOLE = re.compile(r"[.!。]['\")\]*_\s]*$|[*_]{2}$|\x02$|✓$")
_OPEN = re.compile(r"(?<!\\)\\[(\[]|\$\$")
_ITEM = re.compile(r"^[ \t]*(?:>[ \t]*)?(?:\d{1,3}[.)]|[-*+•])[ \t]+", re.MULTILINE)
_LISTED = "\x03"


def concluded(solution: str) -> str | None:
    """What the last sentence states to be the result; None if it was cut off or states nothing."""
    tail = solution.strip()
    if len(tail) > _TAIL:
        tail = tail[-_TAIL:].partition("\n")[2]
    sentences = phrases.sentences(_ITEM.sub(_LISTED, tail))
    if not sentences or _OPEN.search(phrases.masked(tail)):
        return None
    if len(sentences) == 1 and not _WORD.search(phrases.plain(tail)) and _ONE_LINE.fullmatch(tail):
        return _bare(tail)
    if answer := _alone(sentences):
        return answer
    if not _WHOLE.search(phrases.masked(sentences[-1])) and not _labelled(sentences[-1]):
        return None
    for sentence in sentences[: -_BACK - 2 : -1]:
        if sentence.startswith(_LISTED):
            return None
        if answer := result(sentence):
            return answer
        if (phrases.values(sentence) and not _CHECKS.search(sentence)) or _DOUBTS.search(sentence):
            return None
    return None


def result(sentence: str) -> str | None:
    """The value that a sentence states as a result; None if it is unsure or has several."""
    plain = phrases.plain(sentence)
    if UNSURE.search(plain):
        return None
    if strong := phrases.bold(sentence):
        return phrases.value(strong)
    bare = sentence.strip("*_ ")
    values, cover = set(phrases.values(bare)), phrases.masked(bare)
    cue, doubtful = CUE.search(cover), _CHECKS.search(plain) or _DOUBTS.search(plain)
    if not values or (doubtful and not cue):
        return None
    if said := list(phrases.COPULA.finditer(cover)):
        predicate = bare[said[-1].end() :].strip(" .*_:\n")
        if _STARTS.match(phrases.masked(predicate)):
            return None if _DENIAL.search(cover[: said[-1].start()]) else phrases.value(predicate)
    if not cue or doubtful:
        return None
    if len(values) == 1:
        return values.pop()
    equation = re.search(r"[^\s,:;]+\s*=", cover)
    return phrases.value(bare[equation.start() :]) if equation else None


def last_number(solution: str) -> str | None:
    """The last number of a solution, whatever is said about it; None without one."""
    found = phrases.NUMBER.findall(solution)
    return found[-1].strip() if found else None


def _alone(sentences: list[str]) -> str | None:
    """A last line that is a formula of one value, or a number of the sentence before, alone."""
    last = sentences[-1].strip("*_ .\n")
    if formula := phrases.FORMULA.fullmatch(last):
        return None if _RELATION.search(last) else phrases.inner(formula)
    if len(sentences) == 1 or not phrases.NUMBER.fullmatch(last):
        return None
    return last if last in phrases.values(sentences[-2]) else None


def _labelled(sentence: str) -> str | None:
    """The value after a label such as `Total:`, which needs no full stop."""
    name, colon, rest = phrases.masked(sentence).rpartition(":")
    if not colon or not CUE.search(name) or len(phrases.values(rest)) != 1:
        return None
    return phrases.value(sentence[len(name) + 1 :])


def _bare(text: str) -> str | None:
    """The answer that is all of a text."""
    text = text.strip("*_ .\n")
    match = phrases.FORMULA.fullmatch(text)
    answer = phrases.inner(match) if match else text
    return answer if phrases.values(text) or "\\" in text else None
