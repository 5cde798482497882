"""The words in which a solution states its answer: announced, or concluded by its last sentence.

`Answer: 5`, `the answer should be 5`, `A: 5` and the like announce, also in some other languages;
what concludes is in `distill.grading.conclusions`. What is denied, asked, supposed or only bounded
(`at least 5`) states nothing, and of several statements the last counts.
"""

import re
from collections.abc import Iterator

from distill.grading import phrases
from distill.grading.conclusions import CUE, UNSURE, concluded, result

_LATEST = 40
"""Announcements that are looked at, from the last one back."""
_LINK = (
    r"(?:\s+(?:to|for|of|in|as|on|here|then|thus|therefore|hence|rounded|expressed|we)\b"
    r"[^.\n:=?]{0,80}?)?"
    r"[*_\s]*(?:[:\uff1a=]|\b(?:is|are|(?:should|must|will|has to|have to|would) be|equals?|becomes"
    r"|comes? (?:out )?to(?: be)?|turns? out to be)\b)"
)
_FOREIGN = r"r[ée]ponse|respuesta|resposta|risposta|antwort|l[öo]sung|ответ|答え|답"
_ANNOUNCED = re.compile(
    rf"(?:\b(?:answers?|final result)\b{_LINK}"
    r"|\bfinal answer\b(?=[*_#\s:]*\n|\s+[-\d$\\(*])"
    r"|(?:^|\n)[>#*_ \t]*(?:answer|ans)\b(?:[*_#\s]*\n|\.\s|\s+(?=[-\d$\\]))"
    r"|\bans\s*[:\uff1a=]"
    r"|(?:^|\n)[>*_ \t]*A[ \t]*[:\uff1a](?![\s\S]{0,300}\n[>*_ \t]*B\s*[:\uff1a.)])"
    rf"|(?:^|\n|\b)[*_]*(?:{_FOREIGN})(?:\s+(?:finale?|correcta|final))?[*_\s]*[:\uff1a]"
    r"|答案(?:是|为|為|[:\uff1a]))",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"\b(?:if|suppose|assum\w+|whether|unless|until|that|wrong|incorrect|mistaken|previous|earlier"
    r"|first|initial(?:ly)?|thought|claim(?:s|ed)?|guess(?:ed)?|said|says|your|not (?:the|an?|my)"
    r"|express\w*|find\w*|comput\w+|determin\w+|writ\w+|check\w*|convert\w*|simplif\w+|stat\w+"
    r"|provid\w+|format\w*|verif\w+|round\w*)"
    r"\b[^,;.:!?\n]*$|\ban?\s+$",
    re.IGNORECASE,
)
_SURE = re.compile(r"\b(?:so|see|means?|follows|conclude|find|show(?:s|n)?|clear|get) that\b[^,]*$")
HEDGE = re.compile(
    r"(?:[\s*_:\uff1a,]|(?:therefore|thus|then|hence|indeed|simply|just|exactly|precisely|clearly|again"
    r"|approximately|roughly|about|probably|is|be|are|equal to|given by|that|\\?approx)\b)*",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"(?:not|never|neither|no longer|unclear|unknown|between|at (?:least|most)"
    r"|(?:less|more|greater|larger|smaller|fewer|bigger|higher|lower) than|above|below|one of"
    r"|a (?:multiple|divisor|factor|power) of|divisible|of the form|close to|near|also|an?|any|in"
    r"|found|obtained|correct|wrong|incorrect|reasonable|consistent|needed|required|wanted|given)\b",
    re.IGNORECASE,
)
INSTEAD = re.compile(
    r"(?:\bbut(?: rather)?|\brather|\binstead|\bno\b[,.:]|\bwait[,.:]?|\bsorry[,.:]?|\bi mean[,:]?"
    r"|\bmake that|\bcorrection[,:]?)\s+(?=[^\n]*\S)",
    re.IGNORECASE,
)
_REVISED = re.compile(
    r"\b(?:wait|hmm+|hold on|oops|on second thought|scratch that|correction|i made an? (?:error|"
    r"mistake)|that(?:'s| is| was) (?:not right|not correct|wrong|incorrect|a mistake))\b",
    re.IGNORECASE,
)
_EXPRESSION = re.compile(
    r"[\d(][\d() ]*(?:(?:[-+*/\u2212\u00d7\u00f7]|\\(?:times|cdot|div)\b)[\d() ]*)+(?<=[\d)])"
)
_REFUSED = re.compile(r"\s*(?:no|wait|sorry)\b[,.:]?\s*(?P<after>[^\n]*)", re.IGNORECASE)


def stated(solution: str) -> str | None:
    """The last answer that a solution states in words, as it is written there; None without one."""
    for start, text in announcements(solution):
        if answer := _told(text):
            rest = solution[start:]
            if revised := _REVISED.search(rest):
                return concluded(rest[revised.end() :]) or answer
            heads = re.match(r"[*_:\s]*\n|[*_]*:", rest) and phrases.is_prose(_first(_led(text)))
            return (concluded(rest) if heads else None) or answer
    return concluded(solution)


def announced(solution: str) -> str | None:
    """The last answer that is announced as such; None without one."""
    return next((a for _, text in announcements(solution) if (a := _told(text))), None)


def expression(solution: str) -> str | None:
    """The expression of numbers that is announced last, or that ends the last sentence."""
    for _, text in announcements(solution):
        line = _led(text).partition("\n")[0]
        if (found := _EXPRESSION.search(line)) and not _DENIED.match(line) and "?" not in line:
            return found[0]
    last = (phrases.sentences(solution[-1000:]) or [""])[-1]
    found = _EXPRESSION.search(last)
    return found[0] if found and CUE.search(last) and not UNSURE.search(last) else None


def announcements(solution: str) -> Iterator[tuple[int, str]]:
    """Where the text after an announcement starts, and that text; from the last one back."""
    for cue in list(_ANNOUNCED.finditer(solution))[: -_LATEST - 1 : -1]:
        before = re.split(r"[,;.:!?\n]", solution[max(0, cue.start() - 80) : cue.start()])[-1]
        if not _SUPPOSED.search(before) or _SURE.search(before):
            yield cue.end(), solution[cue.end() : cue.end() + 500]


def _told(text: str) -> str | None:
    """The answer at the beginning of a text that follows an announcement."""
    text = _led(re.sub(r"^[*_:\s]*\n\s*(?:\d{1,2}[.)]|[-•])\s+(?=\S)", "", text))
    formula = phrases.FORMULA.match(text)
    if formula and text.startswith(("$$", r"\[")):
        return phrases.value(formula[0])
    line = _first(text)
    rest = text[len(line) :]
    while instead := INSTEAD.search(phrases.masked(line)):
        line = line[instead.end() :]
    if "?" in phrases.masked(line):
        revised = _REFUSED.match(rest)
        return _told(revised["after"]) if revised else None
    line = _led(line)
    if not line.strip("*_ .:") or _DENIED.match(line):
        return None
    if re.match(r"the (?!empty)", line, re.IGNORECASE) and not phrases.values(line):
        return None
    said = phrases.is_prose(line) and phrases.COPULA.search(phrases.masked(line))
    return (result(line) if said else None) or phrases.value(line.rstrip(". "))


def _led(text: str) -> str:
    """The text without the words and signs that may stand before an answer."""
    lead = None if text.startswith("\\") else HEDGE.match(text)
    return text[lead.end() :].lstrip("*_ \n#:>") if lead else text


def _first(text: str) -> str:
    return (phrases.sentences(text) or [""])[0]
