"""Migrations read configs recorded by older versions in the fields of this one.

`run.json` says by which format its config was written; records without a number are of format 1. A
change of a field or of a default raises `FORMAT` and adds one migration: what a new field is given
is what versions without it did. A record therefore never takes a default that came after it.
"""

from collections.abc import Callable, Mapping
from typing import Any

FORMAT = 6
"""Format in which this version records a config."""

Json = dict[str, Any]


def upgraded(config: Mapping[str, Any], form: int) -> Json:
    """A config recorded in an older format, in the fields of this one.

    Raises:
        ValueError: a later version wrote it.
    """
    if form > FORMAT:
        raise ValueError(
            f"format {form} was written by a later version of distill; this one reads formats up "
            f"to {FORMAT}"
        )
    made = dict(config)
    for number in range(form, FORMAT):
        made = MIGRATIONS[number](made)
    return made


def upgraded_references(references: Mapping[str, Any], form: int) -> Json:
    """What a record says of the runs that it refers to, their configs in this version's fields.

    Raises:
        ValueError: a later version wrote it.
    """
    return {
        place: named
        | {"config": upgraded(named["config"], form)}
        | {"references": upgraded_references(named["references"], form)}
        for place, named in references.items()
    }


def _kinds_beside_names(config: Json) -> Json:
    """Format 1 grew without a number, so any later field may be missing; `name` was the kind."""
    root: Json = {"filter": {}, "grading": {}, "verification": {}} | config
    return _each(root, "", lambda part, place: _kind(ADDED_TO_1.get(place, {}) | part, place))


def _kind(part: Json, place: str) -> Json:
    if "kind" in part or "name" not in part:
        return part
    if place in ("teacher", "engine", "corruption", "union"):
        return {"kind": part["name"]} | part
    if place == "dataset":
        name = part["name"]
        kind = name if name in ("sign_puzzle", "recorded") else "rows"
        form = (part.get("format") or name) if kind == "rows" else part.get("format", "")
        return {"kind": kind} | part | {"format": form}
    return part


def _each(value: Any, place: str, change: Callable[[Json, str], Json]) -> Any:
    """The value with every object in it changed; `place` is the field that holds the object."""
    if isinstance(value, list):
        return [_each(item, place, change) for item in value]
    if not isinstance(value, dict):
        return value
    if place == "benchmarks":
        return {name: _each(item, "benchmark", change) for name, item in value.items()}
    parts = change(value, place)
    return {name: _each(item, name, change) for name, item in parts.items()}


SOURCE_1: Json = {
    **{"path": None, "hub": None, "subset": None, "revision": "main", "split": "train"},
    **{"format": "", "columns": {}, "where": {}, "max_rejected": 0.01},
}
ADDED_TO_1: dict[str, Json] = {
    "teacher": SOURCE_1 | {"prompt": None, "engine": None, "convert": None},
    "dataset": SOURCE_1,
    "filter": {"name": "none", "rating": None, "min_difficulty": None, "max_difficulty": None}
    | {"bounds": {}, "near_duplicates": 0.0, "contamination": 0, "benchmarks": {}}
    | {"overlap": 0.0, "keep_contaminated": False},
    "grading": {"name": "strict", "percent": False},
    "verification": {"name": "grader", "judge": None, "reward_model": None}
    | {"reward_revision": "main", "reward_threshold": 0.0},
    "engine": {"context": 0, "base_url": "", "api": "completions"},
    "benchmark": {"user": None, "sampling": None, "harness": None},
    "corruption": {"ask": None},
    "union": {"ask": None},
    "compute": {"processes": 1, "tensor_parallel": 1, "memory_share": 0.9, "concurrency": 64}
    | {"api_key": "OPENAI_API_KEY", "max_unusable": 0.01, "workers": 0, "unsandboxed_code": False},
}
"""Field that holds a part of a config -> fields that came while records had no number, with what
versions without them did."""

_OPERATOR: Json = {"_target_": None, "source": None} | dict.fromkeys(
    ("title", "target", "colour"), ""
)
ADDED_TO_2: dict[str, Json] = {
    "grading": {"fallback": "statement"},
    "engine": {"served_as": ""},
    "corruption": _OPERATOR,
    "union": _OPERATOR,
    "compute": {"reply_seconds": 3600.0, "retry_seconds": 600.0}
    | {"sandbox": "auto", "sandbox_image": ""},
}
"""The same for the fields that came with format 3."""

ADDED_TO_3: dict[str, Json] = {
    "": {"keywords": "default"},
    "study": {"expect": [], "settle": None, "margin": 5.0},
    "training": {"quantization": "none"},
    "sampling": {"top_k": 0, "min_p": 0.0, "presence_penalty": 0.0, "repetition_penalty": 1.0},
    "verification": {"max_foreign": 1.0, "max_paragraph": 0, "code_blocks": True},
    "selection": {
        "by": "sample",
        "problems": {"by": "none", "quotas": {}, "diverse": False},
    },
    "teacher": {"bare": "aside"},
}
"""The same for the fields that came with format 4; those of a config itself have no name."""

ADDED_TO_4: dict[str, Json] = {
    "": {"mix": {}},
    "student": {"after": None},
    "teacher": {"student": None},
    "selection": {"problems_of": None},
}
"""The same for the fields that came with format 5: no run referred to another."""

ADDED_TO_5: dict[str, Json] = {
    "training": {"kernel": "eager"},
    "compute": {"parallel": "1"},
}
"""The same for the fields that came with format 6."""


def _decided(part: Json, place: str) -> Json:
    """Up to format 3 a reward model decided what the grader left undecided, from 0 on."""
    if place != "verification" or "reward_decides" in part:
        return part
    if part["reward_model"]:
        return part | {"reward_decides": "undecided"}
    return part | {"reward_decides": "nothing", "reward_threshold": None}


MIGRATIONS: dict[int, Callable[[Json], Json]] = {
    1: _kinds_beside_names,
    2: lambda config: _each(config, "", lambda part, place: ADDED_TO_2.get(place, {}) | part),
    3: lambda config: _each(
        config, "", lambda part, place: _decided(ADDED_TO_3.get(place, {}) | part, place)
    ),
    4: lambda config: _each(config, "", lambda part, place: ADDED_TO_4.get(place, {}) | part),
    5: lambda config: _each(config, "", lambda part, place: ADDED_TO_5.get(place, {}) | part),
}
"""Format -> its configs in the next format."""
