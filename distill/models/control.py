"""Encode text that mentions control tokens: in data they are text, in marks of ours they are not.

A tokenizer reads the end token, or a token that opens a turn, wherever its name is written. The
chat template and the marks around a thought mean it; a question or a thought that mentions it does
not. `quote` marks what data mention. `encode` encodes the whole at once, so that all else becomes
the very tokens that it always does; mentions are encoded by a copy of the tokenizer in which
control tokens go by names that no text has.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from distill.models.renamed import BYTE, Tokenizer, UnwritableError, renamed_copy

MARK = "\U0010fffd"
"""Begins the names that control tokens go by here: a private character of Unicode."""

_MARKUP = re.compile(r"\s*[<\[{|].*[>\]}|]\s*", re.DOTALL)
"""What looks like a control token: some that open a turn (DeepSeek's) are not declared special."""


@dataclass(frozen=True)
class Controls:
    """The control tokens of a tokenizer."""

    ids: dict[str, int]
    """Text of each of them -> its id, longest first: a text is read for the longest that fits."""

    unknown: int | None
    """Id of the token for unknown characters."""

    copies: list[Any] = field(default_factory=list)
    """The copy of the tokenizer that `_apart` encodes with, once one was needed."""

    @cached_property
    def counted(self) -> frozenset[int]:
        """Ids that no text may become: all but those that unknown characters become."""
        tokens = {i for name, i in self.ids.items() if not BYTE.fullmatch(name)}
        return frozenset(tokens - {self.unknown})

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds them in a text."""
        return re.compile("|".join(map(re.escape, self.ids)) or r"(?!)")

    @cached_property
    def quotes(self) -> dict[str, str]:
        """Text of each -> what stands for it where data mention it."""
        return {text: MARK + chr(0xF0000 + i) for i, text in enumerate(self.ids)}

    @cached_property
    def names(self) -> dict[str, str]:
        """Text of each -> its name in the copy of the tokenizer; bytes keep theirs."""
        named = (text for text in self.ids if not BYTE.fullmatch(text))
        return {text: MARK + chr(0x100000 + i) for i, text in enumerate(named)}


_known: WeakKeyDictionary[Tokenizer, tuple[int, Controls]] = WeakKeyDictionary()
"""Tokenizer -> its size, and its control tokens at that size."""


def controls(tokenizer: Tokenizer) -> Controls:
    """The control tokens: all that are declared special, and added ones that look like markup.

    Other added tokens, such as Gemma's runs of line ends, are ordinary text with a token.
    """
    size, known = _known.get(tokenizer, (-1, None))
    if known is None or size != len(tokenizer):
        added = {token.content: (i, token) for i, token in tokenizer.added_tokens_decoder.items()}
        ids = {
            text: i
            for text, (i, token) in added.items()
            if token.special or _MARKUP.fullmatch(text)
        }
        longest_first = dict(sorted(ids.items(), key=lambda item: -len(item[0])))
        known = Controls(longest_first, tokenizer.unk_token_id)
        _known[tokenizer] = len(tokenizer), known
    return known


def quote(tokenizer: Tokenizer, text: str) -> str:
    """Text of the data, for `encode`: with marks in place of the control tokens it mentions.

    Raises:
        UnwritableError: it has half a surrogate pair, which has no encoding, or our own mark.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnwritableError(f"character {error.start} is half a surrogate pair") from None
    known = controls(tokenizer)
    if not known.pattern.search(text):
        return text
    if MARK in text:
        raise UnwritableError(f"it mentions a control token and has the character {MARK!r}")
    return known.pattern.sub(lambda found: known.quotes[found[0]], text)


def encode(tokenizer: Tokenizer, texts: list[str]) -> list[list[int] | UnwritableError]:
    """Token ids of texts in which data are quoted; no special tokens are added.

    Equal to the tokenizer's own ids for texts whose data mention no control token. Where they
    cannot be told apart (in a vocabulary of whole words, `</s>` may be a word) there is an error in
    place of the ids.
    """
    known = controls(tokenizer)
    made: list[list[int] | UnwritableError] = []
    ordinary = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    for text, ids in zip(texts, ordinary, strict=True):
        ours = sum(known.ids[name] in known.counted for name in known.pattern.findall(text))
        quoted = MARK in text and any(mark in text for mark in known.quotes.values())
        if quoted or _count(known, ids) != ours:
            made.append(_apart(tokenizer, known, text, ours))
        else:
            made.append(list(ids))
    return made


def encode_one(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids of one text; see `encode`. Raises UnwritableError where there are none."""
    (ids,) = encode(tokenizer, [text])
    if isinstance(ids, UnwritableError):
        raise ids
    return ids


def start(tokenizer: Tokenizer) -> list[int]:
    """Tokens that the tokenizer puts before every text, but not those that it puts behind."""
    inner = list(tokenizer("x", add_special_tokens=False)["input_ids"])
    whole = list(tokenizer("x")["input_ids"])
    places = range(len(whole) - len(inner) + 1)
    return whole[: next((i for i in places if whole[i : i + len(inner)] == inner), 0)]


def unquoted(tokenizer: Tokenizer, text: str) -> str:
    """The text as it was before `quote`."""
    if MARK in text:
        for control, mark in controls(tokenizer).quotes.items():
            text = text.replace(mark, control)
    return text


def _apart(
    tokenizer: Tokenizer, known: Controls, text: str, ours: int
) -> list[int] | UnwritableError:
    named = known.pattern.sub(lambda found: known.names.get(found[0], found[0]), text)
    try:
        if not known.copies:
            known.copies.append(renamed_copy(tokenizer, known.names))
        ids = known.copies[0].encode(unquoted(tokenizer, named), add_special_tokens=False).ids
    except UnwritableError as error:
        return error
    except Exception as error:  # the library raises no other kind when a vocabulary does not fit
        return UnwritableError(f"its control tokens cannot be told from text: {error}")
    if _count(known, ids) != ours:
        return UnwritableError("it mentions a control token that is a word of the vocabulary too")
    return list(ids)


def _count(known: Controls, ids: list[int]) -> int:
    return sum(token in known.counted for token in ids)
