"""Rows of responses -> the scores of a benchmark; what a row holds, and the file of rows."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from distill.evaluation.intervals import run_interval

COLUMNS = {
    "problem_id": "string",
    "sample": "int32",
    "question": "string",
    "answer": "string",
    "response": "string",
    "thought_closed": "bool",
    "extracted": "string",
    "correct": "bool",
    "why": "string",
    "tokens": "int32",
    "truncated": "bool",
    "keywords": "int32",
}
"""Columns of a row and their types in Arrow; diagnostics follow as doubles."""


def write_samples(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of responses as `samples.parquet`; diagnostics follow the columns of all rows."""
    import pyarrow
    from pyarrow import parquet

    types = COLUMNS | {name: "double" for row in rows for name in row if name not in COLUMNS}
    schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in types.items()])
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema), path)


def scores(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Summary of the rows of one benchmark, each problem with as many samples.

    Returns:
        `problems`, `samples` a problem; `accuracy`: mean over problems of the share of right
        samples (undecided ones count as not right), which is pass@1; its `standard_error`,
        clustered by problem (None for one problem), and its 95 % interval `low`, `high`, see
        `run_interval`; with k > 1 samples `pass@2`, `pass@4`, ... and
        `pass@k` (unbiased, arXiv:2107.03374) and `cons@k` (the most frequent answer of a problem
        is right); shares `truncated`, `unclosed` (thoughts never closed) and `undecided`; and over
        the rows that have them the means `tokens`, `keywords` and those of the diagnostics.
    """
    by_problem: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_problem.setdefault(row["problem_id"], []).append(row)
    n, samples = len(by_problem), len(rows) // len(by_problem)
    right = [sum(row["correct"] is True for row in group) for group in by_problem.values()]
    shares = [count / samples for count in right]
    accuracy = sum(shares) / n
    error = None
    if n > 1:
        error = math.sqrt(sum((share - accuracy) ** 2 for share in shares) / (n - 1) / n)
    low, high = run_interval(accuracy, n, error)
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
        "standard_error": error,
        "low": low,
        "high": high,
        "truncated": _mean(row["truncated"] for row in rows),
        "unclosed": _mean(not row["thought_closed"] for row in rows),
        "undecided": _mean(row["correct"] is None for row in rows),
        "tokens": _mean(row["tokens"] for row in rows),
        "keywords": _mean(row["keywords"] for row in rows),
    } | more


def pass_at(k: int, samples: int, right: int) -> float:
    """Chance that one of k samples, drawn from `samples` of which `right` are right, is right.

    The unbiased estimator of arXiv:2107.03374, section 2.1.
    """
    return 1 - math.comb(samples - right, k) / math.comb(samples, k)


def consensus(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether the most frequent answer among the samples of one problem is right.

    Answers that were judged right count as one answer, however they are written; others by their
    text. Of equally frequent answers the first that was given is taken; samples without an answer
    have no vote.
    """
    given = [row for row in rows if row["extracted"] is not None]
    votes = Counter(_RIGHT if row["correct"] is True else row["extracted"] for row in given)
    return bool(votes) and votes.most_common(1)[0][0] is _RIGHT


_RIGHT = object()
"""The vote of every right answer."""


def _budgets(samples: int) -> list[int]:
    """Each k of the pass@k that is reported: powers of two, and all samples."""
    powers = [2**i for i in range(1, samples.bit_length()) if 2**i < samples]
    return [*powers, samples] if samples > 1 else []


def _mean(values: Iterable[float | None]) -> float | None:
    """Mean of the numbers or truth values that there are; None of none."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None
