"""Tokenise traces into rows with labels; what any arm cannot train on is dropped in all of them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from distill.models.config import PromptConfig
from distill.models.control import Tokenizer
from distill.trace.records import read_traces
from distill.training.config import Part
from distill.training.rows import Row, encode_rows

GREATEST = ("longest", "highest")
"""Counts of which a mixture has the greatest of its parts, and no sum."""


def build_parts(
    tokenizer: Tokenizer, parts: Sequence[Part], limit: int, keep: Callable[[Row], None]
) -> dict[str, Any]:
    """Call `keep` with the rows of all parts, one after another; returns counts, see `build_rows`.

    Of several parts, counts are sums (`longest` and `highest`: the greatest), lists are joined, and
    `parts` has the counts of each under its name, with its `share` of all response tokens.
    """

    def build(number: int, part: Part) -> dict[str, Any]:
        return build_rows(tokenizer, *part, limit, lambda row: keep(replace(row, part=number)))

    built = [build(number, part) for number, part in enumerate(parts)]
    if len(parts) == 1:
        return built[0]
    whole: dict[str, Any] = {}
    for name in built[0]:
        first, *others = (counts[name] for counts in built)
        for other in others:
            first = max(first, other) if name in GREATEST else first + other
        whole[name] = first
    whole["parts"] = {
        part.name: {name: counts[name] for name in counts if name not in GREATEST}
        | {"share": counts["response_tokens"] / whole["response_tokens"]}
        for part, counts in zip(parts, built, strict=True)
    }
    return whole


def build_rows(
    tokenizer: Tokenizer,
    prompt: PromptConfig,
    selected: Path,
    corrupted: Path,
    union: Sequence[Path],
    limit: int,
    keep: Callable[[Row], None],
) -> dict[str, Any]:
    """Call `keep` with each row of an arm; returns counts, of what was dropped too. None is cut.

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
        keep: called in the order of `corrupted`; the rows are kept nowhere else.

    Returns:
        `rows`, their `tokens` and `response_tokens`, and the `highest` token; `dropped` and its
        parts `dropped_undamaged`, `dropped_damaged` and `dropped_union` (too long) and
        `dropped_unwritable`, each trace under the first that applies; `dropped_ids`, and
        `why_unwritable`, the reasons for up to five; `normalised`, rows that the tokenizer writes
        in another form; and `longest`, tokens of the longest trace in any of these arms that is not
        too long.

    Raises:
        ValueError: no trace is left; the artifacts differ in size; the tokenizer has no end token;
            or the chat template leaves a message out.
    """
    if tokenizer.eos_token_id is None:
        raise ValueError(
            "the student's tokenizer has no end token, by which a student learns where to stop; "
            "name one as eos_token in the tokenizer_config.json of a copy"
        )
    count, there = _count(selected), _count(corrupted)
    if count != there:
        raise ValueError(
            f"{selected} has {count} traces and {corrupted} has {there}; a corruption "
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
    found: Counter[str] = Counter()
    longest = highest = 0
    lost: dict[str, str] = {}
    dropped: dict[str, list[str]] = {"undamaged": [], "damaged": [], "union": []}
    for row, at in zip(_rows(tokenizer, prompt, corrupted, limit), first, strict=True):
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
            tokens = len(row.input_ids)
            longest, highest = max(longest, tokens), max(highest, *row.input_ids)
            found.update(rows=1, tokens=tokens, response_tokens=tokens - row.prompt_tokens)
            found["normalised"] += row.normalised
            keep(replace(row, undamaged=at.tokens))
    dropped["unwritable"] = list(lost)
    reasons = [f"{name}: {why}" for name, why in islice(lost.items(), 5)]
    if not found["rows"]:
        raise ValueError(
            f"all {there} traces of {corrupted} are longer than training.max_tokens={limit} "
            "or cannot be written by the tokenizer: "
            f"{len(dropped['undamaged'])} too long undamaged, {len(dropped['damaged'])} in this "
            f"arm, {len(dropped['union'])} in another arm of training.union; {len(lost)} cannot be "
            f"written{'; '.join(['', *reasons])}"
        )
    ids = [name for names in dropped.values() for name in names]
    counts: dict[str, Any] = {f"dropped_{name}": len(names) for name, names in dropped.items()}
    fitting = (size.tokens for size in (*first, *others) if size.tokens <= limit)
    return counts | {
        **{name: found[name] for name in ("rows", "tokens", "response_tokens", "normalised")},
        "longest": max(longest, *fitting),
        "highest": highest,
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
    for row in _rows(tokenizer, prompt, artifact, limit):
        yield _Size(row.trace_id, len(row.input_ids), row.unwritable)


def _rows(tokenizer: Tokenizer, prompt: PromptConfig, artifact: Path, limit: int) -> Iterator[Row]:
    return encode_rows(tokenizer, prompt, read_traces(artifact / "traces.jsonl"), limit)


def _count(artifact: Path) -> int:
    with (artifact / "traces.jsonl").open("rb") as lines:
        return sum(1 for _ in lines)
