"""Stage 1 of 7: a source -> problems."""

from collections.abc import Callable
from pathlib import Path

from distill.config import DatasetConfig
from distill.micro import sign_puzzle
from distill.store import write_json
from distill.trace import Problem, write_records

VERSION = 1


def select_problems(dataset: DatasetConfig, *, out: Path) -> None:
    """Write the data set's problems to `out/problems.jsonl`, each once.

    Raises:
        ValueError: no such source, more problems asked for than it has, or a problem that comes
        twice.
    """
    if dataset.name not in SOURCES:
        raise ValueError(f"unknown dataset {dataset.name!r}; known: {', '.join(sorted(SOURCES))}")
    problems = SOURCES[dataset.name](dataset)
    if len({p.id for p in problems}) < len(problems):
        raise ValueError(f"{dataset.name} gave a problem twice; problems of a set are distinct")
    write_records(out / "problems.jsonl", problems)
    write_json(out / "summary.json", {"problems": len(problems)})


def _sign_puzzle(dataset: DatasetConfig) -> list[Problem]:
    """The embedded world's task; see `distill/micro/sign_puzzle.py`."""
    count = dataset.problems or sign_puzzle.available(dataset.split)
    source = f"sign_puzzle/{dataset.split}"
    puzzles = sign_puzzle.problems(dataset.split, count, dataset.seed)
    return [Problem.of(p.question, p.answer, "sign_puzzle", source) for p in puzzles]


SOURCES: dict[str, Callable[[DatasetConfig], list[Problem]]] = {"sign_puzzle": _sign_puzzle}
