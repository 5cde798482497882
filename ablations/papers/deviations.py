"""Where a run's settings differ from those of a paper, and why; `conf/papers/` has the papers'."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ablations.papers.stated import Paper, papers, same_as
from ablations.render.grid import Grid
from distill.config import Config

NO_REASON = "no reason is listed"
"""Why a setting differs of which the paper's file has no such value."""

CLOSE = 0.8
"""Share of a paper's settings from which on a run is one of its setup."""

LONG = 60
"""Characters of a text that a table shows."""


@dataclass(frozen=True)
class Deviation:
    """A setting in which a run differs from a paper."""

    setting: str
    paper: str
    ours: str
    why: str
    source: str


def as_json(config: Config) -> dict[str, Any]:
    """A config as it is recorded."""
    return json.loads(json.dumps(asdict(config)))


def deviations(config: Mapping[str, Any], paper: Paper) -> list[Deviation]:
    """Every setting in which a run differs from a paper, in the order of the paper's file.

    Args:
        config: as recorded, or `as_json`.
        paper: of `papers`.
    """
    made = []
    for setting in paper.settings:
        for value in setting.ours(config) if setting.applies(config) else ():
            whys = [one["why"] for one in setting.deviates if same_as(value)(one["ours"])]
            name = setting.what or setting.field
            theirs = " or ".join(map(_text, setting.values))
            why = whys[0] if whys else NO_REASON
            made.append(Deviation(name, theirs, _text(value), why, setting.source))
    return made


def likeness(config: Mapping[str, Any], paper: Paper) -> float:
    """Share of the paper's settings that have a field, and are of such runs, that the run has."""
    asked = [one for one in paper.settings if one.field and one.applies(config)]
    return sum(not one.ours(config) for one in asked) / len(asked)


def nearest(config: Mapping[str, Any]) -> str:
    """The paper, by the name of its file, whose study the run is of, or that it is most like."""
    study = config["study"]["name"]
    of = [name for name, paper in papers().items() if study in paper.studies]
    return of[0] if of else max(papers(), key=lambda name: likeness(config, papers()[name]))


def is_close(config: Mapping[str, Any]) -> bool:
    """Whether the run is of a paper's study, or `CLOSE` to a paper."""
    paper = papers()[nearest(config)]
    return config["study"]["name"] in paper.studies or likeness(config, paper) >= CLOSE


def grid(configs: Iterable[Mapping[str, Any]], name: str) -> Grid:
    """The deviations of runs from one paper, each once, and in how many of the runs it is."""
    given = list(configs)
    counts: dict[Deviation, int] = {}
    for config in given:
        for one in dict.fromkeys(deviations(config, papers()[name])):
            counts[one] = counts.get(one, 0) + 1
    rows = [
        [one.setting, one.paper, one.ours, one.why, one.source, f"{count} of {len(given)}"]
        for one, count in counts.items()
    ]
    title = f"Differences from {papers()[name].title}"
    return Grid(title, ("setting", "paper", "ours", "why", "source", "runs"), rows)


def _text(value: Any) -> str:
    if isinstance(value, Mapping) and any(isinstance(one, Mapping) for one in value.values()):
        value = sorted(value)
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if value is None or value == "":
        return "none"
    text = " ".join(str(value).split())
    return text if len(text) <= LONG else f"{text[: LONG - 3]}..."
