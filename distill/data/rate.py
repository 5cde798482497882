"""Have a model rate the difficulty of problems, for filters that ask for it."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.models.annotate import annotate, annotator_pins, limit_failed
from distill.models.config import AskConfig
from distill.models.converse import REPLIES
from distill.models.engines import Completion
from distill.store.artifacts import read_json, write_json
from distill.trace.records import Problem, read_problems, write_records

VERSION = 3

LEAST, GREATEST = 1.0, 10.0
"""Ends of the scale, which is that of the Art of Problem Solving."""

_LEVEL = re.compile(r"\[\[\s*(\d+(?:\.\d+)?)\s*\]\]")


def pins(rating: AskConfig, *rest: Any) -> dict[str, Any]:
    """What decides the ratings from outside the config: weights and engine."""
    return annotator_pins(rating)


def rate_problems(rating: AskConfig, problems: Path, *, compute: ComputeConfig, out: Path) -> None:
    """Write the problems with `difficulty` as the model rates it, in the same order.

    A problem whose reply was cut off, or gives no level on the scale, has none (None) and is
    counted as `unrated`; so is one that a server refuses, which is named in `failed.jsonl`.

    Raises:
        ValueError: more problems are refused than `compute.max_unusable` allows.
    """
    asked = list(read_problems(problems / "problems.jsonl"))
    levels, failed = annotate(rating, asked, _level, compute=compute, out=out)
    rated = [replace(problem, difficulty=levels.get(problem.id)) for problem in asked]
    write_records(out / "problems.jsonl", rated)
    given = Counter(int(p.difficulty) for p in rated if p.difficulty is not None)
    counts = {
        "problems": len(asked),
        "unrated": sum(problem.difficulty is None for problem in rated),
        "failed": len(failed),
        "by_level": {f"{level:02}": count for level, count in sorted(given.items())},
    }
    write_json(out / "summary.json", counts)
    (out / REPLIES).unlink(missing_ok=True)


def served(rating: AskConfig, *inputs: Path, compute: ComputeConfig, out: Path) -> None:
    """Check `compute.max_unusable` whenever the ratings are used."""
    limit_failed(read_json(out / "summary.json")["problems"], compute, out)


def _level(problem: Problem, reply: Completion) -> float | None:
    return None if reply.finish_reason == "length" else level(reply.text)


def level(reply: str) -> float | None:
    """The last level in double brackets, `[[7]]` or `[[4.5]]`; None if none is on the scale."""
    found = _LEVEL.findall(reply)
    value = float(found[-1]) if found else None
    return value if value is not None and LEAST <= value <= GREATEST else None
