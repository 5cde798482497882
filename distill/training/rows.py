"""A trace becomes a row of a training set: prompt, response, end token, and why it may not."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from distill.models.config import PromptConfig
from distill.models.control import Tokenizer, UnwritableError, encode, quote, unquoted
from distill.models.faithful import difference
from distill.models.prompt import chat_ids, messages, opening, response
from distill.trace.records import Trace

IGNORED = -100
"""Label of a token that is not trained on."""

TRAINED = "trained"
"""Column of a data set: of every token whether it is trained on, from which labels are made."""

AT_ONCE = 1000
"""Texts that are tokenised at a time, unless they are long."""

_Text = tuple[str, list[int], str, str]


@dataclass(frozen=True)
class Row:
    """A tokenised trace, one row of the training set."""

    trace_id: str
    input_ids: list[int]
    """Prompt, response, end token."""

    prompt_tokens: int
    """How many of `input_ids` are the prompt."""

    undamaged: int
    """Tokens of the selected trace in this position, before any corruption."""

    unwritable: str = field(default="", compare=False)
    """Why the tokenizer cannot write this trace; empty if it can."""

    normalised: bool = field(default=False, compare=False)
    """Whether the tokenizer writes it in another form."""

    part: int = 0
    """Which part of a mixture it is of, from 0."""

    @property
    def labels(self) -> list[int]:
        """Targets per token: those of response and end token, `IGNORED` in the prompt."""
        return [IGNORED] * self.prompt_tokens + self.input_ids[self.prompt_tokens :]


def encode_rows(
    tokenizer: Tokenizer, prompt: PromptConfig, traces: Iterable[Trace], limit: int
) -> Iterator[Row]:
    """A row of each trace; texts are tokenised many at a time, apart from their prompts.

    One that cannot be written has no tokens; one of more than `limit` is not looked at further.
    """
    texts = (_texts(tokenizer, prompt, trace) for trace in traces)
    for part in _batches(texts):
        answers = encode(tokenizer, [text for _, _, text, _ in part])
        for (name, asked, text, why), answer in zip(part, answers, strict=True):
            if why or isinstance(answer, UnwritableError):
                yield Row(name, [], 0, 0, unwritable=why or str(answer))
                continue
            end = tokenizer.eos_token_id
            stopped = answer if answer[-1:] == [end] else [*answer, end]
            row = Row(name, [*asked, *stopped], len(asked), 0)
            if len(row.input_ids) <= limit:
                row = _compared(tokenizer, row, unquoted(tokenizer, text), answer)
            yield row


def _batches(texts: Iterable[_Text]) -> Iterator[list[_Text]]:
    """Up to `AT_ONCE` texts, or 1000 characters for each of these."""
    part, size = [], 0
    for text in texts:
        part.append(text)
        size += len(text[2])
        if len(part) == AT_ONCE or size > 1000 * AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part


def _texts(tokenizer: Tokenizer, prompt: PromptConfig, trace: Trace) -> _Text:
    """Id, prompt, response with quoted data, and why there are none.

    The response lacks the opening of its thought if the chat template has written that.
    """
    try:
        asked = chat_ids(tokenizer, messages(prompt, trace.problem.question))
        quoted = (quote(tokenizer, text) for text in (trace.thought, trace.solution))
        text = response(prompt, *quoted)
    except UnwritableError as error:
        return trace.id, [], "", str(error)
    return trace.id, asked, text.removeprefix(opening(tokenizer, asked, prompt.thought_open)), ""


def _compared(tokenizer: Tokenizer, row: Row, text: str, answer: list[int]) -> Row:
    changed, why = difference(tokenizer, answer, text)
    if not why and tokenizer.eos_token_id in answer[:-1]:
        why = "the end token is in its middle, from a mark of the prompt"
    if why:
        return Row(row.trace_id, [], 0, 0, unwritable=why)
    return replace(row, normalised=changed)


def with_labels(collate: Callable[..., Any]) -> Callable[[list[dict[str, Any]]], Any]:
    """A collator of rows that have the column `TRAINED` instead of labels."""

    def collated(examples: list[dict[str, Any]]) -> Any:
        rows = [dict(example) for example in examples]
        for row in rows:
            marked = zip(row["input_ids"], row.pop(TRAINED), strict=True)
            row["labels"] = [token if trained else IGNORED for token, trained in marked]
        return collate(rows)

    return collated
