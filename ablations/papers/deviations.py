"""Where a run's settings differ from those of a paper, and why; `conf/papers/` has the papers'."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import field as part
from functools import cache
from typing import Any

import yaml

from ablations.render.grid import Grid
from distill.config import Config
from distill.run.compose import CONF, PAPERS

FOLDER = CONF / PAPERS

NO_REASON = "no reason is listed"
"""Why a setting differs of which the paper's file has no such value."""

CLOSE = 0.8
"""Share of a paper's settings from which on a run is one of its setup."""

LONG = 60
"""Characters of a text that a table shows."""


@dataclass(frozen=True)
class Setting:
    """What a paper or its code did in one respect."""

    source: str
    """Section, table, or file of the authors' repository."""

    paper: Any = None
    any: Sequence[Any] = ()
    """Values of the paper, where it has several; otherwise `paper` is the value. A text that begins
    with `sha256:` stands for the text of that hash."""

    field: str = ""
    """Dotted name in a config; a part `*` is every entry. Empty: no field says it, `what` does."""

    what: str = ""
    when: Mapping[str, Any] = part(default_factory=dict)
    """Field -> its value, or list of values, in the runs that the setting is of."""

    unless: Mapping[str, Any] = part(default_factory=dict)
    """The same for runs that it is not of."""

    deviates: Sequence[Mapping[str, Any]] = ()
    """Other values that this project has on purpose: `ours`, `why`."""

    absent: Any = None
    """What is done where a config has no such field."""

    @property
    def values(self) -> list[Any]:
        """The values of the paper."""
        return list(self.any) or [self.paper]

    def applies(self, config: Mapping[str, Any]) -> bool:
        """Whether it is of runs like this one."""
        return all(_is(config, *one) for one in self.when.items()) and not (
            self.unless and all(_is(config, *one) for one in self.unless.items())
        )

    def ours(self, config: Mapping[str, Any]) -> list[Any]:
        """The values of a run that the paper does not have."""
        if not self.field:
            return [one["ours"] for one in self.deviates]
        found = _at(config, self.field, self.absent)
        return [value for value in found if not any(map(_same(value), self.values))]


@dataclass(frozen=True)
class Paper:
    """The settings of a paper."""

    title: str
    code: str
    """Of the authors."""

    studies: Sequence[str]
    """In `conf/study/`, that are of it."""

    settings: Sequence[Setting]
    unstated: Sequence[str] = ()
    """Fields or sections of a config of which the paper says nothing."""


@dataclass(frozen=True)
class Deviation:
    """A setting in which a run differs from a paper."""

    setting: str
    paper: str
    ours: str
    why: str
    source: str


@cache
def papers() -> dict[str, Paper]:
    """Name of a file in `conf/papers/` -> its paper.

    Raises:
        TypeError: a setting has a key that `Setting` does not have, or lacks its source.
    """
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
        settings = [Setting(**one) for one in read.pop("settings")]
        found[path.stem] = Paper(**read, settings=settings)
    return found


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
            whys = [one["why"] for one in setting.deviates if _same(value)(one["ours"])]
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


def _is(config: Mapping[str, Any], name: str, value: Any) -> bool:
    wanted = value if isinstance(value, list) else [value]
    return any(found in wanted for found in _at(config, name, None))


def _at(config: Any, name: str, absent: Any) -> list[Any]:
    """The values at a dotted name; `absent` where there is no such part."""
    first, _, rest = name.partition(".")
    if first == "*":
        found = [_at(one, rest, absent) for one in config.values()]
        distinct: list[Any] = []
        for value in (value for values in found for value in values):
            distinct += [value] * (value not in distinct)
        return distinct
    if not isinstance(config, Mapping) or first not in config:
        return [absent]
    return _at(config[first], rest, absent) if rest else [config[first]]


def _same(ours: Any) -> Any:
    """Whether a value of the paper is this one; a list names the entries of a dictionary."""

    def same(theirs: Any) -> bool:
        if isinstance(theirs, list) and isinstance(ours, Mapping):
            return sorted(ours) == theirs
        if isinstance(theirs, str) and theirs.startswith("sha256:") and isinstance(ours, str):
            return hashlib.sha256(ours.encode()).hexdigest() == theirs.removeprefix("sha256:")
        return bool(ours == theirs)

    return same


def _text(value: Any) -> str:
    if isinstance(value, Mapping) and any(isinstance(one, Mapping) for one in value.values()):
        value = sorted(value)
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if value is None or value == "":
        return "none"
    text = " ".join(str(value).split())
    return text if len(text) <= LONG else f"{text[: LONG - 3]}..."
