"""Mark every trace as correct or wrong, and say why; nothing is filtered."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from distill.compute import ComputeConfig
from distill.grading import grade, reward_model
from distill.grading.config import GradingConfig
from distill.models import hub
from distill.models.annotate import annotate, annotator_pins, limit_failed
from distill.models.config import AskConfig
from distill.models.converse import REPLIES
from distill.models.engines import Completion
from distill.store.artifacts import read_json, write_json
from distill.store.identity import version
from distill.teachers.config import VerificationConfig
from distill.teachers.quality import RULES, flaws
from distill.trace.records import WITHOUT_THOUGHT, Trace, read_traces, write_records

VERSION = 5

UNCHECKED = "unchecked: its source gives no gold answer and no tests"
"""Why a trace has no verdict that nothing could have given one."""

_REWARDS = "rewards.jsonl"
_VERDICT = re.compile(r"\bverdict\W+(correct|wrong)\b", re.IGNORECASE)


def pins(how: GradingConfig, verification: VerificationConfig, *rest: Any) -> dict[str, Any]:
    """What decides the verdicts from outside: the grader, and the judge or reward model."""
    decides: dict[str, Any] = {"grading": grade.pins()}
    if verification.judge:
        decides["judge"] = annotator_pins(verification.judge)
    if verification.reward_model:
        model = verification.reward_model, verification.reward_revision
        decides["reward"] = {"model": hub.resolve_model(*model)}
        decides["reward"] |= {name: version(name) for name in reward_model.LIBRARIES}
    return decides


def verify_traces(
    how: GradingConfig,
    verification: VerificationConfig,
    traces: Path,
    *,
    compute: ComputeConfig,
    out: Path,
) -> None:
    """Grade the solution of every trace; a trace that was cut off is wrong. Score it, if asked.

    A trace whose problem comes without a gold answer and without tests is unchecked, whatever it
    answers: it has no verdict unless a judge whose message shows no `{answer}` gives one. What the
    grader leaves undecided goes to the judge, if there is one. A reward model scores every trace,
    and gives the verdicts that `verification.reward_decides` says. What models say is cached in
    files, from which a killed call continues. `summary.json` counts the verdicts, those that were
    not the grader's, of the undecided those that stay `unchecked`, and the failed calls of a judge,
    which leave a trace undecided and are named in `failed.jsonl`; of scores it has the extremes and
    the median. Traces that are badly written by a rule of `verification` keep their verdict and
    name the rule; `badly_written` counts the right ones by rule.

    Raises:
        ValueError: more of the teacher's replies lack a thought, or more calls of the judge fail,
            than `compute.max_unusable` allows.
    """
    given = list(read_traces(traces / "traces.jsonl"))
    _limit_without_thought(traces, len(given), compute)
    graded = _graded(given, how, compute)
    second: dict[str, Any] = {}
    if verification.reward_model:
        graded, second = _scored(graded, verification, compute, out)
    open_ones = [trace for trace in graded if trace.correct is None]
    if verification.judge and "{answer}" in verification.judge.user:
        open_ones = [trace for trace in open_ones if grade.checkable(trace.problem)]
    if open_ones and verification.judge:
        decided, second["failed"] = _judged(open_ones, verification.judge, compute, out)
        second["judged"] = sum(trace.correct is not None for trace in decided)
    else:
        decided = []
    by_id = {trace.id: trace for trace in decided}
    marked = [by_id.get(trace.id, trace) for trace in graded]
    if verification.looks_at_writing:
        marked = [replace(trace, flaws=flaws(trace, verification)) for trace in marked]
        second["badly_written"] = _badly_written(marked)
    count = write_records(out / "traces.jsonl", marked)
    verdicts = Counter(trace.correct for trace in marked)
    counts = {"correct": verdicts[True], "wrong": verdicts[False], "undecided": verdicts[None]}
    counts["unchecked"] = sum(_unchecked(trace) for trace in marked)
    write_json(out / "summary.json", {"traces": count} | counts | second)
    for name in (REPLIES, _REWARDS):
        (out / name).unlink(missing_ok=True)


def served(
    how: GradingConfig,
    verification: VerificationConfig,
    traces: Path,
    *,
    compute: ComputeConfig,
    out: Path,
) -> None:
    """Check `compute.max_unusable` whenever the verdicts are used."""
    counts = read_json(out / "summary.json")
    _limit_without_thought(traces, counts["traces"], compute)
    if verification.judge:
        asked = counts.get("judged", 0) + counts["undecided"]
        if "{answer}" in verification.judge.user:
            asked -= counts["unchecked"]
        limit_failed(asked, compute, out)


def _limit_without_thought(traces: Path, given: int, compute: ComputeConfig) -> None:
    """Stop where too many replies lack a thought.

    Checked here and not where they are sampled: a run with `teacher.convert` may use them all.
    """
    if not (bare_file := traces / WITHOUT_THOUGHT).is_file():
        return
    bare = sum(1 for _ in read_traces(bare_file))
    if bare > compute.max_unusable * (given + bare):
        raise ValueError(
            f"{bare} of {given + bare} replies of the teacher hold no thought, more than "
            f"compute.max_unusable={compute.max_unusable} allows: they lack the marks of "
            "teacher.prompt. Have a model split them (+ask@teacher.convert=sky_t1_convert); no "
            "reply is asked for again. Or count all before an answer as thought "
            "(teacher.bare=thought)"
        )


def _graded(traces: Sequence[Trace], how: GradingConfig, compute: ComputeConfig) -> list[Trace]:
    known = {trace.id: verdict for trace in traces if (verdict := _beforehand(trace))}
    pairs = [(trace.problem, trace.solution) for trace in traces if trace.id not in known]
    verdicts = iter(grade.grade_all(pairs, how, compute))
    marked = []
    for trace in traces:
        verdict = known.get(trace.id) or next(verdicts)
        marked.append(replace(trace, correct=verdict.correct, why=verdict.why))
    return marked


def _beforehand(trace: Trace) -> grade.Verdict | None:
    """The verdict on a trace that no grader needs to see."""
    if trace.finish_reason == "length":
        return grade.Verdict(False, None, "the teacher was cut off")
    return None if grade.checkable(trace.problem) else grade.Verdict(None, None, UNCHECKED)


def _badly_written(traces: Sequence[Trace]) -> dict[str, int]:
    """Of the right traces those that break a rule, by rule, and how many break any."""
    right = [trace.flaws for trace in traces if trace.correct]
    by_rule = {rule: sum(rule in broken for broken in right) for rule in RULES}
    return {"any": sum(bool(broken) for broken in right)} | by_rule


def _unchecked(trace: Trace) -> bool:
    return trace.correct is None and not grade.checkable(trace.problem)


def _judged(
    traces: Sequence[Trace], judge: AskConfig, compute: ComputeConfig, out: Path
) -> tuple[list[Trace], int]:
    """The traces with the judge's verdicts, and how many of its calls failed."""
    made, failed = annotate(judge, traces, _with_verdict, compute=compute, out=out)
    whys = {call.id: call.why for call in failed}
    judged = [
        made.get(trace.id)
        or replace(trace, why=f"{trace.why}; the call of the judge failed: {whys[trace.id]}")
        for trace in traces
    ]
    return judged, len(failed)


