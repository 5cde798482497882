r"""The words in which a solution states its answer: announced, or concluded by its last sentence.

`Answer: 5`, `the answer should be 5`, `A: 5` and the like announce; `So, the sixth term is 5.`,
`**5**` or `That makes **5 apples**.` conclude. What is denied, asked, supposed, bounded (`at least
5`), checked or cut off states nothing, and of several statements the last counts.
"""

import re
from collections.abc import Iterator

_LATEST = 40
"""Announcements that are looked at, from the last one back."""
_TAIL = 3000
"""Characters at the end of a solution in which its last sentences are looked for."""
_BACK = 4
"""Sentences without a value, or that check one, that may follow the conclusion."""

_LINK = (
    r"(?:\s+(?:to|for|of|in|as|on|here|then|thus|therefore|hence|rounded|expressed|we)\b"
    r"[^.\n:=?]{0,80}?)?"
    r"[*_\s]*(?:[:：=]|\b(?:is|are|(?:should|must|will|has to|have to|would) be|equals?|becomes"
    r"|comes? (?:out )?to(?: be)?|turns? out to be)\b)"
)
_FOREIGN = r"r[ée]ponse|respuesta|resposta|risposta|antwort|l[öo]sung|ответ|答え|답"
_ANNOUNCED = re.compile(
    rf"(?:\b(?:answers?|final result)\b{_LINK}"
    r"|\bfinal answer\b(?=[*_#\s:]*\n|\s+[-\d$\\(*])"
    r"|(?:^|\n)[>#*_\s]*(?:answer|ans)\b(?:[*_#\s]*\n|\.\s|\s+(?=[-\d$\\]))"
    r"|\bans\s*[:：=]"
    r"|(?:^|\n)[>*_\s]*A\s*[:：](?![\s\S]{0,300}\n[>*_\s]*B\s*[:：.)])"
    rf"|(?:^|\n|\b)[*_]*(?:{_FOREIGN})(?:\s+(?:finale?|correcta|final))?[*_\s]*[:：]"
    r"|答案(?:是|为|為|[:：]))",
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
_HEDGE = re.compile(
    r"(?:[\s*_:：,]|(?:therefore|thus|then|hence|indeed|simply|just|exactly|precisely|clearly|again"
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
_INSTEAD = re.compile(
    r"(?:\bbut(?: rather)?|\brather|\binstead|\bno\b[,.:]|\bwait[,.:]?|\bsorry[,.:]?|\bi mean[,:]?"
    r"|\bmake that|\bcorrection[,:]?)\s+(?=[^\n]*\S)",
    re.IGNORECASE,
)
_REVISED = re.compile(
    r"\b(?:wait|hmm+|hold on|oops|on second thought|scratch that|correction|i made an? (?:error|"
    r"mistake)|that(?:'s| is| was) (?:not right|not correct|wrong|incorrect|a mistake))\b",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"\s*(?:[,;]\s*)?(?:\b(?:because|since|which|where|when|as|so|for|given|making|meaning|after|by"
    r"|if|whereas|while|obtained|assuming)\b|[;—]|\s-{1,2}\s|,\s+(?:not|and not|rather)\b).*",
    re.IGNORECASE | re.DOTALL,
)
_FORMULA = re.compile(
    r"(?<!\\)\$\$(.+?)\$\$|(?<![\\$])\$(?![\s$])([^$\n]*?[^\s$\\])\$(?![\d$])"
    r"|\\\((.+?)\\\)|(?<!\\)\\\[(.+?)\\\]",
    re.DOTALL,
)
_NUMBER = re.compile(
    r"(?<![\w.,^_{])(?:\\?\$|[€£])?\s?[-+\u2212]?(?:\\?\$|[€£])?"
    r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:(?<=\d)\.\d+|(?<!\d)\.\d+)?(?<=\d)"
    r"(?:\s?/\s?\d+)?(?:\s?\\?%)?(?![\w^])"
)
_WORD = re.compile(r"(?<![\\\w{])[A-Za-z]{2,}")
_ONE_LINE = re.compile(r"(?:\\\[|\$\$)?\s*[^\n]*[^\n,]\s*(?:\\\]|\$\$)?\.?")
_PROSE = re.compile(r"(?<![\\\w])[A-Za-z][a-z]{2,}")
_AMOUNT = re.compile(
    rf"(?P<number>{_NUMBER.pattern})\s+(?!(?:hundred|thousand|million|billion|trillion|dozen"
    r"|per\s?cent|pct|pi|cents?|half|halves|thirds?|quarters?|fourths?|fifths?|and|or|to|by|base|mod"
    r"|[ap]\.?m)\b)[a-z][a-z' -]*",
)
_UNIT = re.compile(
    r"\s*(?!\s*(?:hundred|thousand|million|billion|trillion|dozen|per\s?cent|pct|and|or|to|by|base|mod)"
    r"\b)[A-Za-z°][A-Za-z°²³^/'. -]*"
)
_ASIDE = re.compile(r"^(?:in|after|at|on|for|over|with|from|of|by|during)\b[^,]*,\s*", re.IGNORECASE)
_LISTED = re.compile(r"(?:\b(?:and|or)|[,;:])\s*(?:\\?\$)?(?:\d|\x01|\x02)")
_STARTS = re.compile(rf"[-+\u2212]?\s*[(\[{{\\\x01\x02]|[A-Za-z]\w{{0,2}}\s*=|(?:{_NUMBER.pattern})")
_RELATION = re.compile(r"[=<>]|\\(?:equiv|le|ge|leq|geq|ne|neq|approx|sim|implies|to|cong)\b")
_RAW = re.compile(
    r"[-+]?\d*\s*\\(?:[dtc]?frac|sqrt|pi|infty|binom)\b(?:\[[^\]]*\])?(?:\{(?:[^{}]|\{[^{}]*\})*\})*"
)
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*|__([^_\n]+)__")
_ENDED = re.compile(r"[.!。]['\")\]*_\s]*$|[*_]{2}$|\x02$|✓$")
_STOP = re.compile(r"(?<=[.!?。])[\"')*_]*\s+(?=\S)|\n+")
_ITEM = re.compile(r"^[ \t]*(?:>[ \t]*)?(?:\d{1,3}[.)]|[-*+•])[ \t]+", re.MULTILINE)
_OPEN = re.compile(r"(?<!\\)\\[(\[]|\$\$")
_CUE = re.compile(
    r"\b(?:so|thus|therefore|hence|consequently|finally|conclusion|as a result|accordingly"
    r"|in total|altogether|overall|total|final|it follows|we (?:get|have|find|conclude|obtain))\b|∴",
    re.IGNORECASE,
)
_COPULA = re.compile(
    r"\b(?:is|are|was|were|equals?|be)\b(?:\s+(?:equal|approximately|about|exactly|therefore|thus|then|only"
    r"|simply|just|indeed|to|given by))*\s*:?",
    re.IGNORECASE,
)
_CHECKS = re.compile(
    r"\b(?:check\w*|verif\w+|(?<!methods )(?<!approaches )confirm\w*|satisf\w+|match\w*|consistent|as required|indeed)\b|✓",
    re.IGNORECASE,
)
_DOUBTS = re.compile(
    r"\b(?:wrong|incorrect|mistake|error|contradict\w+|however|but|not|cannot|unless|wait)\b|\?",
    re.IGNORECASE,
)
_DENIAL = re.compile(r"(?:\bcannot|\bnot|n['’]t|\bcould|\bmight|\bmay|\bnever)\s*$", re.IGNORECASE)
_UNSURE = re.compile(
    r"^(?:let|try|note|recall|suppose|assum\w+|next|first|step|now|when|using|we (?:need|must|can))\b"
    r"|\b(?:if|suppose|maybe|perhaps|unless|thought|wrong|incorrect|initially|at first|unable|whether)\b|\?",
    re.IGNORECASE,
)


def stated(solution: str) -> str | None:
    """The last answer that a solution states in words, as it is written there; None without one."""
    for start, text in _announcements(solution):
        if answer := _told(text):
            rest = solution[start:]
            if revised := _REVISED.search(rest):
                return concluded(rest[revised.end() :]) or answer
            prose = re.match(r"[*_:\s]*\n|[*_]*:", rest) and not _plainly(text)
            return (concluded(rest) if prose else None) or answer
    return concluded(solution)


def _plainly(text: str) -> bool:
    """Whether an answer stands right at the beginning of a text, without a sentence around it."""
    line = (_sentences(_led(text).lstrip("*_ \n#:>")) or [""])[0]
    return len(_PROSE.findall(_plain(line))) < 2


def announced(solution: str) -> str | None:
    """The last answer that is announced as such; None without one."""
    return next((a for _, text in _announcements(solution) if (a := _told(text))), None)


def concluded(solution: str) -> str | None:
    """What the last sentence states to be the result; None if it was cut off or states nothing."""
    tail = solution.strip()
    if len(tail) > _TAIL:
        tail = tail[-_TAIL:].partition("\n")[2]
    sentences = _sentences(_ITEM.sub("\x03", tail))
    if not sentences or _OPEN.search(_masked(tail)):
        return None
    if len(sentences) == 1 and not _WORD.search(_plain(tail)) and _ONE_LINE.fullmatch(tail):
        return _bare(tail)
    if not _ENDED.search(_masked(sentences[-1])) and not _label(sentences[-1]):
        return None
    if answer := _alone(sentences):
        return answer
    for sentence in sentences[: -_BACK - 2 : -1]:
        if sentence.startswith("\x03"):
            return None
        if answer := _result(sentence):
            return answer
        if _values(sentence) and not _CHECKS.search(sentence) or _DOUBTS.search(sentence):
            return None
    return None


def last_number(solution: str) -> str | None:
    """The last number of a solution, whatever is said about it; None without one."""
    found = None
    for found in _NUMBER.finditer(solution):
        pass
    return found[0].strip() if found else None


def _announcements(solution: str) -> Iterator[tuple[int, str]]:
    """Where the text after an announcement starts, and its line; from the last one back."""
    for cue in list(_ANNOUNCED.finditer(solution))[: -_LATEST - 1 : -1]:
        before = re.split(r"[,;.:!?\n]", solution[max(0, cue.start() - 80) : cue.start()])[-1]
        if not _SUPPOSED.search(before) or _SURE.search(before):
            yield cue.end(), solution[cue.end() : cue.end() + 500]


def _told(text: str) -> str | None:
    """The answer at the beginning of a text that follows an announcement."""
    text = re.sub(r"^[*_:\s]*\n\s*(?:\d{1,2}[.)]|[-•])\s+(?=\S)", "", text)
    text = _led(text).lstrip("*_ \n#:>")
    first = _FORMULA.match(text)
    if first and text.startswith(("$$", r"\[")):
        return _value(first[0])
    line = (_sentences(text) or [""])[0]
    while instead := _INSTEAD.search(_masked(line)):
        line = line[instead.end() :]
    line = _led(line)
    if "?" in _masked(line):
        rest = re.match(r"\s*(?:no|wait|sorry)\b[,.:]?\s*([^\n]*)", text[len(line) :], re.IGNORECASE)
        return _told(rest[1]) if rest else None
    if not line.strip("*_ .:") or _DENIED.match(line):
        return None
    if re.match(r"the (?!empty)", line, re.IGNORECASE) and not _values(line):
        return None
    if len(_PROSE.findall(_plain(line))) >= 2 and _COPULA.search(_masked(line)):
        return _result(line) or _value(line)
    return _value(line.rstrip(". "))


def _led(text: str) -> str:
    """The text without the words that may stand before an answer."""
    lead = None if text.startswith("\\") else _HEDGE.match(text)
    return text[lead.end() :] if lead else text


def _value(text: str) -> str | None:
    """The answer in a phrase: all of it if it is hardly prose, else its first formula or number."""
    cut = _AFTER.search(_masked(text))
    if cut and _values(text[: cut.start()]):
        text = text[: cut.start()]
    text = re.sub(r"^\s*[-*+•]\s+", "", text)
    text = text.lstrip("*_ :,").rstrip("*_ .:,(。")
    if bold := [a or b for a, b in _BOLD.findall(text) if _values(a or b)]:
        return _value(bold[-1])
    formula = _FORMULA.match(text)
    if formula and (formula.end() == len(text) or _UNIT.fullmatch(text, formula.end())):
        return _right(_inner(formula))
    text = _right(text)
    if amount := _AMOUNT.fullmatch(text):
        return amount["number"].strip()
    if len(_PROSE.findall(_plain(text))) < 2:
        return text or None
    text = _ASIDE.sub("", text)
    for part in (_COPULA.split(text)[-1], text):
        if found := _values(part):
            return text if _LISTED.search(_masked(part)) and len(text) < 60 else found[0]
    return text if len(text) < 60 else None


def _right(text: str) -> str:
    """The right side of a computation such as `5 + 6 = 11`; any other text as it is."""
    left = re.sub(r"\\text\s*\{[^{}]*\}|\\[A-Za-z]+", " ", text.partition("=")[0])
    computed = "=" in text and re.search(r"\d", left) and not re.search(r"[A-Za-z]", left)
    return text.rpartition("=")[2].strip() if computed else text


def _result(sentence: str) -> str | None:
    """The value that a sentence states as a result; None if it is unsure or has several."""
    plain = _plain(sentence)
    if _UNSURE.search(plain):
        return None
    if bold := [a or b for a, b in _BOLD.findall(sentence) if _values(a or b)]:
        return _value(bold[-1])
    bare = sentence.strip("*_ ")
    values = list(dict.fromkeys(_values(bare)))
    masked = _masked(bare)
    cue = _CUE.search(masked)
    if not values or (not cue and (_CHECKS.search(plain) or _DOUBTS.search(plain))):
        return None
    if said := list(_COPULA.finditer(masked)):
        predicate = bare[said[-1].end() :].strip(" .*_:\n")
        if _STARTS.match(_masked(predicate)):
            return None if _DENIAL.search(masked[: said[-1].start()]) else _value(predicate)
    if not cue or _CHECKS.search(plain) or _DOUBTS.search(plain):
        return None
    if len(values) == 1:
        return values[0]
    if "=" not in masked:
        return None
    return _value(bare[re.search(r"[^\s,:;]+\s*=", masked).start() :])  # type: ignore[union-attr]


def _alone(sentences: list[str]) -> str | None:
    """A last line that is a formula of one value, or a number of the sentence before, alone."""
    last = sentences[-1].strip("*_ .\n")
    if formula := _FORMULA.fullmatch(last):
        return None if _RELATION.search(last) else _inner(formula)
    if len(sentences) > 1 and _NUMBER.fullmatch(last) and last in _values(sentences[-2]):
        return last
    return None


def _label(sentence: str) -> str | None:
    """The value after a label such as `Total:`, which needs no full stop."""
    name, colon, rest = _masked(sentence).rpartition(":")
    if not colon or not _CUE.search(name) or len(_values(rest)) != 1:
        return None
    return _value(sentence[len(name) + 1 :])


def _bare(text: str) -> str | None:
    """The answer that is all of a text."""
    match = _FORMULA.fullmatch(text.strip("*_ .\n"))
    answer = _inner(match) if match else text.strip("*_ .\n")
    return answer if _values(text) or "\\" in text else None


def _inner(formula: re.Match[str]) -> str:
    return next(filter(None, formula.groups())).strip()


def _sentences(text: str) -> list[str]:
    """Sentences and lines; a formula on lines of its own belongs to the one before."""
    masked, pieces, start = _masked(text), [], 0
    for stop in [*(m.span() for m in _STOP.finditer(masked)), (len(text), len(text))]:
        piece = text[start : stop[0]].strip()
        if piece:
            alone = not _plain(piece).strip(" .,;*_")
            ended = pieces and re.search(r"[\d%\x02.!?。][*_\"' )]*$", _masked(pieces[-1]))
            if pieces and not ended and (alone or pieces[-1].endswith(":")):
                pieces[-1] += " " + piece
            else:
                pieces.append(piece)
        start = stop[1]
    return pieces


def _masked(text: str) -> str:
    """The text with every formula replaced by signs of no meaning, in the same places."""
    return _FORMULA.sub(lambda m: "\x01" * (len(m[0]) - 1) + "\x02", text)


def _plain(text: str) -> str:
    return _FORMULA.sub(" ", text)


def _values(text: str) -> list[str]:
    """Formulas and numbers in order, as they are written, formulas without their delimiters."""
    found = [(m.start(), next(filter(None, m.groups())).strip()) for m in _FORMULA.finditer(text)]
    masked = _FORMULA.sub(lambda m: " " * len(m[0]), text)
    raw = [(m.start(), m[0].strip()) for m in _RAW.finditer(masked)]
    masked = _RAW.sub(lambda m: " " * len(m[0]), masked)
    found += raw + [(m.start(), m[0].strip()) for m in _NUMBER.finditer(masked)]
    return [value for _, value in sorted(found)]


_OPTION = re.compile(
    r"(?:[\s*_:：$]|\\\(|\\?text|\\boxed|\{|option\b|choice\b|letter\b)*"
    r"(?:\(\s*\**(?P<a>[A-Ja-j])\**\s*\)|(?P<b>[A-J]))"
    r"(?=[)\].:,;*_}$。]|\s*$|\s*\n|\s+(?:because|since|as|which|is|[-(–—])|\s+[A-Z\d$\\])"
)
_CHOSEN = re.compile(
    r"(?:\b(?:correct|right|best|true)\s+(?:option|choice|alternative|statement|one)"
    r"(?:\s+(?:is|would be)|\s*:)|\b(?:choose|pick|select|go with)\b)(?P<after>[^\n]{0,40})"
    r"|\b(?:[Oo]ption|[Cc]hoice|[Aa]lternative|[Ss]tatement)\s*(?:\(\s*(?P<d>[a-jA-J])\s*\)|[*(\[]*(?P<c>[A-J])\b)[^.\n]{0,40}?"
    r"\b(?:is|as)\s+(?:therefore\s+|thus\s+)?(?:the\s+)?(?:correct|right|best|answer)\b"
)


def option(solution: str) -> str | None:
    """The letter of the option that a solution states last to be the answer; None without one."""
    for start, text in _announcements(solution):
        text = text[_HEDGE.match(text).end() :]  # type: ignore[union-attr]
        line = text.partition("\n\n")[0]
        while instead := _INSTEAD.search(line):
            line = text = line[instead.end() :]
        if (match := _OPTION.match(text)) and "?" not in text[match.end() : match.end() + 2]:
            found = [m for m in _chosen(solution[start:]) if m]
            return found[-1] if found else (match["a"] or match["b"]).upper()
    found = _chosen(solution)
    if found:
        return found[-1]
    last = (solution.strip().splitlines() or [""])[-1]
    named = {letter.upper() for letter in re.findall(r"\(([A-Ja-j])\)", last)}
    if len(named) == 1 and _CUE.search(last) and not _UNSURE.search(last):
        return named.pop()
    match = re.fullmatch(
        r"[*_\s]*\(?[*_]*(?P<letter>[A-J])[*_]*(?:\)|[.:])?[*_]*(?:\s.*)?", last
    )
    if match and (len(last.strip("*_ ")) <= 4 or re.match(r"\W*[A-J]\W*[).:]", last)):
        return match["letter"]
    return None


def _chosen(text: str) -> list[str]:
    found = []
    for match in _CHOSEN.finditer(text):
        if letter := match["c"] or match["d"]:
            found.append(letter.upper())
        elif named := _OPTION.match(match["after"] + " "):
            found.append((named["a"] or named["b"]).upper())
    return found
