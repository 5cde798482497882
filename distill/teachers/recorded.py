"""Read traces that were published or recorded elsewhere."""

from collections import Counter
from collections.abc import Iterable, Iterator

from distill.data.source import Placed, Rejected, parsed
from distill.data.trace_formats import Response, as_problem, reader
from distill.data.values import RowError
from distill.models.prompt import parse_foreign
from distill.teachers.bare import split_bare
from distill.teachers.config import TeacherConfig
from distill.teachers.tally import Event
from distill.trace.records import Problem, Trace


def recorded_traces(
    teacher: TeacherConfig, problems: Iterable[Problem], rows: Iterable[Placed | Rejected]
) -> Iterator[Trace | Rejected | Event]:
    """The traces of the rows, in order; the k-th trace of a problem is its sample k.

    Only traces of the given problems are taken. A thought that never ends is one of a teacher that
    was cut off.

    Yields:
        Traces; the rows, and responses of rows, that hold none; and events for what is passed over.

    Raises:
        ValueError: no such format, `teacher.columns` names what the format or every row lacks, or
            `teacher.prompt` is needed and not set.
    """
    asked = {problem.id: problem for problem in problems}
    samples: Counter[str] = Counter()
    read = reader(teacher)
    for item in parsed(rows, read):
        if isinstance(item, Rejected):
            yield item
            continue
        place, row = item
        problem = asked.get(as_problem(row, teacher).id)
        if problem is None:
            yield "of_other_problems"
        for number, given in enumerate(row.responses, 1):
            try:
                response = _usable(given)
                thought, solution, bare = _split(teacher, response)
            except RowError as error:
                yield Rejected(place, str(error), number if len(row.responses) > 1 else None)
                continue
            if problem is None:
                continue
            sample = samples[problem.id]
            if sample == teacher.samples:
                yield "beyond_samples"
                continue
            samples[problem.id] += 1
            if bare:
                yield "bare"
            ended = {"finish_reason": response.finish_reason if solution else "length"}
            yield Trace.of(problem, response.teacher, sample, thought, solution, **ended)
    read.check()


def _usable(given: Response | RowError) -> Response:
    if isinstance(given, RowError):
        raise given
    return given


def _split(teacher: TeacherConfig, response: Response) -> tuple[str, str, bool]:
    """Thought and solution of a response, and whether it is bare; RowError without a thought."""
    parts, prompt, bare = response.parts, teacher.prompt, False
    if parts is None:
        if prompt is None:
            raise ValueError(
                "teacher.prompt must say how whole texts are split into thought and solution: add "
                "`+prompt@teacher.prompt=think` (or sky_t1, plain)"
            )
        read = parse_foreign(prompt, response.text)
        if teacher.bare == "thought" and not read.thought.strip():
            split = split_bare(prompt, response.text)
            read, bare = split or read, split is not None
        parts = read.thought, read.solution
    if not parts[0].strip():
        raise RowError("no thought")
    return parts[0], parts[1] if parts[1].strip() else "", bare