def _with_verdict(trace: Trace, reply: Completion) -> Trace:
    """The trace with the last verdict that is stated; a reply without one or cut off has none."""
    stated = _VERDICT.findall(reply.text)
    if reply.finish_reason == "length" or not stated:
        return replace(trace, why=f"{trace.why}; the judge states no verdict")
    correct = stated[-1].lower() == "correct"
    return replace(trace, correct=correct, why=f"the judge: {stated[-1].lower()}")


def _scored(
    traces: Sequence[Trace], verification: VerificationConfig, compute: ComputeConfig, out: Path
) -> tuple[list[Trace], dict[str, Any]]:
    """The traces with their scores, and the verdicts that these give; how many, and the scores."""
    assert verification.reward_model
    name, revision, keep = verification.reward_model, verification.reward_revision, out / _REWARDS
    scores = reward_model.score(name, revision, traces, keep=keep, compute=compute)
    least, made, rewarded = verification.reward_threshold, [], 0
    for trace, score in zip(traces, scores, strict=True):
        decides = verification.reward_decides == "all" or trace.correct is None
        if least is not None and decides and trace.finish_reason != "length":
            why = f"reward {score:.4g}, at least {least:g} passes"
            trace, rewarded = replace(trace, correct=score >= least, why=why), rewarded + 1
        made.append(replace(trace, score=score))
    counts: dict[str, Any] = {"scored": len(made), "rewarded": rewarded}
    if made:
        counts["score"] = {"least": min(scores), "median": median(scores), "most": max(scores)}
    return made, counts
