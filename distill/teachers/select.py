"""Select which verified traces a student is trained on."""

from collections.abc import Iterable
from itertools import groupby, islice
from pathlib import Path

from distill.grading.grade import checkable
from distill.store.artifacts import write_json
from distill.teachers.config import SelectionConfig, SizeConfig
from distill.trace.records import Trace, digest, read_traces, write_records

VERSION = 1


def select_traces(
    selection: SelectionConfig, size: SizeConfig, verified: Path, *, out: Path
) -> None:
    """Write `size.traces` traces to `out/traces.jsonl`; a smaller size is a prefix of a larger one.

    The order of the problems is decided by the seed and their ids alone; of each problem the traces
    with the lowest sample indices are taken.

    Raises:
        ValueError: fewer traces are eligible than asked for.
    """
    given = list(read_traces(verified / "traces.jsonl"))
    eligible = [trace for trace in given if trace.correct or not selection.correct_only]

    def place(trace: Trace) -> tuple[str, str, int]:
        problem = trace.problem.id
        return digest(str(selection.seed), problem), problem, trace.sample

    groups = groupby(sorted(eligible, key=place), key=lambda trace: trace.problem.id)
    taken = [trace for _, group in groups for trace in islice(group, selection.per_problem)]
    if len(taken) < size.traces:
        raise ValueError(
            f"size.traces={size.traces}, but only {len(taken)} traces are eligible "
            f"(selection.correct_only={selection.correct_only}, "
            f"selection.per_problem={selection.per_problem}, {len(eligible)} before that limit): "
            "raise dataset.problems or teacher.samples, or lower size.traces" + _unchecked(given)
        )
    write_records(out / "traces.jsonl", taken[: size.traces])
    counts = {"traces": size.traces, "eligible": len(taken), "verified_eligible": len(eligible)}
    write_json(out / "summary.json", counts)


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
