r"""Graded responses are rows of `samples.parquet`, and a benchmark's scores summarise them.

One row per problem and sample. This one was recorded in a run on the embedded world (the
diagnostics after `keywords` depend on the kind of problem; the last three have nothing to count in
a response without a thought):

    {"problem_id": "7898a31d95ae1816", "sample": 0,
     "question": "Use + or - between 1 2 5 6 to make 2.", "answer": "1+2+5-6",
     "response": "Solution: 1+2=3, 3+5=8, 8-6=2. So \\boxed{1+2+5-6}.",
     "thought_closed": true, "extracted": "1+2+5-6", "boxed": true, "correct": true, "why": "right",
     "tokens": 37, "truncated": false, "keywords": 0, "true_equations": 1.0,
     "trials_in_order": null, "repeated_steps": null, "stops_after_yes": null}
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from distill.evaluation.intervals import freedom, run_interval

COLUMNS = {
    "problem_id": "string",
    "sample": "int32",
    "question": "string",
    "answer": "string",
    "response": "string",
    "thought_closed": "bool",
    "extracted": "string",
    "boxed": "bool",
    "correct": "bool",
    "why": "string",
    "tokens": "int32",
    "truncated": "bool",
    "keywords": "int32",
}
"""Columns of a row and their types in Arrow; diagnostics follow as doubles. `correct` is null if
undecided, `extracted` if there is no answer; `boxed` says whether the answer stood in the mark that
prompts ask for, see `distill.grading.grade.Verdict.marked`, and is null where nobody looked."""


def write_samples(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of responses as Parquet: `COLUMNS`, then the diagnostics that any row has."""
    import pyarrow
    from pyarrow import parquet

    types = COLUMNS | {name: "double" for row in rows for name in row if name not in COLUMNS}
    schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in types.items()])
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema), path)


def scores(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Summarise the rows of one benchmark, which has equally many samples of each problem.

    Returns:
        `problems`; `samples` per problem; `accuracy`: mean over problems of the share of right
        samples (undecided ones are not right), which is pass@1; `accuracy_boxed`: the same if only
        answers in the mark that prompts ask for count, as with `grading.fallback=none` (None where
        nobody looked); its `standard_error`, clustered by
        problem (None for one problem), and the degrees of `freedom` of its square, see
        `intervals.freedom`; its 95 % interval `low`, `high`, see
        `intervals.run_interval`; with k > 1 samples `pass@2`, `pass@4`, ... and `pass@k`
        (unbiased, arXiv:2107.03374) and `cons@k` (the most frequent answer is right); the shares
        `truncated`, `unclosed` (thoughts never closed), `unread` (closed, but no answer was read)
        and `undecided`; and over the rows that have
        them, the means of `tokens`, `keywords` and the diagnostics.
    """
    by_problem: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_problem.setdefault(row["problem_id"], []).append(row)
    n, samples = len(by_problem), len(rows) // len(by_problem)
    right = [sum(row["correct"] is True for row in group) for group in by_problem.values()]
    shares = [count / samples for count in right]
    accuracy = sum(shares) / n
    error = degrees = None
    if n > 1:
        error = math.sqrt(sum((share - accuracy) ** 2 for share in shares) / (n - 1) / n)
        degrees = freedom(shares)
    made = {"accuracy": accuracy, "problems": n, "standard_error": error, "freedom": degrees}
    low, high = run_interval(made)
    more: dict[str, float | None] = {
        f"pass@{k}": _mean(pass_at(k, samples, count) for count in right) for k in _budgets(samples)
    }
    if samples > 1:
        more[f"cons@{samples}"] = _mean(map(consensus, by_problem.values()))
    extra = {name: None for row in rows for name in row if name not in COLUMNS}
    for name in extra:
        more[name] = _mean(row.get(name) for row in rows)
    return {
        "problems": n,
        "samples": samples,
        "accuracy": accuracy,
        "accuracy_boxed": _mean(_boxed(row) for row in rows),
        "standard_error": error,
        "freedom": degrees,
        "low": low,
        "high": high,
        "truncated": _mean(row["truncated"] for row in rows),
        "unclosed": _mean(not row["thought_closed"] for row in rows),
        "unread": _mean(row["thought_closed"] and _unread(row) for row in rows),
        "undecided": _mean(row["correct"] is None for row in rows),
        "tokens": _mean(row["tokens"] for row in rows),
        "keywords": _mean(row["keywords"] for row in rows),
    } | more


def warning(rows: Sequence[dict[str, Any]], fallback: str) -> str | None:
    """What to tell a user if many finished responses have no answer that can be read, else None."""
    unread = sum(bool(row["thought_closed"] and _unread(row)) for row in rows)
    if unread <= UNREAD * len(rows):
        return None
    cut = sum(bool(row["truncated"] and row["thought_closed"] and _unread(row)) for row in rows)
    others = {"none": "statement or last_number", "statement": "last_number"}.get(fallback)
    change = f"; grading.fallback={others} reads more than {fallback}" if others else ""
    return (
        f"{unread} of {len(rows)} responses ({100 * unread / len(rows):.1f} %) have no readable "
        f"answer and count as wrong, {cut} of them cut off at sampling.max_new_tokens{change}; "
        "accuracy_boxed counts marked answers alone"
    )


UNREAD = 0.05
"""Share of responses without a readable answer from which on a user is warned."""


def _unread(row: dict[str, Any]) -> bool:
    """Not of a refused prompt, which has no response."""
    return row["extracted"] is None and row["correct"] is False and row.get("boxed") is not None


def _boxed(row: dict[str, Any]) -> bool | None:
    boxed = row.get("boxed")
    return None if boxed is None else boxed and row["correct"] is True


def pass_at(k: int, samples: int, right: int) -> float:
    """Chance that one of k samples, drawn from `samples` of which `right` are right, is right.

    The unbiased estimator of arXiv:2107.03374, section 2.1.
    """
    return 1 - math.comb(samples - right, k) / math.comb(samples, k)


def consensus(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether the most frequent answer among the samples of one problem is right.

    All right answers count as one, however they are written; others are compared as text. Of
    equally frequent answers the one that was given first wins. Samples without an answer have no
    vote.
    """
    given = [row for row in rows if row["extracted"] is not None]
    votes = Counter(_RIGHT if row["correct"] is True else row["extracted"] for row in given)
    return bool(votes) and votes.most_common(1)[0][0] is _RIGHT


_RIGHT = object()
"""The vote of every right answer."""


def _budgets(samples: int) -> list[int]:
    """Each k for which pass@k is reported: powers of two, and all samples."""
    powers = [2**i for i in range(1, samples.bit_length()) if 2**i < samples]
    return [*powers, samples] if samples > 1 else []


def _mean(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are not None; None if there are none."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None
