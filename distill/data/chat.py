"""Read a question, and the reply to it, from chat messages.

A turn has `role` and `content`, or `from` and `value`. A system turn may come first; it is no part
of the question, since the student is trained with the system message of `prompt`. The question is
the user's last turn before the assistant's last; `content` may be a list of parts of type text.
What the assistant thought may stand apart, in `reasoning_content`, `reasoning` or `thinking` of its
turn or in parts of these types. Turns before the question are context that a problem does not have:
such rows are rejected, unless `columns` says which turns count (`messages[-2:]` are the last two).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distill.data.fields import Fields
from distill.data.values import RowError, items, kind, text

_ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "bot", "chatgpt", "bard"), "assistant"),
}
_REASONING = ("reasoning_content", "reasoning", "thinking")
_TAGS = ("<think>", "</think>", "<|begin_of_thought|>", "<|end_of_thought|>")


@dataclass(frozen=True)
class Dialogue:
    """A question and what an assistant replied."""

    question: str

    thought: str
    """What the assistant thought, where it stands apart; else empty."""

    reply: str
    """What the assistant said, its thought included where it does not stand apart."""


@dataclass(frozen=True)
class _Turn:
    role: str
    said: str
    thought: str


def dialogue(row: Fields, field: str) -> Dialogue:
    """The question and the reply in a field of chat messages; the reply may be missing.

    Raises:
        RowError: a turn is of no known role or holds what is not text (a call of a tool, an image);
            or there are more turns than one of the user, then one of the assistant.
    """
    found = row.items(field)
    if not found:
        raise RowError(f"no {field}: no column {row.columns.get(field, field)}, or no turns in it")
    name = row.name(field)
    turns = [_turn(turn, f"a turn of {name}") for turn in found]
    spoken = turns[1:] if turns[0].role == "system" else turns
    roles = [turn.role for turn in spoken]
    if roles not in (["user"], ["user", "assistant"]):
        turned = ", ".join(roles[:5] + ["..."] * (len(roles) > 5)) or "a system turn alone"
        last = f"{field}: '{row.columns.get(field, field)}[-2:]'"
        raise RowError(
            f"{name} is no question with its reply: {turned}. To read the last two turns alone: "
            f"columns={{{last}}}"
        )
    thought, reply = (spoken[1].thought, spoken[1].said) if len(spoken) > 1 else ("", "")
    if thought.strip() and any(tag in reply for tag in _TAGS):
        raise RowError(f"a turn of {name} has its thought twice: apart, and in tags")
    return Dialogue(spoken[0].said, thought, reply)


def _turn(turn: Any, name: str) -> _Turn:
    if not isinstance(turn, Mapping):
        raise RowError(f"{name} is {kind(turn)}, not an object")
    speaker, words = ("from", "value") if "from" in turn else ("role", "content")
    if speaker not in turn or words not in turn:
        raise RowError(f"{name} has no role and content, nor from and value: {', '.join(turn)}")
    role = text(turn[speaker], f"{speaker} of {name}").strip().lower()
    if role not in _ROLES:
        raise RowError(f"{name} has a role that is not read: {role[:40]!r}")
    if any(turn.get(call) for call in ("tool_calls", "function_call")):
        raise RowError(f"{name} calls a tool, which is not read")
    said, thought = _content(turn[words], f"{words} of {name}")
    apart = [text(turn.get(key), f"{key} of {name}") for key in _REASONING]
    thoughts = dict.fromkeys(filter(str.strip, (thought, *apart)))
    if len(thoughts) > 1:
        raise RowError(f"{name} has several thoughts that differ")
    return _Turn(_ROLES[role], said, next(iter(thoughts), ""))


def _content(content: Any, name: str) -> tuple[str, str]:
    """Text and thought of a turn's content: a text, or a list of parts."""
    if not isinstance(content, list | tuple):
        return text(content, name), ""
    said, thought = "", ""
    for part in items(content, name):
        if not isinstance(part, Mapping):
            raise RowError(f"a part of {name} is {kind(part)}, not an object")
        type_ = text(part.get("type"), f"type of a part of {name}")
        if type_ not in ("text", *_REASONING):
            raise RowError(f"a part of {name} has a type that is not read: {type_[:40]!r}")
        given = part.get(type_) if part.get(type_) is not None else part.get("text")
        if given is None:
            raise RowError(f"a part of {name} holds no text")
        if type_ == "text":
            said += text(given, f"a part of {name}")
        else:
            thought += text(given, f"a part of {name}")
    return said, thought
