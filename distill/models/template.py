"""Render chat templates: to the same text on every day, with nothing of the messages left out."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from distill.models.control import Tokenizer, UnwritableError

Chat = list[dict[str, str]]
"""Messages, each with `role` and `content`."""

DATE = "2024-07-26"
"""Date that every chat template is given as today's, so that a prompt is the same on every day:
that which Llama 3.1's template has of its own. Part of the identity of what a model writes."""

_PROBE = "words-of-a-message-"


def rendered(tokenizer: Tokenizer, chat: Chat, *, reply: bool = True) -> str:
    """The text that the template makes of a conversation.

    With `reply` it goes on to where the next reply begins.

    Raises:
        UnwritableError: the template alters a message.
        ValueError: it leaves a message out, whatever it says.
        jinja2.TemplateError: it refuses the conversation.
    """
    text = _apply(tokenizer, chat, reply)
    _check(tokenizer, str(tokenizer.chat_template), tuple(m["role"] for m in chat))
    if altered := [m["role"] for m in chat if m["content"].strip() not in text]:
        raise UnwritableError(f"the chat template alters the {altered[0]} message")
    return text


def reply_begun(tokenizer: Tokenizer) -> str:
    """What the template writes after the last message; nothing where there is no template."""
    return _reply_begun(tokenizer, str(tokenizer.chat_template)) if tokenizer.chat_template else ""


@lru_cache(maxsize=2)
def _check(tokenizer: Tokenizer, template: str, roles: tuple[str, ...]) -> None:
    words = [f"{_PROBE}{i}" for i in range(len(roles))]
    chat = [{"role": role, "content": word} for role, word in zip(roles, words, strict=True)]
    text = _apply(tokenizer, chat)
    if left_out := [m["role"] for m in chat if m["content"] not in text]:
        raise ValueError(
            f"the chat template leaves the {' and the '.join(left_out)} message out: the model "
            "would not see it; use a model with another template, or mend its chat_template"
        )


@lru_cache(maxsize=2)
def _reply_begun(tokenizer: Tokenizer, template: str) -> str:
    from jinja2 import TemplateError

    asked = {"role": "user", "content": _PROBE}
    try:
        text = _apply(tokenizer, [asked])
    except TemplateError:  # one that needs a system message
        text = _apply(tokenizer, [{"role": "system", "content": "x"}, asked])
    return text.rpartition(_PROBE)[2]


def fixed_date() -> dict[str, Any]:
    """Arguments of a chat template that fix the date: what it calls instead of the clock."""
    return {"strftime_now": datetime.fromisoformat(DATE).strftime}


def _apply(tokenizer: Tokenizer, chat: Chat, reply: bool = True) -> str:
    how = {"add_generation_prompt": reply, "tokenize": False} | fixed_date()
    return str(tokenizer.apply_chat_template(chat, **how))
