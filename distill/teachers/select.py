"""Choose which verified traces a student is trained on."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from distill.data.curate import Chosen, curate
from distill.grading.grade import checkable
from distill.store.artifacts import write_json
from distill.teachers.config import SelectionConfig, SizeConfig
from distill.teachers.majority import majority
from distill.trace.records import Trace, digest, read_traces, write_records

VERSION = 1


def select_traces(
    selection: SelectionConfig,
    size: SizeConfig,
    verified: Path,
    paired: Path | None = None,
    *,
    out: Path,
) -> None:
    """Write `size.traces` traces to `out/traces.jsonl`; a smaller size is a prefix of a larger one.

    The order of the problems is decided by the seed, their ids and `selection.problems`; which
    traces of a problem are taken, by `selection.by`. Badly written traces are not taken. Where
    problems are grouped, `summary.json` counts those that are taken by group; of the most different
    ones it gives the `least_distance` of two of a group. Where `paired`, what another run selected,
    is given, only its problems are taken, in its order: `paired_problems` is how many it has, and
    `passed_over` how many of these were passed over, since none of their traces is eligible here.

    Raises:
        ValueError: fewer traces are eligible than asked for, a quota cannot be kept, or the
            verified traces have no score where they are chosen by it.
    """
    problems = selection.problems
    given = list(read_traces(verified / "traces.jsonl"))
    places = _places(paired) if paired else {}
    if paired:
        given = [trace for trace in given if trace.problem.id in places]

    def place(trace: Trace) -> tuple[int | str, str, int]:
        problem = trace.problem.id
        at = places[problem] if paired else digest(str(selection.seed), problem)
        return at, problem, trace.sample

    ranked = {
        problem: _ranked(list(group), selection)
        for problem, group in groupby(sorted(given, key=place), key=lambda trace: trace.problem.id)
    }
    best = {problem: traces[: selection.per_problem] for problem, traces in ranked.items()}
    taken: list[Trace] = []
    order: list[Chosen] = []
    ordered = curate([traces[0].problem for traces in best.values() if traces], problems)
    while len(taken) < size.traces and (chosen := next(ordered, None)):
        taken += best[chosen.problem.id]
        order.append(chosen)
    if len(taken) < size.traces:
        only = f". Only the {len(places)} problems of selection.problems_of count"
        raise ValueError(
            f"size.traces={size.traces}, but only {len(taken)} traces are eligible "
            f"(selection.correct_only={selection.correct_only}, selection.by={selection.by}, "
            f"selection.per_problem={selection.per_problem}, "
            f"{sum(map(len, ranked.values()))} before that limit): "
            "raise dataset.problems or teacher.samples, or lower size.traces"
            + (only if paired else "")
            + _set_aside(given)
        )
    write_records(out / "traces.jsonl", taken[: size.traces])
    counts: dict[str, Any] = {
        "traces": size.traces,
        "eligible": sum(map(len, best.values())),
        "verified_eligible": sum(map(len, ranked.values())),
    }
    if paired:
        last = places[order[-1].problem.id]
        counts |= {"paired_problems": len(places), "passed_over": last + 1 - len(order)}
    if problems.by != "none":
        counts["groups"] = dict(sorted(Counter(chosen.group for chosen in order).items()))
    if problems.diverse:
        apart = [chosen.distance for chosen in order if chosen.distance is not None]
        counts["least_distance"] = min(apart, default=None)
    write_json(out / "summary.json", counts)


def _places(selected: Path) -> dict[str, int]:
    """Problem -> its place among those of selected traces."""
    found = dict.fromkeys(trace.problem.id for trace in read_traces(selected / "traces.jsonl"))
    return {problem: at for at, problem in enumerate(found)}


def _ranked(traces: Sequence[Trace], selection: SelectionConfig) -> list[Trace]:
    """The eligible ones of one problem's traces, in the order in which they are taken.

    The majority is that of all its traces, of wrong ones too.
    """
    voted = {trace.id for trace in majority(traces)} if selection.by == "majority" else None
    found = [
        trace
        for trace in traces
        if not trace.flaws
        and (trace.correct or not selection.correct_only)
        and (voted is None or trace.id in voted)
    ]
    return sorted(found, key=_score, reverse=True) if selection.by == "score" else found


def _score(trace: Trace) -> float:
    if trace.score is None:
        raise ValueError(
            f"selection.by=score, but trace {trace.id} has no score: set verification.reward_model"
        )
    return trace.score


def _set_aside(traces: Sequence[Trace]) -> str:
    """What to append to an error where traces could not be checked, or are badly written."""
    told = ""
    if flawed := sum(bool(trace.flaws) for trace in traces):
        told += f". {flawed} traces are badly written by the rules of verification"
    if unchecked := sum(t.correct is None and not checkable(t.problem) for t in traces):
        told += (
            f". {unchecked} traces are unchecked, since their source gives no gold answer and no "
            "tests: name its column (+teacher.columns={answer: COLUMN}, of programs {tests: "
            "COLUMN}), ask a model (verification=judge), or train on unchecked traces "
            "(selection=all)"
        )
    return told
