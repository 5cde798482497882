"""Stage 1a, where it is asked for: problems -> problems with a difficulty that a model gave."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.models import converse
from distill.models.config import AskConfig
from distill.models.engines import Completion, Refusal
from distill.store.artifacts import write_json
from distill.trace.records import read_problems, write_any, write_records

VERSION = 1

LEAST, GREATEST = 1.0, 10.0
"""Ends of the scale (that of the Art of Problem Solving)."""

_LEVEL = re.compile(r"\[\[\s*(\d+(?:\.\d+)?)\s*\]\]")


def pins(rating: AskConfig, *rest: Any) -> dict[str, Any]:
    """What decides the ratings from outside: weights and engine."""
    return converse.pins(rating)


def rate_problems(rating: AskConfig, problems: Path, *, compute: ComputeConfig, out: Path) -> None:
    """Write the problems with `difficulty` as the model rates it, in the same order.

    A problem whose reply was cut off, or gives no level on the scale, has none (None) and is
    counted as `unrated`; so is one that a server refuses, which is named in `rejected.jsonl`.
    Replies are kept in `rows.jsonl` while they are made; a killed call continues.

    Raises:
        ValueError: more problems are refused than `compute.max_unusable` allows.
    """
    asked = list(read_problems(problems / "problems.jsonl"))
    fills = [{"question": p.question, "answer": p.answer} for p in asked]
    replies = converse.ask(rating, fills, keep=out / "rows.jsonl", compute=compute)
    refused = [
        {"place": problem.id, "why": reply.why}
        for problem, reply in zip(asked, replies, strict=True)
        if isinstance(reply, Refusal)
    ]
    write_any(out / "rejected.jsonl", refused)
    levels = [_given(reply) for reply in replies]
    rated = (replace(p, difficulty=given) for p, given in zip(asked, levels, strict=True))
    write_records(out / "problems.jsonl", rated)
    given = Counter(int(level) for level in levels if level is not None)
    write_json(
        out / "summary.json",
        {
            "problems": len(asked),
            "unrated": levels.count(None),
            "refused": len(refused),
            "by_level": {f"{level:02}": count for level, count in sorted(given.items())},
        },
    )
    (out / "rows.jsonl").unlink(missing_ok=True)


def _given(reply: Completion | Refusal) -> float | None:
    if isinstance(reply, Refusal) or reply.finish_reason == "length":
        return None
    return level(reply.text)


def level(reply: str) -> float | None:
    """The last level in double brackets, `[[7]]` or `[[4.5]]`; None if none is on the scale."""
    found = _LEVEL.findall(reply)
    value = float(found[-1]) if found else None
    return value if value is not None and LEAST <= value <= GREATEST else None
