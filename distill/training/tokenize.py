"""Tokenise traces into rows with labels; what any arm cannot train on is dropped in all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from distill.models.config import PromptConfig
from distill.models.control import Tokenizer
from distill.trace.records import Trace, read_traces
from distill.training.config import Part
from distill.training.rows import Row, encode_rows


def build_parts(
    tokenizer: Tokenizer, parts: Sequence[Part], limit: int
) -> tuple[list[Row], dict[str, Any]]:
    """The rows of all parts, one after another, and counts; see `build_rows`.

    Of several parts, counts are sums (`longest`: the greatest), lists are joined, and `parts` has
    the counts of each under its name, with its `tokens`, its `response_tokens`, and its `share` of
    all response tokens.
    """
    built = [build_rows(tokenizer, *part, limit) for part in parts]
    rows = [replace(row, part=i) for i, (own, _) in enumerate(built) for row in own]
    if len(parts) == 1:
        return rows, built[0][1]
    whole: dict[str, Any] = {}
    for name in built[0][1]:
        first, *others = (counts[name] for _, counts in built)
        for other in others:
            first = max(first, other) if name == "longest" else first + other
        whole[name] = first
    responses = sum(map(_response, rows))
    whole["parts"] = {
        part.name: {name: counts[name] for name in counts if name != "longest"}
        | {
            "tokens": sum(len(row.input_ids) for row in own),
            "response_tokens": (mine := sum(map(_response, own))),
            "share": mine / responses,
        }
        for part, (own, counts) in zip(parts, built, strict=True)
    }
    return rows, whole


def _response(row: Row) -> int:
    return len(row.input_ids) - row.prompt_tokens


def build_rows(
    tokenizer: Tokenizer,
    prompt: PromptConfig,
    selected: Path,
    corrupted: Path,
    union: Sequence[Path],
    limit: int,
) -> tuple[list[Row], dict[str, Any]]:
    """The rows of an arm, and counts of what was dropped; nothing is ever cut.

    A trace is dropped if its prompt, response and end token exceed `limit` tokens undamaged, in
    this arm, or in an arm of `union`, so that all arms keep the same problems. So is one that the
    tokenizer cannot write in one of these: where the response, decoded, is another text even after
    the tokenizer's own normaliser (see `distill.models.faithful`), or a mention of a control token
    cannot be encoded as text. A trace that replaces another (its id is not in `selected`) is judged
    by itself.

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
            `dropped_union` (too long) and `dropped_unwritable`, each trace under the first that
            applies; `dropped_ids`, and `why_unwritable`, the reasons for up to five; `normalised`,
            rows that the tokenizer writes in another form; and `longest`, tokens of the longest
            trace in any of these arms that is not too long.

    Raises:
        ValueError: no trace is left; the artifacts differ in size; the tokenizer has no end token;
            or the chat template leaves a message out.
    """
    if tokenizer.eos_token_id is None:
        raise ValueError(
            "the student's tokenizer has no end token, by which a student learns where to stop; "
            "name one as eos_token in the tokenizer_config.json of a copy"
        )
    before, after = _read(selected), _read(corrupted)
    if len(before) != len(after):
        raise ValueError(
            f"{selected} has {len(before)} traces and {corrupted} has {len(after)}; a corruption "
            "keeps their number, since the i-th of one became the i-th of the other"
        )
    first = list(_sizes(tokenizer, prompt, selected, limit))
    undamaged = {size.trace_id: size for size in first}
    others = [
        size
        for arm in union
        for size in _sizes(tokenizer, prompt, arm, limit)
        if size.trace_id in undamaged
    ]
    longer = {size.trace_id for size in others if size.tokens > limit}
    unwritable = {size.trace_id: size.unwritable for size in [*first, *others] if size.unwritable}
    rows: list[Row] = []
    lost: dict[str, str] = {}
    dropped: dict[str, list[str]] = {"undamaged": [], "damaged": [], "union": []}
    for row, at in zip(encode_rows(tokenizer, prompt, after, limit), first, strict=True):
        same = undamaged.get(row.trace_id)
        if same and same.tokens > limit:
            dropped["undamaged"].append(row.trace_id)
        elif len(row.input_ids) > limit:
            dropped["damaged"].append(row.trace_id)
        elif row.trace_id in longer:
            dropped["union"].append(row.trace_id)
        elif why := row.unwritable or unwritable.get(row.trace_id):
            lost[row.trace_id] = why
        else:
            rows.append(replace(row, undamaged=at.tokens))
    dropped["unwritable"] = list(lost)
    reasons = [f"{name}: {why}" for name, why in islice(lost.items(), 5)]
    if not rows:
        raise ValueError(
            f"all {len(after)} traces of {corrupted} are longer than training.max_tokens={limit} "
            "or cannot be written by the tokenizer: "
            f"{len(dropped['undamaged'])} too long undamaged, {len(dropped['damaged'])} in this "
            f"arm, {len(dropped['union'])} in another arm of training.union; {len(lost)} cannot be "
            f"written{'; '.join(['', *reasons])}"
        )
    ids = [name for names in dropped.values() for name in names]
    counts: dict[str, Any] = {f"dropped_{name}": len(names) for name, names in dropped.items()}
    lengths = [*(size.tokens for size in (*first, *others)), *(len(r.input_ids) for r in rows)]
    return rows, counts | {
        "rows": len(rows),
        "normalised": sum(row.normalised for row in rows),
        "longest": max(length for length in lengths if length <= limit),
        "dropped": len(ids),
        "dropped_ids": ids,
        "why_unwritable": reasons,
    }


class _Size(NamedTuple):
    """What is kept of a trace of another arm."""

    trace_id: str
    tokens: int
    unwritable: str


def _sizes(
    tokenizer: Tokenizer, prompt: PromptConfig, artifact: Path, limit: int
) -> Iterator[_Size]:
    for row in encode_rows(tokenizer, prompt, _read(artifact), limit):
        yield _Size(row.trace_id, len(row.input_ids), row.unwritable)


def _read(artifact: Path) -> list[Trace]:
    return list(read_traces(artifact / "traces.jsonl"))
