"""Mistakes in a request are told in one line: the field, what it takes and what it got.

Hydra and OmegaConf name their own classes and types; here their errors are read for the field and
the value and written again in the terms of `distill.config`.
"""

import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, get_origin

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import (
    ConfigKeyError,
    GrammarParseError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from distill.checks import RULE
from distill.config import Config
from distill.run.fields import config_in, unknown_name
from distill.run.overrides import quoted, types_of
from distill.store.identity import part_of

COMPOSING = (
    ValueError,
    OmegaConfBaseException,
    HydraException,
    AssertionError,
    AttributeError,
    IndexError,
)
"""What composing a config of mistaken overrides raises; the last two come from OmegaConf."""

_PLACE = re.compile(r"\s*full_key: (\S*)[\s\S]*")
"""How OmegaConf ends its messages: with the field and the classes around it."""

_NO_OPTION = re.compile(
    r"Could not (?:find|load) '([^']*?)/([^']*)'(?:[\s\S]*?Available options[^\n]*\n([\s\S]*))?"
)

_TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def one_line(error: BaseException, words: Sequence[str]) -> str:
    """An error of composing these overrides in one line, with the quoted form where it would do."""
    composing = isinstance(error, HydraException | AssertionError)
    causes = [error, error.__cause__] if composing else [error]
    told = [_in_our_words(one, str(error)) for one in causes if one]
    texts = [next(filter(None, told), "")] if any(told) else [str(one) for one in causes if one]
    texts = [text.partition("Config search path:")[0] for text in texts]
    text = "; ".join(" ".join(text.split()) for text in texts if text) or type(error).__name__
    if any(isinstance(one, GrammarParseError | InterpolationResolutionError) for one in causes):
        found = map(OverridesParser.create().parse_override, words)
        values = [(o.get_key_element(), str(o.value())) for o in found if not o.is_delete()]
        forms = [quoted(f"{key}={value}") for key, value in values if "${" in value]
        text += f"; where ${{...}} is text, write {' '.join(forms)}" if forms else ""
    return text


def _in_our_words(error: BaseException, outer: str) -> str:
    """What an error of OmegaConf or Hydra says of a field or an option; empty if of neither.

    Args:
        error: the error, or what caused it.
        outer: text of the error that it caused.
    """
    if option := _NO_OPTION.search(str(error).partition("Config search path:")[0]):
        group, name, there = option.groups()
        choices = f"; choose from {', '.join(there.split())}" if there else ""
        return f"{group}={name}: there is no such option{choices}"
    place = _PLACE.search(str(error))
    if not place:
        return ""
    name = re.sub(r"\[(\w+)\]", r".\1", place[1])
    said = " ".join(_PLACE.sub("", str(error)).split())
    if isinstance(error, ConfigKeyError):
        new = re.search(r"use (\+.*)", outer)
        return unknown_name(name) or (
            f"there is no {name}" + (f"; {new[1]} adds it" if new and name else "")
        )
    if "does not support deletion" in said:
        return f"{name} cannot be taken out: only an option or an entry of a dictionary can"
    if isinstance(error, InterpolationResolutionError) or not (takes := _takes(name)):
        return f"{name}: {said}"
    if isinstance(error, MissingMandatoryValue):
        return f"{name} has no value; it must be {takes}"
    if not isinstance(error, OmegaConfBaseException):
        return f"{name} must be {takes}"
    return f"{name} must be {takes}; got {'null' if error.value is None else repr(error.value)}"


def _takes(name: str) -> str:
    """What a field takes, such as `a number > 0 or null`; empty if no config has it."""
    kinds = types_of(name)
    rule = _rule(name)
    texts = []
    for kind in kinds:
        if kind is type(None):
            texts.append("null")
        elif rule and kind is str:
            texts.append(rule)
        else:
            texts.append(f"{_type(kind, name)} {rule}".strip())
    return " or ".join(texts)


def _type(kind: Any, name: str) -> str:
    if isinstance(kind, type) and is_dataclass(kind):
        group = kind.__name__.removesuffix("Config").lower()
        groups = {*(f.name for f in fields(Config)), "ask"}
        if group in groups and not name.rpartition(".")[2].isdecimal():
            return f"an option, as in +{group}@{name}=OPTION, or fields, as in {{FIELD: VALUE}}"
        return "fields, as in {FIELD: VALUE}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"one of {', '.join(map(str, kind))}"
    if get_origin(kind) in (dict, list):
        return "a dictionary, {NAME: VALUE}" if get_origin(kind) is dict else "a list, [VALUE,...]"
    return _TYPES.get(kind, str(kind))


def _rule(name: str) -> str:
    """The rule beside a field, such as `>= 1`; empty if it has none."""
    *above, last = name.split(".")
    kind: Any = Config
    for part in above:
        kind, _ = part_of(kind, part) or (None, False)
    owner = config_in(kind)
    rule = {f.name: f.metadata.get(RULE) for f in fields(owner)}.get(last) if owner else None
    return rule.text if rule else ""
