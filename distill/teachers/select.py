"""Choose which verified traces a student is trained on."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from distill.grading.grade import checkable
from distill.store.artifacts import write_json
from distill.teachers.config import SelectionConfig, SizeConfig
from distill.teachers.majority import majority
from distill.trace.records import Trace, digest, read_traces, write_records

VERSION = 1


def select_traces(
    selection: SelectionConfig, size: SizeConfig, verified: Path, *, out: Path
) -> None:
    """Write `size.traces` traces to `out/traces.jsonl`; a smaller size is a prefix of a larger one.

    The order of the problems is decided by the seed and their ids alone; which traces of a problem
    are taken, by `selection.by`.

    Raises:
        ValueError: fewer traces are eligible than asked for, or the verified ones have no score
            where they are chosen by it.
    """
    given = list(read_traces(verified / "traces.jsonl"))

    def place(trace: Trace) -> tuple[str, str, int]:
        problem = trace.problem.id
        return digest(str(selection.seed), problem), problem, trace.sample

    eligible, taken = 0, []
    for _, group in groupby(sorted(given, key=place), key=lambda trace: trace.problem.id):
        ranked = _ranked(list(group), selection)
        eligible += len(ranked)
        taken += ranked[: selection.per_problem]
    if len(taken) < size.traces:
        raise ValueError(
            f"size.traces={size.traces}, but only {len(taken)} traces are eligible "
            f"(selection.correct_only={selection.correct_only}, selection.by={selection.by}, "
            f"selection.per_problem={selection.per_problem}, {eligible} before that limit): "
            "raise dataset.problems or teacher.samples, or lower size.traces" + _unchecked(given)
        )
    write_records(out / "traces.jsonl", taken[: size.traces])
    counts = {"traces": size.traces, "eligible": len(taken), "verified_eligible": eligible}
    write_json(out / "summary.json", counts)


def _ranked(traces: Sequence[Trace], selection: SelectionConfig) -> list[Trace]:
    """The eligible ones of one problem's traces, in the order in which they are taken.

    The majority is that of all its traces, of wrong ones too.
    """
    voted = {trace.id for trace in majority(traces)} if selection.by == "majority" else None
    found = [
        trace
        for trace in traces
        if (trace.correct or not selection.correct_only) and (voted is None or trace.id in voted)
    ]
    return sorted(found, key=_score, reverse=True) if selection.by == "score" else found


def _score(trace: Trace) -> float:
    if trace.score is None:
        raise ValueError(
            f"selection.by=score, but trace {trace.id} has no score: set verification.reward_model"
        )
    return trace.score


def _unchecked(traces: Iterable[Trace]) -> str:
    """What to append to an error where traces have no verdict since nothing could check them."""
    count = sum(trace.correct is None and not checkable(trace.problem) for trace in traces)
    if not count:
        return ""
    return (
        f". {count} traces are unchecked, since their source gives no gold answer and no tests: "
        "name its column (+teacher.columns={answer: COLUMN}, of programs {tests: COLUMN}), ask a "
        "model (verification=judge), or train on unchecked traces (selection=all)"
    )
