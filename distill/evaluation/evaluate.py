"""Stage 7 of 7: student -> scored responses."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.evaluation.scores import scores, write_samples
from distill.grading import grade
from distill.grading.config import GradingConfig
from distill.micro.diagnostics import diagnose
from distill.models import converse, engines, hub
from distill.models.config import EngineConfig, PromptConfig, SamplingConfig, StudentConfig
from distill.models.engines import Completion, Refusal
from distill.models.prompt import Parsed, messages, parse
from distill.store.artifacts import write_json
from distill.store.identity import content_hash
from distill.trace.keywords import KEYWORDS, count_keywords
from distill.trace.records import Problem, read_problems

VERSION = 3

DIAGNOSTICS: dict[str, Callable[[str, str], dict[str, float | None]]] = {"sign_puzzle": diagnose}
"""Kind of problem -> measures of (question, response) that explain a score, or None."""


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
        "grading": grade.pins(),
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
    undecided, and no mean of tokens or keywords counts it; where there is one, `refused` is their
    share. Meanwhile responses are kept in `rows.jsonl`, from which a killed evaluation continues to
    the same bytes.

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
    distinct = len({problem.id for problem, _ in asked})
    if not asked or distinct * samples != len(asked):
        raise ValueError(
            f"{problems} must hold problems, each of them once; it has {len(asked) // samples}, "
            f"{distinct} of them distinct"
        )
    path = out / "rows.jsonl"
    replies = converse.converse(
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
    answered = [problem for problem, _ in asked]
    rows = graded(answered, [_parsed(prompt, engine, row) for row in rows], rows, how, compute)
    rows = [_diagnosed(problem, row) for problem, row in zip(answered, rows, strict=True)]
    refused = {i: reply for i, reply in enumerate(replies) if isinstance(reply, Refusal)}
    for i, refusal in refused.items():
        rows[i] |= {"correct": None, "why": f"the server refuses it: {refusal}"}
        rows[i] |= {"tokens": None, "keywords": None}  # of nothing that was written
    write_samples(out / "samples.parquet", rows)
    summary = scores(rows) | ({"refused": len(refused) / len(rows)} if refused else {})
    write_json(out / "scores.json", summary)
    write_json(out / "summary.json", summary)
    path.unlink()


def graded(
    problems: Sequence[Problem],
    parsed: Sequence[Parsed],
    rows: Sequence[dict[str, Any]],
    how: GradingConfig,
    compute: ComputeConfig,
) -> list[dict[str, Any]]:
    """Rows of responses with their verdicts; a thought that never closed is not read for an answer.

    Args:
        problems: what each response answers.
        parsed: the responses taken apart.
        rows: `problem_id`, `sample`, `response`, `tokens` and `truncated` of each.
        how: when an answer counts as right.
        compute: workers of the grader.

    Returns:
        The rows in the columns of `distill.evaluation.scores.COLUMNS`, and what else they had.
    """
    read = [(p, part.solution) for p, part in zip(problems, parsed, strict=True) if part.closed]
    verdicts = iter(grade.grade_all(read, how, compute))
    unclosed = grade.Verdict(False, None, "the thought never closed")
    made = []
    for problem, part, row in zip(problems, parsed, rows, strict=True):
        verdict = next(verdicts) if part.closed else unclosed
        told = {
            "question": problem.question,
            "answer": problem.answer,
            "thought_closed": part.closed,
            "extracted": verdict.answer,
            "correct": verdict.correct,
            "why": verdict.why,
            "keywords": count_keywords(row["response"]),
        }
        made.append(row | told)
    return made


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


def _parsed(prompt: PromptConfig, engine: EngineConfig, row: dict[str, Any]) -> Parsed:
    """A response taken apart; one cut off before any mark is a thought that never closed.

    So it is only where a thought may open unmarked: by the prompt, or behind a server of chats.
    """
    part = parse(prompt, row["response"])
    marked = prompt.thought_open and not engine.wants_messages
    return part if marked or part.thought or not row["truncated"] else replace(part, closed=False)


def _diagnosed(problem: Problem, row: dict[str, Any]) -> dict[str, Any]:
    if problem.kind not in DIAGNOSTICS:
        return row
    return row | DIAGNOSTICS[problem.kind](problem.question, row["response"])
