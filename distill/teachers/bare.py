"""Split a reply in which no thought is marked: all before its answer counts as the thought.

A base that was never trained on marked thoughts replies without marks; so it can teach itself.
"""

import re

from distill.models.config import PromptConfig
from distill.models.prompt import Parsed
from distill.trace.boxes import boxes

_ENDS = (r"\n\s*\n", r"(?<!\\\[)(?<!\$\$)\n", r"(?<=[.!?])\s+")
"""What a reply is split at, the widest first: paragraphs, lines but not those of a displayed
formula, sentences."""


def split_bare(prompt: PromptConfig, text: str) -> Parsed | None:
    r"""Thought and solution of a bare reply; None where nothing stands before its answer.

    The solution is the paragraph with the last `\boxed{}`, without a box the last paragraph, and
    what follows it; of a single paragraph it is the line, of a single line the sentence. A mark of
    the prompt with which the reply begins, closing a thought that was never there, belongs to
    neither.
    """
    body = text.strip().removeprefix(prompt.thought_close.strip()).strip()
    found = list(boxes(body))
    answer = found[-1].start if found else len(body)
    for end in _ENDS:
        if cuts := list(re.finditer(end, body[:answer])):
            return Parsed(body[: cuts[-1].start()], body[cuts[-1].end() :], closed=True)
    return None
