"""What papers state of their settings, read from `conf/papers/`, and which of it a run has."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as part
from functools import cache
from typing import Any

import yaml

from distill.run.compose import CONF, PAPERS


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
        return [value for value in found if not any(map(same_as(value), self.values))]


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


@cache
def papers() -> dict[str, Paper]:
    """Name of a file in `conf/papers/` -> its paper.

    Raises:
        TypeError: a setting has a key that `Setting` does not have, or lacks its source.
    """
    found = {}
    for path in sorted((CONF / PAPERS).glob("*.yaml")):
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
        settings = [Setting(**one) for one in read.pop("settings")]
        found[path.stem] = Paper(**read, settings=settings)
    return found


def same_as(ours: Any) -> Callable[[Any], bool]:
    """Whether a value of the paper is this one; a list names the entries of a dictionary."""

    def same(theirs: Any) -> bool:
        if isinstance(theirs, list) and isinstance(ours, Mapping):
            return sorted(ours) == theirs
        if isinstance(theirs, str) and theirs.startswith("sha256:") and isinstance(ours, str):
            return hashlib.sha256(ours.encode()).hexdigest() == theirs.removeprefix("sha256:")
        return bool(ours == theirs)

    return same


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
