"""Stage 7 of 7: student -> scored responses."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill import ask, engines, grading, hub
from distill.config import (
    ComputeConfig,
    EngineConfig,
    GradingConfig,
    PromptConfig,
    SamplingConfig,
    StudentConfig,
)
from distill.engines import Completion, Refusal
from distill.keywords import KEYWORDS, count_keywords
from distill.micro.diagnostics import diagnose
from distill.prompt import messages, parse
from distill.store import content_hash, write_json
from distill.trace import Problem, read_problems

VERSION = 2

DIAGNOSTICS: dict[str, Callable[[str, str], dict[str, float | None]]] = {"sign_puzzle": diagnose}
"""Kind of problem -> measures of (question, response) that explain a score, or None."""

Z = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


def pins(
    sampling: SamplingConfig,
    samples: int,
    engine: EngineConfig,
    how: GradingConfig,
    prompt: PromptConfig,
    student: StudentConfig,
    *rest: Any,
) -> dict[str, Any]:
    """What decides the scores from outside: model, engine, grader and keyword list."""
    return {
        "model": hub.resolve(student),
        "engine": engines.pins(engine),
        "grading": grading.pins(),
        "keywords": content_hash(KEYWORDS),
    }


def evaluate_student(
    sampling: SamplingConfig,
    samples: int,
    engine: EngineConfig,
    how: GradingConfig,
    prompt: PromptConfig,
    student: StudentConfig,
    trained: Path | None,
    problems: Path,
    *,
    compute: ComputeConfig,
    out: Path,
) -> None:
    """Sample responses, grade them, and summarise.

    Reads `problems.jsonl`. Writes `samples.parquet`, a row a (problem, sample) in their order, and
    `scores.json`, which is also the stage's `summary.json`. A response that a server refuses is
    undecided; where there is one, `refused` is their share. Meanwhile responses are kept in
    `rows.jsonl`, from which a killed evaluation continues to the same bytes.

    Args:
        sampling: how responses are drawn.
        samples: responses a problem.
        engine: what generates.
        how: when an answer counts as right.
        prompt: the text around the question, as in training.
        student: the base model.
        trained: artifact of stage 6; None scores the base.
        problems: artifact of stage 1.
        compute: device, threads, progress bar.
        out: folder to write to.

    Raises:
        ValueError: there are no problems, a problem is there twice, or more responses are refused
            than `compute.max_unusable` allows.
    """
    asked = [(p, k) for p in read_problems(problems / "problems.jsonl") for k in range(samples)]
    if not asked or len({p.id for p, _ in asked}) * samples != len(asked):
        raise ValueError(f"{problems} must hold problems, each of them once")
    path = out / "rows.jsonl"
    replies = ask.converse(
        hub.trained_model(student, trained),
        engine,
        sampling,
        [messages(prompt, problem.question) for problem, _ in asked],
        [f"{problem.id}:{sample}" for problem, sample in asked],
        thought_open=prompt.thought_open,
        keep=path,
        compute=compute,
    )
    rows = [_row(p, k, prompt, reply) for (p, k), reply in zip(asked, replies, strict=True)]
    ordered = _graded(asked, rows, how, prompt, engine, compute)
    refused = {i: reply for i, reply in enumerate(replies) if isinstance(reply, Refusal)}
    for i, refusal in refused.items():
        ordered[i] |= {"correct": None, "why": f"the server refuses it: {refusal}"}
    write_samples(out / "samples.parquet", ordered)
    summary = scores(ordered) | ({"refused": len(refused) / len(ordered)} if refused else {})
    write_json(out / "scores.json", summary)
    write_json(out / "summary.json", summary)
    path.unlink()


def scores(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Summary of the rows of one benchmark, each problem with as many samples.

    Returns:
        `problems`, `samples` a problem; `accuracy`: mean over problems of the share of right
        samples (undecided ones count as not right), which is pass@1; its `standard_error`,
        clustered by problem (None for one problem), and its 95 % interval `low`, `high`: Wilson's
        for one sample, else normal and clustered; with k > 1 samples `pass@2`, `pass@4`, ... and
        `pass@k` (unbiased, arXiv:2107.03374) and `cons@k` (the most frequent answer of a problem
        is right); shares `truncated`, `unclosed` (thoughts never closed) and `undecided`; means
        `tokens` and `keywords`; and means of the diagnostics over the rows that have them.
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
    low, high = _wilson(accuracy, n)
    if samples > 1 and error is not None:
        low, high = max(0.0, accuracy - Z * error), min(1.0, accuracy + Z * error)
    more: dict[str, float | None] = {
        f"pass@{k}": _mean(pass_at(k, samples, count) for count in right) for k in _budgets(samples)
    }
    if samples > 1:
        more[f"cons@{samples}"] = _mean(map(consensus, by_problem.values()))
    extra = {name: None for row in rows for name in row if name not in _COLUMNS}
    for name in extra:
        more[name] = _mean(row[name] for row in rows if row.get(name) is not None)
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


_COLUMNS = {
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


def _row(
    problem: Problem, sample: int, prompt: PromptConfig, reply: Completion | Refusal
) -> dict[str, Any]:
    """One response, before it is graded; a thought that a server gave apart is put back."""
    if isinstance(reply, Refusal):
        reply = Completion([], "", "stop", 0)
    text = reply.text
    if reply.reasoning is not None:
        close = prompt.thought_close if text else ""
        text = prompt.thought_open + reply.reasoning + close + text
    return {
        "problem_id": problem.id,
        "sample": sample,
        "response": text,
        "tokens": reply.tokens,
        "truncated": reply.finish_reason == "length",
    }


def _graded(
    asked: Sequence[tuple[Problem, int]],
    rows: Sequence[dict[str, Any]],
    how: GradingConfig,
    prompt: PromptConfig,
    engine: EngineConfig,
    compute: ComputeConfig,
) -> list[dict[str, Any]]:
    """The rows with their verdicts. A thought that never closed is never read for an answer."""
    parsed = [parse(prompt, row["response"]) for row in rows]
    if not prompt.thought_open or engines.wants_messages(engine):  # a thought may open unmarked
        parsed = [
            replace(part, closed=part.closed and bool(part.thought or not row["truncated"]))
            for part, row in zip(parsed, rows, strict=True)
        ]
    read = [(p, part.solution) for (p, _), part in zip(asked, parsed, strict=True) if part.closed]
    verdicts = iter(grading.grade_all(read, how, compute))
    unclosed = grading.Verdict(False, None, "the thought never closed")
    graded = []
    for (problem, _), row, part in zip(asked, rows, parsed, strict=True):
        verdict = next(verdicts) if part.closed else unclosed
        more = row | {
            "question": problem.question,
            "answer": problem.answer,
            "thought_closed": part.closed,
            "extracted": verdict.answer,
            "correct": verdict.correct,
            "why": verdict.why,
            "keywords": count_keywords(row["response"]),
        }
        if problem.kind in DIAGNOSTICS:
            more |= DIAGNOSTICS[problem.kind](problem.question, row["response"])
        graded.append(more)
    return graded


def write_samples(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of responses as `samples.parquet`; diagnostics follow the columns of all rows."""
    import pyarrow
    from pyarrow import parquet

    types = _COLUMNS | {name: "double" for row in rows for name in row if name not in _COLUMNS}
    schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in types.items()])
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema), path)


def _wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n independent trials."""
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def _mean(values: Any) -> float | None:
    """Mean of numbers or truth values; None of none."""
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else None
