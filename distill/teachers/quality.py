"""Name what is badly written in a trace, right or wrong.

DeepSeek filtered out "chain-of-thought with mixed languages, long paragraphs, and code blocks"
before the final training of DeepSeek-R1 (arXiv:2501.12948, section 2.3.3). Their thresholds are not
published; `conf/verification/r1_quality.yaml` states ours. Two languages of one script (English
and German) are not told apart.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache

from distill.teachers.config import VerificationConfig
from distill.trace.records import Trace

RULES = ("mixed_languages", "long_paragraph", "code_block")
"""What `flaws` may name, in this order."""

_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
_FENCE = re.compile(r"^[ \t>]*(?:```|~~~)", re.MULTILINE)

_SCRIPTS = (
    *("LATIN", "CYRILLIC", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "ARABIC", "HEBREW"),
    *("DEVANAGARI", "BENGALI", "TAMIL", "TELUGU", "THAI", "ARMENIAN", "GEORGIAN"),
)
"""First word of a letter's Unicode name. Others, Greek above all, are letters of formulas."""

_ONE = {"HIRAGANA": "CJK", "KATAKANA": "CJK"}
"""Scripts that are written in one text with another, which stands for them."""


def flaws(trace: Trace, rules: VerificationConfig) -> tuple[str, ...]:
    """The rules that a trace breaks, thought and solution together; see `VerificationConfig`."""
    text = f"{trace.thought}\n\n{trace.solution}"
    broken = {
        "mixed_languages": rules.max_foreign < 1
        and foreign(text, trace.problem.question) > rules.max_foreign,
        "long_paragraph": 0 < rules.max_paragraph < max(map(len, _PARAGRAPHS.split(text))),
        "code_block": not rules.code_blocks
        and trace.problem.kind != "code"
        and bool(_FENCE.search(text)),
    }
    return tuple(rule for rule in RULES if broken[rule])


def foreign(text: str, question: str) -> float:
    """Share of a text's letters that are of another script than it and its question are written in.

    A text is written in the script of most of its letters. Kana count as Chinese characters. Latin
    letters are of no other script, since those of formulas and commands are everywhere, nor are
    those of other scripts that formulas use (Greek, mathematical alphabets).
    """
    counts = _scripts(text)
    total = sum(counts.values())
    if not total:
        return 0.0
    known = {counts.most_common(1)[0][0], "LATIN", *_scripts(question)}
    return sum(count for script, count in counts.items() if script not in known) / total


def _scripts(text: str) -> Counter[str]:
    """Script -> how many letters of it."""
    counts: Counter[str] = Counter()
    for letter, count in Counter(text).items():
        if script := _script(letter):
            counts[script] += count
    return counts


@lru_cache(maxsize=65_536)
def _script(character: str) -> str | None:
    if not character.isalpha():
        return None
    name = unicodedata.name(character, "").split("-")[0].split(" ")[0]
    return _ONE.get(name, name) if name in _SCRIPTS else None
