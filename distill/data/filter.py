"""Filter problems by difficulty, near duplicates and overlap with benchmarks."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from distill.data.config import FilterConfig
from distill.data.overlap import Benchmark, near_duplicates
from distill.data.source import REJECTED
from distill.store.artifacts import write_json
from distill.trace.records import Problem, read_problems, write_records, write_rows

VERSION = 2

Row = dict[str, Any]


def filter_problems(
    filter: FilterConfig, problems: Path, benchmarks: list[Path], *, out: Path
) -> None:
    """Write the problems that are kept, in their order, and why the others are rejected.

    Difficulty first, then near duplicates, then contamination. `rejected.jsonl` names each problem
    that is rejected for the first two, with the reason; `contamination.jsonl` has one row per
    problem and benchmark that share `filter.contamination` words in a row, whether the problem is
    rejected for it or only reported: the benchmark's problem that overlaps most, and the words.

    Raises:
        ValueError: no problem is kept.
    """
    asked = list(read_problems(problems / "problems.jsonl"))
    bounded = [(p, _out_of_bounds(p, filter)) for p in asked]
    rejected = [{"id": p.id, "source": p.source, "why": why} for p, why in bounded if why]
    difficulty = len(rejected)
    kept = [p for p, why in bounded if not why]
    if filter.near_duplicates:
        repeats = near_duplicates([p.question for p in kept], filter.near_duplicates)
        for index, (first, jaccard) in repeats.items():
            why = f"repeats {kept[first].id} of {kept[first].source}: Jaccard {jaccard:.3f}"
            rejected.append({"id": kept[index].id, "source": kept[index].source, "why": why})
        kept = [p for index, p in enumerate(kept) if index not in repeats]
    overlapping = list(_overlapping(kept, benchmarks, filter.contamination))
    contaminated = {row["id"] for row in overlapping if row["share"] >= filter.overlap}
    if not filter.keep_contaminated:
        kept = [p for p in kept if p.id not in contaminated]
    if not kept:
        raise ValueError(f"filter={filter.name!r} keeps none of {len(asked)} problems")
    write_records(out / "problems.jsonl", kept)
    write_rows(out / REJECTED, rejected)
    write_rows(out / "contamination.jsonl", overlapping)
    met = Counter(row["benchmark"] for row in overlapping)
    counts: dict[str, Any] = {
        "problems": len(kept),
        "before": len(asked),
        "out_of_bounds": difficulty,
        "near_duplicates": len(rejected) - difficulty,
        "overlapping": len({row["id"] for row in overlapping}),
        "overlapping_by_benchmark": dict(met),
        "contaminated": 0 if filter.keep_contaminated else len(contaminated),
    }
    write_json(out / "summary.json", counts)


def _out_of_bounds(problem: Problem, filter: FilterConfig) -> str | None:
    """Why a problem is rejected for its difficulty; None where it is kept."""
    part = problem.source.rpartition("/")[2]
    least, greatest = filter.bounds.get(part, (filter.min_difficulty, filter.max_difficulty))
    if least is None and greatest is None:
        return None
    if problem.difficulty is None:
        return "no difficulty"
    if least is not None and problem.difficulty < least:
        return f"difficulty {problem.difficulty:g} is below {least:g}"
    if greatest is not None and problem.difficulty > greatest:
        return f"difficulty {problem.difficulty:g} is above {greatest:g}"
    return None


def _overlapping(
    problems: Sequence[Problem], benchmarks: Sequence[Path], length: int
) -> Iterator[Row]:
    if not length:
        return
    for path in benchmarks:
        targets = list(read_problems(path / "problems.jsonl"))
        index = Benchmark((p.question for p in targets), length)
        for problem in problems:
            if found := index.overlap(problem.question):
                target = targets[found.index]
                yield {
                    "id": problem.id,
                    "source": problem.source,
                    "benchmark": target.source,
                    "benchmark_id": target.id,
                    "share": round(found.shared / found.pieces, 4),
                    "words": found.words,
                    "others": found.others,
                    "question": problem.question,
                    "benchmark_question": target.question,
                }
