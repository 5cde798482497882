"""Stage 3 of 7: traces -> traces marked correct or wrong, and why. Filters nothing."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill import grading
from distill.store import write_json
from distill.trace import Trace, read_traces, write_records

VERSION = 1


def pins(*identity: Any) -> dict[str, Any]:
    """The grader decides the verdicts."""
    return {"grading": grading.VERSION}


def verify_traces(traces: Path, *, out: Path) -> None:
    """Grade the solution of every trace; a trace that its teacher could not end is wrong."""
    verdicts: Counter[str] = Counter()

    def marked(trace: Trace) -> Trace:
        if trace.finish_reason == "length":
            verdict = grading.Verdict(False, None, "the teacher was cut off")
        else:
            verdict = grading.grade(trace.problem, trace.solution)
        verdicts[{True: "correct", False: "wrong", None: "undecided"}[verdict.correct]] += 1
        return replace(trace, correct=verdict.correct, why=verdict.why)

    count = write_records(out / "traces.jsonl", map(marked, read_traces(traces / "traces.jsonl")))
    counts = {name: verdicts[name] for name in ("correct", "wrong", "undecided")}
    write_json(out / "summary.json", {"traces": count} | counts)
