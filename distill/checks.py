"""Rules of config fields: one rule is what is checked, what the help shows and what errors say."""

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING as NO_FACTORY
from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import MISSING

LABEL = {"label": True}
"""Marks a field that only names a choice or a place: shown everywhere, part of no identity."""

APART = {"apart": True}
"""Marks a config whose own artifact is made first: it enters later keys through that artifact."""

REFERENCE = APART
"""Marks a text that stands for another run, as one would type it after `python -m distill`; what
that run makes enters later keys, and how the text is spelled does not."""

LIMIT = {"limit": True}
"""Marks a limit: it says whether an artifact may be used, not what it holds, and so is part of no
identity; a stage looks at it whenever its artifact is used."""

LATER = {"later": True}
"""Marks a field that came after artifacts were made without it, and whose default does what they
were made by: at its default it is left out of an identity, so that their keys stay."""

RULE = "rule"
"""Key of a field's `Rule` in its metadata."""


@dataclass(frozen=True)
class Rule:
    """Which values a field may have."""

    text: str
    """Follows "must be", such as `>= 1`."""

    holds: Callable[[Any], bool]

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError, with name, rule and value, unless the value is allowed."""
        if not self.holds(value):
            raise ValueError(f"{name} must be {self.text}; got {value!r}")


SHARE = Rule("in [0, 1]", lambda value: 0 <= value <= 1)
POSITIVE_SHARE = Rule("in (0, 1]", lambda value: 0 < value <= 1)
SHARE_BELOW_1 = Rule("in [0, 1)", lambda value: 0 <= value < 1)
POSITIVE = Rule("> 0", lambda value: value > 0)


_DEVICES = r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?"
"""Names that Windows gives no file, whatever their ending."""


def _names_a_file(value: Any) -> bool:
    if not isinstance(value, str) or not value.isprintable() or len(value.encode()) > 100:
        return False
    bare = value.strip() == value and value[:1] not in ("", ".", "~") and value[-1:] != "."
    return bare and not re.search(r'[/\\:*?"<>|]', value) and not re.fullmatch(_DEVICES, value)


FILE_NAME = Rule(
    "a name that a file can have anywhere: 1 to 100 bytes of printed characters, none of "
    '/ \\ : * ? " < > |, no dot or ~ first, no dot last, no blank at an end, none that Windows '
    "reserves (con, nul, com1, ...)",
    _names_a_file,
)


def _names_a_place(value: str) -> bool:
    if not value.strip() or "\0" in value:
        return False
    whole = os.path.expanduser(value)
    return not whole.startswith("~") and os.path.abspath(whole) != os.path.abspath(os.sep)


PATH = Rule(
    "a path: not empty, without NUL, not the root of the file system, with a ~ at the beginning "
    "only for a home folder that there is",
    _names_a_place,
)

TEXT = Rule("a text that is not blank", lambda text: bool(text.strip()))


def refused(error: OSError) -> str:
    """What the system does not do, with the file, as `FILE: No such file or directory`."""
    named = error.filename is not None and error.strerror
    return f"{error.filename}: {error.strerror}" if named else str(error)


def path(name: str, value: str) -> str:
    """The path with a leading `~` as the home folder. Raises ValueError with the field's name."""
    PATH.check(name, value)
    return os.path.expanduser(value)


def check_names(field: str, names: Iterable[str]) -> None:
    """Raise ValueError for a key of a dictionary field that could not name a file."""
    for name in names:
        FILE_NAME.check(f"a name in {field}", name)


def at_least(least: float) -> Rule:
    """Numbers from `least` on."""
    return Rule(f">= {least}", lambda value: value >= least)


def between(least: int, most: int) -> Rule:
    """Numbers from `least` to `most`, both among them."""
    return Rule(f"in [{least}, {most}]", lambda value: least <= value <= most)


def one_of(*choices: str) -> Rule:
    """These choices."""
    return Rule(f"one of {', '.join(choices)}", lambda value: value in choices)


def ruled(default: Any, rule: Rule, marks: Mapping[str, bool] | None = None) -> Any:
    """A dataclass field with a default, the rule of its values, and marks such as `LATER`."""
    return field(default=default, metadata={RULE: rule} | dict(marks or {}))


@dataclass
class Checked:
    """A config that checks its fields: their rules, and that every number is finite.

    Fields that name a file or folder hold a `PATH`, whose `~` becomes the home folder.
    """

    def __post_init__(self) -> None:
        group = type(self).__name__.removesuffix("Config").lower()
        for f in fields(self):
            setattr(self, f.name, _one_form(getattr(self, f.name), f.type in FLOATS))
            name, value = f"{group}.{f.name}", getattr(self, f.name)
            if f.metadata.get("content") and isinstance(value, str) and value != MISSING:
                value = path(name, value)
                setattr(self, f.name, value)
            _refuse_numbers(name, value)
            if f.metadata.get(RULE) and value not in (None, MISSING):
                f.metadata[RULE].check(name, value)


@dataclass
class Named(Checked):
    """A config that is chosen by the name of a YAML file."""

    name: str = field(default=MISSING, metadata=LABEL)
    """The YAML's file name."""


def label(group: str, name: str, kind: str, kinds: tuple[str, ...], default: str) -> str:
    """The label of a choice; its kind, if that was set and the default option's label is left.

    Raises:
        ValueError: the label is another of the `kinds`: whoever set it meant the kind.
    """
    if name not in kinds or name == kind:
        return name
    if name == default:
        return kind
    raise ValueError(
        f"{group}.name is a label and got {name!r}, while {group}.kind is {kind!r}; "
        f"choose by {group}={name} or {group}.kind={name}"
    )


def reset(config: Any, *names: str) -> None:
    """Set fields that mean nothing here to their defaults, so that equal runs are equal."""
    for f in fields(config):
        if f.name in names:
            made = f.default if f.default_factory is NO_FACTORY else f.default_factory()
            setattr(config, f.name, made)


FLOATS: tuple[Any, ...] = (float, float | None)
"""Types of fields in which 1 is 1.0."""


def _one_form(value: Any, is_float: bool = False) -> Any:
    """-0.0 is 0.0, also in lists and dictionaries; in a field of floats 1 is 1.0."""
    if isinstance(value, float) or (is_float and type(value) is int):
        return value + 0.0
    if isinstance(value, list):
        return [_one_form(item) for item in value]
    if isinstance(value, dict):
        return {key: _one_form(item) for key, item in value.items()}
    return value


def _refuse_numbers(name: str, value: Any) -> None:
    """Infinity and NaN have no JSON form and pass comparisons that they should fail.

    What has more than 64 bits is found by torch or an engine, hours later.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number; got {value}")
    if type(value) is int and not -(2**63) <= value < 2**63:
        raise ValueError(f"{name} must be a whole number of at most 64 bits; got {value}")
    if isinstance(value, list | tuple):
        for item in value:
            _refuse_numbers(name, item)
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_numbers(f"{name}.{key}", item)
