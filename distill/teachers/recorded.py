"""Read traces that were published or recorded elsewhere."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from distill.compute import ComputeConfig
from distill.data import source
from distill.data.columns import UnusableRowError
from distill.data.trace_formats import Response, as_problem, recorded
from distill.models.config import PromptConfig
from distill.models.prompt import parse_foreign
from distill.teachers.config import TeacherConfig
from distill.trace.records import Counts, Problem, Trace


def _recorded(
    teacher: TeacherConfig,
    problems: Iterator[Problem],
    counts: Counts,
    compute: ComputeConfig,
    out: Path,
) -> Iterator[Trace]:
    """Traces that somebody made before, in the order of their rows.

    The k-th trace of a problem is its sample k. A thought that never closes is one of a teacher
    that was cut off.
    """
    asked = {problem.id: problem for problem in problems}
    samples: Counter[str] = Counter()
    rejected: list[tuple[str, str]] = []
    counts |= {"rows": 0, "rejected": 0, "cut_off": 0, "of_other_problems": 0, "beyond_samples": 0}
    for place, row in source.rows(teacher):
        counts["rows"] += 1
        if isinstance(row, str):
            rejected.append((place, row))
            continue
        try:
            read = recorded(row, teacher)
        except UnusableRowError as error:
            rejected.append((place, str(error)))
            continue
        responses = []
        for response in read.responses:
            try:
                responses.append((response, _published(teacher.prompt, response)))
            except UnusableRowError as error:
                rejected.append((place, str(error)))
        problem = asked.get(as_problem(read, teacher).id)
        if problem is None:
            counts["of_other_problems"] += 1
            continue
        for response, (thought, solution) in responses:
            sample = samples[problem.id]
            if sample == teacher.samples:
                counts["beyond_samples"] += 1
                continue
            samples[problem.id] += 1
            reason = response.finish_reason if solution else "length"
            counts["cut_off"] += reason == "length"
            yield Trace.of(
                problem, response.teacher, sample, thought, solution, finish_reason=reason
            )
    counts["rejected"] = source.set_aside(out, rejected, counts["rows"], teacher)


def _published(prompt: PromptConfig | None, response: Response) -> tuple[str, str]:
    """Thought and solution of a response. Raises UnusableRowError if there is no thought."""
    parts = response.parts
    if parts is None:
        if prompt is None:
            raise ValueError(
                "teacher.prompt must say how whole texts are taken apart into thought and "
                "solution: add `+prompt@teacher.prompt=think` (or sky_t1, plain)"
            )
        parsed = parse_foreign(prompt, response.text)
        parts = parsed.thought, parsed.solution
    if not parts[0].strip():
        raise UnusableRowError("no thought")
    return parts[0], parts[1] if parts[1].strip() else ""
