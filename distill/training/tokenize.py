"""Tokenise traces into rows with labels; a trace too long in any arm is dropped in all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distill.models.config import PromptConfig
from distill.models.prompt import Tokenizer, chat_ids, messages, opening, response
from distill.trace.records import Trace, read_traces

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

    @property
    def labels(self) -> list[int]:
        """Targets per token: those of response and end token, `IGNORED` in the prompt."""
        return [IGNORED] * self.prompt_tokens + self.input_ids[self.prompt_tokens :]


def build_rows(
    tokenizer: Tokenizer,
    prompt: PromptConfig,
    selected: Path,
    corrupted: Path,
    union: Sequence[Path],
    limit: int,
) -> tuple[list[Row], dict[str, Any]]:
    """The rows of an arm, and counts of what was dropped for its length; nothing is ever cut.

    A trace is dropped if its prompt, response and end token exceed `limit` tokens undamaged, in
    this arm, or in an arm of `union`, so that all arms keep the same problems. A trace that
    replaces another (its id is not in `selected`) is judged by its own length.

    Args:
        tokenizer: the student's.
        prompt: text around thought and solution.
        selected: artifact of stage `select`; its i-th trace became the i-th of `corrupted`.
        corrupted: artifact of stage `corrupt`, this arm.
        union: artifacts of stage `corrupt`: arms that this one is compared with.
        limit: longest row, in tokens.

    Returns:
        rows: in the order of `corrupted`.
        counts: `rows`, `dropped` and its parts `dropped_undamaged`, `dropped_damaged` and
            `dropped_union` (each trace under the first that applies), and `dropped_ids`.

    Raises:
        ValueError: no trace is left; the artifacts differ in size; or the labels of a row do not
            decode to its response.
    """
    before, after = _read(selected), _read(corrupted)
    if len(before) != len(after):
        raise ValueError(
            f"{selected} has {len(before)} traces and {corrupted} has {len(after)}; a corruption "
            "keeps their number, since the i-th of one became the i-th of the other"
        )
    lengths = [len(row.input_ids) for row in _encode(tokenizer, prompt, before)]
    undamaged = {trace.id: length for trace, length in zip(before, lengths, strict=True)}
    elsewhere = {
        row.trace_id
        for arm in union
        for row in _encode(tokenizer, prompt, _read(arm))
        if row.trace_id in undamaged and len(row.input_ids) > limit
    }
    rows: list[Row] = []
    dropped: dict[str, list[str]] = {"undamaged": [], "damaged": [], "union": []}
    arm_rows = _encode(tokenizer, prompt, after)
    for row, length, trace in zip(arm_rows, lengths, after, strict=True):
        if undamaged.get(row.trace_id, 0) > limit:
            dropped["undamaged"].append(row.trace_id)
        elif len(row.input_ids) > limit:
            dropped["damaged"].append(row.trace_id)
        elif row.trace_id in elsewhere:
            dropped["union"].append(row.trace_id)
        else:
            asked = row.input_ids[: row.prompt_tokens]
            _check(tokenizer, row, _text(tokenizer, prompt, asked, trace))
            rows.append(replace(row, undamaged=length))
    if not rows:
        raise ValueError(
            f"all {len(after)} traces of {corrupted} are longer than training.max_tokens={limit}: "
            f"{len(dropped['undamaged'])} undamaged, {len(dropped['damaged'])} in this arm, "
            f"{len(dropped['union'])} in another arm of training.union"
        )
    ids = [name for names in dropped.values() for name in names]
    counts = {f"dropped_{reason}": len(names) for reason, names in dropped.items()}
    return rows, counts | {"rows": len(rows), "dropped": len(ids), "dropped_ids": ids}


def _read(artifact: Path) -> list[Trace]:
    return list(read_traces(artifact / "traces.jsonl"))


def _encode(tokenizer: Tokenizer, prompt: PromptConfig, traces: Sequence[Trace]) -> Iterator[Row]:
    """A row of each trace; texts are tokenised 1000 at a time, apart from their prompts."""
    for start in range(0, len(traces), 1000):
        part = traces[start : start + 1000]
        chats = [messages(prompt, trace.problem.question) for trace in part]
        prompts = [chat_ids(tokenizer, chat) for chat in chats]
        texts = [_text(tokenizer, prompt, ids, t) for ids, t in zip(prompts, part, strict=True)]
        answers = tokenizer(texts, add_special_tokens=False)["input_ids"]
        for trace, asked, answer in zip(part, prompts, answers, strict=True):
            ids = [*asked, *answer, tokenizer.eos_token_id]
            yield Row(trace.id, ids, len(asked), len(ids))


def _text(tokenizer: Tokenizer, prompt: PromptConfig, asked: list[int], trace: Trace) -> str:
    """The response, without the opening of its thought if the chat template has written that."""
    text = response(prompt, trace.thought, trace.solution)
    return text.removeprefix(opening(tokenizer, asked, prompt.thought_open))


def _check(tokenizer: Tokenizer, row: Row, text: str) -> None:
    trained = [token for token in row.labels if token != IGNORED]
    decoded = tokenizer.decode(trained, clean_up_tokenization_spaces=False)
    if decoded != text + tokenizer.eos_token:
        pairs = enumerate(zip(decoded, text, strict=False))
        at = next((i for i, (read, wrote) in pairs if read != wrote), len(text))
        raise ValueError(
            f"trace {row.trace_id}: the student's tokenizer does not reproduce the response; from "
            f"character {at} on it decodes {decoded[at : at + 40]!r}, not {text[at : at + 40]!r}"
        )
