"""Mark every trace as correct or wrong, and say why; nothing is filtered."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
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

_CHUNK = 1000
"""Traces that are graded at a time."""

_GRADED = "graded.jsonl"
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
    name the rule; `badly_written` counts the right ones by rule. Traces are read and graded
    `_CHUNK` at a time; only those that a judge is asked about are all in memory.

    Raises:
        ValueError: more of the teacher's replies lack a thought, or more calls of the judge fail,
            than `compute.max_unusable` allows.
    """
    source = traces / "traces.jsonl"
    with source.open("rb") as lines:
        given = sum(1 for _ in lines)
    _limit_without_thought(traces, given, compute)
    scores, second = None, dict[str, Any]()
    if verification.reward_model:
        scores, second = _scores(source, verification, compute, out)
    found: Counter[str] = Counter()
    marked = _graded(source, scores, how, verification, compute, found)
    if verification.judge:
        marked, asked = _judged(marked, verification.judge, compute, out)
        second |= asked
    write_records(out / "traces.jsonl", _counted(marked, found))
    counts = {name: found[name] for name in ("correct", "wrong", "undecided", "unchecked")}
    if scores is not None:
        second["rewarded"] = found["rewarded"]
    if verification.looks_at_writing:
        second["badly_written"] = {rule: found[rule] for rule in ("any", *RULES)}
    write_json(out / "summary.json", {"traces": given} | counts | second)
    for name in (REPLIES, _REWARDS, _GRADED):
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


def _graded(
    source: Path,
    scores: Sequence[float] | None,
    how: GradingConfig,
    verification: VerificationConfig,
    compute: ComputeConfig,
    found: Counter[str],
) -> Iterator[Trace]:
    """The traces of a file with all that is said of them but by a judge.

    `found` counts those that are `rewarded`: that have a verdict from their score.
    """
    from tqdm import tqdm

    score, compared = iter(scores or ()), dict[Any, grade.Verdict]()
    traces = iter(tqdm(read_traces(source), "verify", disable=not compute.progress))
    quiet = replace(compute, progress=False)
    while chunk := list(islice(traces, _CHUNK)):
        known = {trace.id: verdict for trace in chunk if (verdict := _beforehand(trace))}
        pairs = [(trace.problem, trace.solution) for trace in chunk if trace.id not in known]
        verdicts = iter(grade.grade_all(pairs, how, quiet, compared))
        for trace in chunk:
            verdict = known.get(trace.id) or next(verdicts)
            trace = replace(trace, correct=verdict.correct, why=verdict.why)
            if scores is not None:
                trace = replace(trace, score=next(score))
                if _score_decides(trace, verification):
                    trace = _rewarded(trace, verification)
                    found["rewarded"] += 1
            if verification.looks_at_writing:
                trace = replace(trace, flaws=flaws(trace, verification))
            yield trace


def _beforehand(trace: Trace) -> grade.Verdict | None:
    """The verdict on a trace that no grader needs to see."""
    if trace.finish_reason == "length":
        return grade.Verdict(False, None, "the teacher was cut off")
    return None if grade.checkable(trace.problem) else grade.Verdict(None, None, UNCHECKED)


def _counted(traces: Iterable[Trace], found: Counter[str]) -> Iterator[Trace]:
    """The same traces, which are counted."""
    names = {True: "correct", False: "wrong", None: "undecided"}
    for trace in traces:
        found[names[trace.correct]] += 1
        found["unchecked"] += trace.correct is None and not grade.checkable(trace.problem)
        if trace.correct and trace.flaws:
            found.update(["any", *trace.flaws])
        yield trace


def _judged(
    traces: Iterable[Trace], judge: AskConfig, compute: ComputeConfig, out: Path
) -> tuple[Iterator[Trace], dict[str, int]]:
    """The traces with the judge's verdicts; how many it gave, and how many of its calls failed."""
    open_ones: list[Trace] = []

    def graded() -> Iterator[Trace]:
        for trace in traces:
            if trace.correct is None and (
                "{answer}" not in judge.user or grade.checkable(trace.problem)
            ):
                open_ones.append(trace)
            yield trace

    write_records(out / _GRADED, graded())
    if not open_ones:
        return read_traces(out / _GRADED), {}
    made, failed = annotate(judge, open_ones, _with_verdict, compute=compute, out=out)
    whys = {call.id: call.why for call in failed}
    for trace in open_ones:
        if trace.id in whys:
            why = f"{trace.why}; the call of the judge failed: {whys[trace.id]}"
            made[trace.id] = replace(trace, why=why)
    counts = {"failed": len(failed), "judged": sum(t.correct is not None for t in made.values())}
    return (made.get(trace.id, trace) for trace in read_traces(out / _GRADED)), counts


def _with_verdict(trace: Trace, reply: Completion) -> Trace:
    """The trace with the last verdict that is stated; a reply without one or cut off has none."""
    stated = _VERDICT.findall(reply.text)
    if reply.finish_reason == "length" or not stated:
        return replace(trace, why=f"{trace.why}; the judge states no verdict")
    correct = stated[-1].lower() == "correct"
    return replace(trace, correct=correct, why=f"the judge: {stated[-1].lower()}")


def _scores(
    source: Path, verification: VerificationConfig, compute: ComputeConfig, out: Path
) -> tuple[list[float], dict[str, Any]]:
    """The reward model's score of every trace; how many there are, and what they are like."""
    assert verification.reward_model
    model, keep = (verification.reward_model, verification.reward_revision), out / _REWARDS
    scores = reward_model.score(*model, read_traces(source), keep=keep, compute=compute)
    counts: dict[str, Any] = {"scored": len(scores)}
    if scores:
        counts["score"] = {"least": min(scores), "median": median(scores), "most": max(scores)}
    return scores, counts


def _score_decides(trace: Trace, verification: VerificationConfig) -> bool:
    """Whether the score of a graded trace gives its verdict."""
    if verification.reward_threshold is None or trace.finish_reason == "length":
        return False
    return verification.reward_decides == "all" or trace.correct is None


def _rewarded(trace: Trace, verification: VerificationConfig) -> Trace:
    score, least = trace.score, verification.reward_threshold
    assert score is not None and least is not None
    why = f"reward {score:.4g}, at least {least:g} passes"
    return replace(trace, correct=score >= least, why=why)
