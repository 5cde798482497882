"""Load the problems of a data set, each once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from distill.data import problem_formats, source, trace_formats
from distill.data.config import DatasetConfig
from distill.data.fields import Reader
from distill.micro import sign_puzzle
from distill.store.artifacts import read_json, write_json
from distill.trace.records import Problem, digest, write_records

VERSION = 4


def pins(dataset: DatasetConfig) -> dict[str, Any]:
    """What decides the problems from outside: the commit of a data set on the hub."""
    if dataset.kind in MADE:
        return {}
    read = {"reading": trace_formats.READING} if dataset.kind == "recorded" else {}
    return source.pins(dataset) | read


def load_problems(dataset: DatasetConfig, *, out: Path) -> None:
    """Write the data set's problems to `out/problems.jsonl`, each once.

    Rejected rows are named in `out/rejected.jsonl`. `dataset.problems` of N takes N by
    `dataset.seed`, a smaller number the first of a larger; 0 takes all in the order of the source.

    Raises:
        ValueError: no such format, `dataset.columns` names what the format or every row lacks, more
            rows are rejected than `dataset.max_rejected` allows, or more problems are asked for
            than there are.
    """
    counts: dict[str, Any] = {}
    if dataset.kind in MADE:
        problems = MADE[dataset.kind](dataset)
    else:
        problems, counts = _read(dataset, out)
    write_records(out / "problems.jsonl", problems)
    write_json(out / "summary.json", {"problems": len(problems)} | counts)


def served(dataset: DatasetConfig, *, out: Path) -> None:
    """Check `dataset.max_rejected` whenever the problems are used."""
    if dataset.kind not in MADE:
        source.limit_rejected(read_json(out / "summary.json")["rows"], dataset, out)


def _read(dataset: DatasetConfig, out: Path) -> tuple[list[Problem], dict[str, Any]]:
    problems: dict[str, Problem] = {}
    rejected: list[source.Rejected] = []
    total = 0
    reader, parse = _parser(dataset)
    for item in source.parsed(source.rows(dataset), parse):
        total += 1
        if isinstance(item, source.Rejected):
            rejected.append(item)
        else:
            problems.setdefault(item[1].id, item[1])
    reader.check()
    counts = source.report_rejected(rejected, total, dataset, out)
    counts["repeated"] = total - len(rejected) - len(problems)
    return _chosen(list(problems.values()), dataset), counts


def _parser(dataset: DatasetConfig) -> tuple[Reader[Any], Callable[[source.Row], Problem]]:
    """What reads the rows, and what makes a problem of each."""
    if dataset.kind == "recorded":
        recorded = trace_formats.reader(dataset)
        return recorded, lambda row: trace_formats.as_problem(recorded(row), dataset)
    reader = problem_formats.reader(dataset)
    return reader, lambda row: as_problem(reader(row), dataset)


def as_problem(read: problem_formats.Read, dataset: DatasetConfig) -> Problem:
    """The problem of a row that was read."""
    return Problem.of(
        read.question.strip(),
        read.answer.strip(),
        read.kind,
        f"{dataset.hub or dataset.format}/{read.part or dataset.split}",
        difficulty=read.difficulty,
        tests=read.tests,
        tolerance=read.tolerance,
    )


def _chosen(problems: list[Problem], dataset: DatasetConfig) -> list[Problem]:
    if (wanted := dataset.problems) > len(problems):
        raise ValueError(f"dataset.problems={wanted}, but the source gives {len(problems)}")
    if not dataset.problems:
        return problems
    return sorted(problems, key=lambda p: digest(str(dataset.seed), p.id))[: dataset.problems]


def _sign_puzzle(dataset: DatasetConfig) -> list[Problem]:
    """The task of the embedded world; see `distill/micro/sign_puzzle.py`."""
    count = dataset.problems or len(sign_puzzle.every_problem(dataset.split))
    place = f"sign_puzzle/{dataset.split}"
    puzzles = sign_puzzle.problems(dataset.split, count, dataset.seed)
    return [Problem.of(p.question, p.answer, "sign_puzzle", place) for p in puzzles]


MADE: dict[str, Callable[[DatasetConfig], list[Problem]]] = {"sign_puzzle": _sign_puzzle}
"""Data sets that are generated; all others are read from `dataset.path` or `dataset.hub`."""
