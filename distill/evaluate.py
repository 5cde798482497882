"""Stage 7 of 7: student -> scored responses."""

import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from distill import engines, grading, hub
from distill.config import ComputeConfig, EngineConfig, PromptConfig, SamplingConfig, StudentConfig
from distill.engines import Completion
from distill.keywords import KEYWORDS, count_keywords
from distill.micro.diagnostics import diagnose
from distill.prompt import parse, prompt_ids
from distill.store import content_hash, write_json
from distill.trace import Problem, digest, read_problems

VERSION = 1

DIAGNOSTICS: dict[str, Callable[[str, str], dict[str, float | None]]] = {"sign_puzzle": diagnose}
"""Kind of problem -> measures of (question, response) that explain a score, or None."""

Z = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


def pins(
    sampling: SamplingConfig,
    samples: int,
    engine: EngineConfig,
    prompt: PromptConfig,
    student: StudentConfig,
    *rest: Any,
) -> dict[str, Any]:
    """What decides the scores from outside: model, engine, grader and keyword list."""
    return {
        "model": hub.resolve(student),
        "engine": engines.pins(engine),
        "grading": grading.VERSION,
        "keywords": content_hash(KEYWORDS),
    }


def evaluate_student(
    sampling: SamplingConfig,
    samples: int,
    engine: EngineConfig,
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
    `scores.json`, which is also the stage's `summary.json`. Meanwhile rows are kept in
    `rows.jsonl`, from which a killed evaluation continues to the same bytes.

    Args:
        sampling: how responses are drawn.
        samples: responses a problem.
        engine: what generates.
        prompt: the text around the question, as in training.
        student: the base model.
        trained: artifact of stage 6; None scores the base.
        problems: artifact of stage 1.
        compute: device, threads, progress bar.
        out: folder to write to.

    Raises:
        ValueError: there are no problems, or a problem is there twice.
    """
    asked = [(p, k) for p in read_problems(problems / "problems.jsonl") for k in range(samples)]
    if not asked or len({p.id for p, _ in asked}) * samples != len(asked):
        raise ValueError(f"{problems} must hold problems, each of them once")
    path = out / "rows.jsonl"
    rows = {(row["problem_id"], row["sample"]): row for row in _kept_rows(path)}
    owed = [(p, k) for p, k in asked if (p.id, k) not in rows]
    if owed:
        model = hub.trained_model(student, trained)
        tokenizer = hub.load_tokenizer(model)
        completions = engines.generate(
            engine,
            model,
            [prompt_ids(tokenizer, prompt, p.question) for p, _ in asked],
            [int(digest(str(sampling.seed), p.id, str(k)), 16) for p, k in asked],
            sampling,
            done={i for i, (p, k) in enumerate(asked) if (p.id, k) in rows},
            compute=compute,
        )
        with path.open("a", encoding="utf-8", newline="\n") as file:
            for i, completion in completions:
                problem, sample = asked[i]
                if (problem.id, sample) not in rows:
                    row = _row(problem, sample, prompt, completion)
                    rows[problem.id, sample] = row
                    _append(file, row, flush=len(rows) % engine.batch == 0)
    ordered = [rows[p.id, k] for p, k in asked]
    _write_parquet(out / "samples.parquet", ordered)
    summary = scores(ordered)
    write_json(out / "scores.json", summary)
    write_json(out / "summary.json", summary)
    path.unlink()


def scores(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Summary of the rows of one benchmark, each problem with as many samples.

    Returns:
        `problems`, `samples` a problem; `accuracy`: mean over problems of the share of right
        samples (undecided ones count as not right); its `standard_error`, clustered by problem
        (None for one problem), and its 95 % interval `low`, `high`: Wilson's for one sample, else
        normal and clustered; shares `truncated`, `unclosed` (thoughts never closed) and
        `undecided`; means `tokens` and `keywords`; and means of the diagnostics over the rows that
        have them.
    """
    by_problem: dict[str, list[bool]] = {}
    for row in rows:
        by_problem.setdefault(row["problem_id"], []).append(row["correct"] is True)
    shares = [sum(right) / len(right) for right in by_problem.values()]
    n, samples = len(shares), len(rows) // len(shares)
    accuracy = sum(shares) / n
    error = None
    if n > 1:
        error = math.sqrt(sum((share - accuracy) ** 2 for share in shares) / (n - 1) / n)
    low, high = _wilson(accuracy, n)
    if samples > 1 and error is not None:
        low, high = max(0.0, accuracy - Z * error), min(1.0, accuracy + Z * error)
    extra = {name: None for row in rows for name in row if name not in _COLUMNS}
    diagnostics = {name: [r[name] for r in rows if r.get(name) is not None] for name in extra}
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
    } | {name: _mean(values) for name, values in diagnostics.items()}


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
    problem: Problem, sample: int, prompt: PromptConfig, completion: Completion
) -> dict[str, Any]:
    """Grade one response. A thought that never closed is never read for an answer."""
    parsed = parse(prompt, completion.text)
    verdict = grading.Verdict(False, None, "the thought never closed")
    if parsed.closed:
        verdict = grading.grade(problem, parsed.solution)
    row = {
        "problem_id": problem.id,
        "sample": sample,
        "question": problem.question,
        "answer": problem.answer,
        "response": completion.text,
        "thought_closed": parsed.closed,
        "extracted": verdict.answer,
        "correct": verdict.correct,
        "why": verdict.why,
        "tokens": completion.tokens,
        "truncated": completion.finish_reason == "length",
        "keywords": count_keywords(completion.text),
    }
    if problem.kind in DIAGNOSTICS:
        row |= DIAGNOSTICS[problem.kind](problem.question, completion.text)
    return row


def _kept_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a killed attempt; what it tore off at the end is cut off, and owed again."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    for line in content[:whole].splitlines():
        yield json.loads(line)


def _append(file: TextIO, row: dict[str, Any], flush: bool) -> None:
    """Write a row where a kill leaves it; on `flush` also where a power cut does."""
    file.write(json.dumps(row) + "\n")
    file.flush()
    if flush:
        os.fsync(file.fileno())


def _write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
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
