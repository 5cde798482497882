"""A server's reply is read field by field: one that is no completion is named, never guessed at."""

import json
import re
from dataclasses import dataclass
from typing import Any


class NoCompletionError(ValueError):
    """A reply with status 200 that is no completion; the message says why."""


@dataclass(frozen=True)
class Reply:
    """What a server says about one prompt."""

    text: str
    finish_reason: str
    """Usually `stop` or `length`; servers have others."""

    tokens: int | None
    """Tokens generated, as `usage` has them; None if it does not say."""

    ids: list[int]
    """Token ids; empty if the server does not return them."""

    reasoning: str | None
    """The thought, if a chat server returns it apart."""

    model: str | None
    """The model's name in the reply, if there is one."""


def read_reply(body: bytes, *, chat: bool) -> Reply:
    """The only choice, or the one with index 0, of a reply of the chat or the completions API.

    Raises:
        NoCompletionError: not JSON, or a field is missing or of another type; it is named.
    """
    reply = _object(body)
    choices = _typed(reply, "choices", list)
    for choice in choices:
        if not isinstance(choice, dict):
            raise NoCompletionError(f"a choice is {_kind(choice)}, not an object")
    first = [choice for choice in choices if choice.get("index", 0) in (0, None)]
    if len(first) != 1:
        raise NoCompletionError(f"{len(first)} of {len(choices)} choices have index 0")
    reason = _typed(first[0], "finish_reason", str)
    ids = _typed(first[0], "token_ids", list, optional=True) or []
    if not all(type(token) is int and token >= 0 for token in ids):
        raise NoCompletionError("token_ids are not all numbers of tokens")
    usage = _typed(reply, "usage", dict, optional=True) or {}
    tokens = _typed(usage, "completion_tokens", int, optional=True)
    model = _typed(reply, "model", str, optional=True) or None
    text, reasoning, reason = (
        _message(first[0], reason) if chat else (_text(first[0]), None, reason)
    )
    return Reply(text, reason, tokens, ids, reasoning, model and _plain(model))


def _text(choice: dict[str, Any]) -> str:
    return str(_typed(choice, "text", str))


def _message(choice: dict[str, Any], reason: str) -> tuple[str, str | None, str]:
    """Content, thought and finish reason of a chat's choice."""
    message = _typed(choice, "message", dict)
    thoughts = [_typed(message, f"reasoning{end}", str, optional=True) for end in ("_content", "")]
    reasoning = thoughts[0] or thoughts[1]
    if _typed(message, "refusal", str, optional=True):
        reason = "refusal"
    # There may be no content where all tokens went into the thought, or no text is what was made.
    empty = reasoning is not None or reason != "stop"
    return _typed(message, "content", str, optional=empty) or "", reasoning, reason


def _plain(name: str) -> str:
    """A name as it can stand in a file and in an error."""
    return name[:200].encode("utf-8", "replace").decode()


def read_models(body: bytes) -> dict[str, dict[str, Any]]:
    """Name -> card of each model that a server lists.

    Raises:
        NoCompletionError: it is no such list.
    """
    cards = _typed(_object(body), "data", list)
    if not all(isinstance(card, dict) and isinstance(card.get("id"), str) for card in cards):
        raise NoCompletionError("a model in the list has no id")
    return {card["id"]: card for card in cards}


def absurd(reply: Reply, limit: int, *, exact: bool) -> str:
    """What is absurd about the number of tokens that a reply reports; empty if nothing is.

    Args:
        reply: it has a number of tokens.
        limit: tokens that were asked for, at most.
        exact: whether the server counts the thought too; vendors of chats may not, so there up to
            four times the limit and 1,024 are believed.
    """
    tokens, most = reply.tokens or 0, limit if exact else 4 * limit + 1024
    if tokens < 0 or tokens > most:
        return f"it reports {str(tokens)[:30]} tokens where {limit} were asked for at most"
    if not tokens and (reply.text or reply.reasoning):
        return "it reports 0 tokens for a text"
    return ""


def same_model(asked: str, served: str) -> bool:
    """Whether the name in a reply is that of the model that was asked for.

    The name before a server's own prefix (`openai/`, a folder) and the state or date after it may
    be missing in one of the two: `gpt-4o` is served as `gpt-4o-2024-08-06`, but not as
    `gpt-4o-mini`, nor is one dated model served as another.
    """
    one, other = (name.strip().rstrip("/").lower() for name in (asked, served))
    if not one or not other:
        return False
    if "/" not in one or "/" not in other:
        one, other = one.rpartition("/")[2], other.rpartition("/")[2]
    one, other = one.removesuffix("-latest"), other.removesuffix("-latest")
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and bool(_STATE.fullmatch(long[len(short) :]))


_STATE = re.compile(
    r"([-@:._](v?\d{3,8}|\d{4}-\d\d-\d\d|\d\d-\d\d|v\d+|latest|preview|exp|beta|stable|free))*"
)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        start = body[:60].decode("utf-8", "replace")
        raise NoCompletionError(f"it is not JSON: {start!r}") from None
    if not isinstance(value, dict):
        raise NoCompletionError(f"it is {_kind(value)}, not an object")
    return value


def _typed(value: dict[str, Any], name: str, kind: type, *, optional: bool = False) -> Any:
    """A field, of exactly this type; None where it may be missing and is."""
    found = value.get(name)
    if found is None and optional:
        return None
    if type(found) is not kind:
        raise NoCompletionError(f"{name} is {_kind(found)}, not {_NAMES[kind]}")
    return found


def _kind(value: Any) -> str:
    return "null or missing" if value is None else _NAMES.get(type(value), "a number")


_NAMES = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "an integer"}
