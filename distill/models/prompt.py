"""Build prompts and responses from question, thought and solution, and parse responses."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from distill.models.config import PromptConfig
from distill.models.control import encode_one, quote, start
from distill.models.template import Chat, rendered, reply_begun

Tokenizer = Any
"""A `PreTrainedTokenizerBase` of transformers."""

_TAGS = re.compile(r"<[^<>\s]+>(?:\s*<[^<>\s]+>)*")

_TAIL = 16
"""Tokens at the end of a prompt that can hold the opening of a thought."""


@dataclass(frozen=True)
class Parsed:
    """The parts of a response."""

    thought: str
    solution: str
    """The text in which the answer is searched; empty if the thought was never closed."""

    closed: bool
    """False if a thought was opened and never closed."""


def messages(prompt: PromptConfig, question: str) -> Chat:
    """The conversation before the response: system message, if there is one, and user message."""
    return conversation(prompt.system, prompt.user.replace("{question}", question))


def conversation(system: str, user: str) -> Chat:
    """A system message, unless it is empty, and a user message."""
    asked = {"role": "user", "content": user}
    return [{"role": "system", "content": system}, asked] if system else [asked]


def chat_ids(tokenizer: Tokenizer, chat: Chat, *, reply: bool = True) -> list[int]:
    """Token ids of a conversation, with `reply` up to where the next reply begins.

    They follow the tokenizer's chat template, including its generation prompt; see
    `distill.models.template`. If the template rejects system messages (Gemma), the user message
    begins with it instead. If the tokenizer has no template (a base model), the messages are
    separated by blank lines, after the tokens that begin every text. What messages say is text,
    also where they mention control tokens; see `distill.models.control`.

    Raises:
        UnwritableError: the tokenizer cannot encode these messages as text, or the template alters
            them.
        ValueError: the template leaves a message out, whatever it says.
    """
    from jinja2 import TemplateError

    quoted = [m | {"content": quote(tokenizer, m["content"])} for m in chat]
    if tokenizer.chat_template is None:
        text = "".join(f"{m['content']}\n\n" for m in quoted)
        return [*start(tokenizer), *encode_one(tokenizer, text)]
    try:
        return encode_one(tokenizer, rendered(tokenizer, quoted, reply=reply))
    except TemplateError:
        if chat[0]["role"] != "system":
            raise
        joined = "\n\n".join(m["content"] for m in quoted)
        merged = [{"role": "user", "content": joined}]
        return encode_one(tokenizer, rendered(tokenizer, merged, reply=reply))


def opening(tokenizer: Tokenizer, ids: list[int], thought_open: str) -> str:
    """What a chat template has written of the response: the opening of its thought, or nothing.

    Templates of reasoning models (DeepSeek-R1 and its distilled models, QwQ-32B) end the prompt
    with `<think>`, so that the generated text has no opening of its own. A message that ends with
    it opens nothing.

    Raises:
        ValueError: the template closes the thought too, so that the model would not think.
    """
    mark = thought_open.strip()
    if not mark:
        return ""
    written = reply_begun(tokenizer)
    close = mark.replace("<", "</", 1) if mark.startswith("<") else ""
    if close and written.rstrip().endswith(close):
        raise ValueError(
            f"the chat template ends the thought before the reply begins: it writes {written!r}; "
            f"a prompt with thought_open={thought_open!r} needs one that does not"
        )
    ends = tokenizer.decode(ids[-_TAIL:]).rstrip().endswith(mark)
    return thought_open if ends and written.rstrip().endswith(mark) else ""


def response(prompt: PromptConfig, thought: str, solution: str) -> str:
    """The text that the student is trained to write."""
    return prompt.thought_open + thought + prompt.thought_close + solution + prompt.solution_close


def parse(prompt: PromptConfig, text: str) -> Parsed:
    """Parse a response; the inverse of `response` for texts that contain no markers.

    A thought ends at the last closing marker that text follows, so that one which it quotes does
    not end it, as in the chat templates of DeepSeek-R1. A thought that is opened and never closed
    has no solution, whatever it mentions. A response that opens no thought (an untrained base) is
    all solution. Text before the opening or after the end of the solution belongs to neither.
    Models vary the whitespace around tags: a marker made of tags (`<think>`) is found with any
    whitespace around and between them, and of several tags the first is enough. If the prompt has
    no opening marker, the last closing marker splits the text.
    """
    if not prompt.thought_open:
        thought, _, rest = text.rpartition(prompt.thought_close)
        return Parsed(thought, rest, closed=True)
    opened = _find(prompt.thought_open, text)
    closed = _find(prompt.thought_close, text, opened[1] if opened else 0)
    if opened and not closed:
        return Parsed(text[opened[1] :], "", closed=False)
    thought, start = "", closed[1] if opened and closed else 0
    ended = _find(prompt.solution_close, text, start) if prompt.solution_close else None
    end = ended[0] if ended else len(text)
    if opened and closed:
        while (later := _find(prompt.thought_close, text, closed[1])) and later[1] <= end:
            if not text[later[1] : end].strip():
                break
            closed = later
        thought, start = text[opened[1] : closed[0]], closed[1]
    return Parsed(thought, text[start:end], closed=True)


def parse_foreign(prompt: PromptConfig, text: str) -> Parsed:
    """Parse a teacher's response, whose opening may be missing: its template or server kept it.

    A thought that is closed without having been opened starts at the beginning of the text.
    """
    if _find(prompt.thought_open, text) or not _find(prompt.thought_close, text):
        return parse(prompt, text)
    return parse(prompt, prompt.thought_open + text)


def closes(prompt: PromptConfig, text: str) -> bool:
    """Whether the text has the mark that ends a thought."""
    return _find(prompt.thought_close, text) is not None


def _find(marker: str, text: str, start: int = 0) -> tuple[int, int] | None:
    """Start and end of the first such marker from `start` on; None if there is none."""
    tags = marker.strip()
    if not _TAGS.fullmatch(tags):
        found = text.find(marker, start)
        return (found, found + len(marker)) if found >= 0 else None
    match = _pattern(tags).search(text, start)
    if not match:
        return None
    lead, _, tail = marker.partition(tags)
    first, last = match.span()
    begin, end = first - len(lead), last + len(tail)
    if begin >= start and text[begin:end] == marker:
        return begin, end
    while first > start and text[first - 1].isspace():
        first -= 1
    while last < len(text) and text[last].isspace():
        last += 1
    return first, last


@cache
def _pattern(tags: str) -> re.Pattern[str]:
    """A pattern of the first tag, and of each further one with nothing but whitespace between."""
    first, *more = re.findall(r"<[^<>\s]+>", tags)
    pattern = "".join(rf"(?:\s*{re.escape(tag)}" for tag in more) + ")?" * len(more)
    return re.compile(re.escape(first) + pattern)
