"""The stage `evaluate` samples a student's responses to a benchmark, grades and scores them."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.evaluation.scores import scores, warning, write_samples
from distill.grading import grade
from distill.grading.config import GradingConfig
from distill.micro.diagnostics import diagnose
from distill.models import converse, engines, hub
from distill.models.config import EngineConfig, PromptConfig, SamplingConfig, StudentConfig
from distill.models.engines import Completion, Refusal
from distill.models.prompt import Parsed, closes, messages, parse, parse_foreign
from distill.store.artifacts import read_json, write_json
from distill.store.identity import content_hash
from distill.trace.keywords import DEFAULT, count_keywords, list_file
from distill.trace.records import Problem, read_problems

VERSION = 7

log = logging.getLogger(__name__)

DIAGNOSTICS: dict[str, Callable[[str, str], dict[str, float | None]]] = {"sign_puzzle": diagnose}
"""Kind of problem -> measures of (question, response) that explain a score, or None."""


def pins(
    sampling: SamplingConfig,
    samples: int,
    engine: EngineConfig,
    how: GradingConfig,
    prompt: PromptConfig,
    student: StudentConfig,
    trained: Any,
    problems: Any,
    keywords: str = DEFAULT,
    begun: Any = None,
) -> dict[str, Any]:
    """What decides the scores besides the arguments: model, engine, grader and keyword list."""
    return {
        "model": hub.resolve(student),
        "engine": engines.pins(engine),
        "grading": grade.pins(),
        "keywords": content_hash(list_file(keywords)),
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
    keywords: str = DEFAULT,
    begun: Path | None = None,
    *,
    compute: ComputeConfig,
    out: Path,
) -> None:
    """Sample responses to each problem, grade them, and summarise the verdicts.

    Reads `problems.jsonl`. Writes `samples.parquet` (`distill.evaluation.scores`), one row per
    problem and sample in the order of the problems, and the scores as `summary.json`. A prompt that
    a server refuses leaves its row undecided and out of the means of tokens and keywords; if there
    are any, `refused` is their share. Until the end, responses are kept in `rows.jsonl`, from which
    an interrupted evaluation continues to the same bytes. If more than 5 % of the responses have no
    readable answer, a warning says how many and which field to change. `samples` is the number of
    responses per problem; where `trained`, an artifact of the stage `train`, is None, the base
    model is scored, or the one that training begins at in `begun`. `keywords` names the list whose
    words are counted.

    Raises:
        ValueError: there are no problems, a problem occurs twice, or more prompts are refused than
            `compute.max_unusable` allows.
    """
    asked = [(p, k) for p in read_problems(problems / "problems.jsonl") for k in range(samples)]
    distinct = len({problem.id for problem, _ in asked})
    if not asked or distinct * samples != len(asked):
        raise ValueError(
            f"{problems} must have problems, each of them once; it has {len(asked) // samples}, "
            f"of which {distinct} are distinct"
        )
    path = out / "rows.jsonl"
    replies = converse.converse(
        hub.trained_model(student, trained, begun),
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
    parsed = [_parsed(prompt, engine, row) for row in rows]
    rows = graded(answered, parsed, rows, how, compute, keywords)
    for problem, row in zip(answered, rows, strict=True):
        if problem.kind in DIAGNOSTICS:
            row |= DIAGNOSTICS[problem.kind](problem.question, row["response"])
    refused = {i: reply for i, reply in enumerate(replies) if isinstance(reply, Refusal)}
    for i, refusal in refused.items():
        rows[i] |= {"correct": None, "why": f"the server refuses it: {refusal}"}
        rows[i] |= {"tokens": None, "keywords": None}
    if told := warning(rows, how.fallback):
        log.warning("%s: %s", answered[0].source, told)
    write_samples(out / "samples.parquet", rows)
    share = {"refused": len(refused) / len(rows)} if refused else {}
    write_json(out / "summary.json", scores(rows) | share)
    path.unlink()


def served(*asked: Any, compute: ComputeConfig, out: Path) -> None:
    """Check `compute.max_unusable` whenever the scores are used.

    Raises:
        ValueError: more prompts were refused than it allows.
    """
    counts = read_json(out / "summary.json")
    prompts = counts["problems"] * counts["samples"]
    refused = round(counts.get("refused", 0) * prompts)
    if refused > compute.max_unusable * prompts:
        raise ValueError(
            f"{refused} of {prompts} prompts were refused when these scores were made, more than "
            f"compute.max_unusable={compute.max_unusable} allows; raise it to use the rest"
        )


def graded(
    problems: Sequence[Problem],
    parsed: Sequence[Parsed],
    rows: Sequence[dict[str, Any]],
    how: GradingConfig,
    compute: ComputeConfig,
    keywords: str = DEFAULT,
) -> list[dict[str, Any]]:
    """Add verdicts to rows of responses; a response whose thought never closed is wrong.

    `problems`, `parsed` and `rows` are of equal length; rows have `problem_id`, `sample`,
    `response`, `tokens` and `truncated`, and are returned with all of
    `distill.evaluation.scores.COLUMNS`, and any other columns they had.
    """
    read = [(p, part.solution) for p, part in zip(problems, parsed, strict=True) if part.closed]
    verdicts = iter(grade.grade_all(read, how, compute))
    unclosed = grade.Verdict(False, None, "the thought never closed", marked=False)
    made = []
    for problem, part, row in zip(problems, parsed, rows, strict=True):
        verdict = next(verdicts) if part.closed else unclosed
        told = {
            "question": problem.question,
            "answer": problem.answer,
            "thought_closed": part.closed,
            "extracted": verdict.answer,
            "boxed": verdict.marked and verdict.answer is not None,
            "correct": verdict.correct,
            "why": verdict.why,
            "keywords": count_keywords(row["response"], keywords),
        }
        made.append(row | told)
    return made


def _row(
    problem: Problem, sample: int, prompt: PromptConfig, reply: Completion | Refusal
) -> dict[str, Any]:
    """One response before grading; a thought that a server returned separately is put back."""
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
    """Thought and solution of a response; if it was cut off before any mark, all of it is thought.

    The latter only where a thought may begin without its opening mark: because the prompt has none,
    or because a chat server may leave it out.
    """
    if prompt.thought_open and not engine.wants_messages:
        return parse(prompt, row["response"])
    part = parse_foreign(prompt, row["response"])
    cut_off = row["truncated"] and not closes(prompt, row["response"])
    return replace(part, closed=False) if cut_off else part
