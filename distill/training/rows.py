"""A trace becomes a row of a training set: prompt, response, end token, and why it may not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from distill.models.config import PromptConfig
from distill.models.control import Tokenizer, UnwritableError, encode, quote, unquoted
from distill.models.faithful import difference
from distill.models.prompt import chat_ids, messages, opening, response
from distill.trace.records import Trace

IGNORED = -100
"""Label of a token that is not trained on."""


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
    tokenizer: Tokenizer, prompt: PromptConfig, traces: Sequence[Trace], limit: int
) -> Iterator[Row]:
    """A row of each trace; texts are tokenised 1000 at a time, apart from their prompts.

    One that cannot be written has no tokens; one of more than `limit` is not looked at further.
    """
    for start in range(0, len(traces), 1000):
        part = [_texts(tokenizer, prompt, trace) for trace in traces[start : start + 1000]]
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


def _texts(
    tokenizer: Tokenizer, prompt: PromptConfig, trace: Trace
) -> tuple[str, list[int], str, str]:
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
