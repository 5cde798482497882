"""Choose which verified traces a student is trained on."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from distill.data.curate import Chosen, curate
from distill.grading.grade import checkable
from distill.store.artifacts import write_json
from distill.teachers.config import SelectionConfig, SizeConfig
from distill.teachers.majority import majority
from distill.trace.records import (
    Problem,
    digest,
    placed_traces,
    read_traces,
    traces_at,
    write_records,
)

VERSION = 1


class _Entry(NamedTuple):
    """What is kept of a trace until it is taken."""

    id: str
    problem: Problem
    sample: int
    place: int
    correct: bool | None
    flawed: bool
    unchecked: bool
    score: float | None


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

    Texts are read a second time for the traces that are taken; in memory are those of one problem,
    for a majority, and the questions, where problems are to be different.

    Raises:
        ValueError: fewer traces are eligible than asked for, a quota cannot be kept, or the
            verified traces have no score where they are chosen by it.
    """
    problems = selection.problems
    places = _places(paired) if paired else {}
    source = verified / "traces.jsonl"
    given = _entries(source, places if paired else None, problems.diverse)

    def place(entry: _Entry) -> tuple[int | str, str, int]:
        problem = entry.problem.id
        at = places[problem] if paired else digest(str(selection.seed), problem)
        return at, problem, entry.sample

    ranked = {
        problem: _ranked(list(group), selection, source)
        for problem, group in groupby(sorted(given, key=place), key=lambda entry: entry.problem.id)
    }
    best = {problem: entries[: selection.per_problem] for problem, entries in ranked.items()}
    taken: list[_Entry] = []
    order: list[Chosen] = []
    ordered = curate([entries[0].problem for entries in best.values() if entries], problems)
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
    chosen_places = [entry.place for entry in taken[: size.traces]]
    write_records(out / "traces.jsonl", traces_at(source, chosen_places))
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


def _entries(source: Path, among: Collection[str] | None, questions: bool) -> list[_Entry]:
    """What is kept of each trace of a file, of the problems `among` alone unless that is None.

    Of its problem, what groups it, and the question if `questions` are asked for.
    """
    problems: dict[Problem, Problem] = {}
    entries = []
    for place, trace in placed_traces(source):
        if among is None or trace.problem.id in among:
            question = trace.problem.question if questions else ""
            problem = replace(trace.problem, question=question, answer="", tests=())
            problem = problems.setdefault(problem, problem)
            unchecked = trace.correct is None and not checkable(trace.problem)
            marks = trace.correct, bool(trace.flaws), unchecked, trace.score
            entries.append(_Entry(trace.id, problem, trace.sample, place, *marks))
    return entries


def _ranked(entries: Sequence[_Entry], selection: SelectionConfig, source: Path) -> list[_Entry]:
    """The eligible ones of one problem's traces, in the order in which they are taken.

    The majority is that of all its traces, of wrong ones too.
    """
    voted = None
    if selection.by == "majority":
        traces = list(traces_at(source, [entry.place for entry in entries]))
        voted = {trace.id for trace in majority(traces)}
    found = [
        entry
        for entry in entries
        if not entry.flawed
        and (entry.correct or not selection.correct_only)
        and (voted is None or entry.id in voted)
    ]
    return sorted(found, key=_score, reverse=True) if selection.by == "score" else found


def _score(entry: _Entry) -> float:
    if entry.score is None:
        raise ValueError(
            f"selection.by=score, but trace {entry.id} has no score: set verification.reward_model"
        )
    return entry.score


def _set_aside(entries: Sequence[_Entry]) -> str:
    """What to append to an error where traces could not be checked, or are badly written."""
    told = ""
    if flawed := sum(entry.flawed for entry in entries):
        told += f". {flawed} traces are badly written by the rules of verification"
    if unchecked := sum(entry.unchecked for entry in entries):
        told += (
            f". {unchecked} traces are unchecked, since their source gives no gold answer and no "
            "tests: name its column (+teacher.columns={answer: COLUMN}, of programs {tests: "
            "COLUMN}), ask a model (verification=judge), or train on unchecked traces "
            "(selection=all)"
        )
    return told
