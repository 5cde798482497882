"""Mistakes in a request are told in one line: the field, what it takes and what it got.

Hydra and OmegaConf name their own classes and types; here their errors are read for the field and
the value and written again in the terms of `distill.config`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, get_origin

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    GrammarParseError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from distill.checks import RULE, refused
from distill.config import Config
from distill.run.fields import config_in, unknown_name
from distill.run.overrides import parse, quoted, types_of
from distill.store.identity import part_of
from distill.training.config import Method

COMPOSING = (
    ValueError,
    TypeError,
    OmegaConfBaseException,
    HydraException,
    AssertionError,
    AttributeError,
    IndexError,
)
"""What composing a config of mistaken overrides raises; a TypeError and the last two come from
OmegaConf."""

_PLACE = re.compile(r"\s*full_key: (\S*)[\s\S]*")
"""How OmegaConf ends its messages: with the field and the classes around it."""

_NO_OPTION = re.compile(
    r"Could not (?:find|load) '((?:hydra/)?[^'/]*)/([^']*)'"
    r"(?:[\s\S]*?Available options[^\n]*\n([\s\S]*))?"
)

_SAID = (
    (
        r"Multiple values for ([^ ]+)\. To override",
        "{0} has an option; write {0}=OPTION, without +",
    ),
    (r"force-add of .*'(\+\+([^=']+)=.*)'", "{0}: {1} takes an option; write {1}=OPTION"),
    (r"Could not delete '([^']+)'\. No match", "there is no {0} to take out"),
    (r"Could not delete from config\. '([^']+)' does not", "there is no {0} to take out"),
    (r"Could not append .* already at '([^']+)'", "{0} has a value; write {0}=VALUE, without +"),
    (
        r"Could not override '([^'@]+)@([^']+)'\.",
        "{1} has no option of {0}; write +{0}@{1}=OPTION",
    ),
    (r"Could not override '([^'@]+)'\. No match", "{0} has no option; write +{0}=OPTION"),
    (
        r"In '([^']+)': ConfigKeyError raised .*Key '([^']+)' not in",
        "an option such as {0} cannot stand there, which has no field {1}",
    ),
    (r"primary config '([^']*)'", "--config-name={0}: there is no {0}.yaml in conf/; leave it out"),
    (r"Primary config module '.*\.([^'.]+)' not", "--config-path={0}: there is no such folder"),
    (r"Additional config directory '([^']+)' not", "--config-dir: there is no folder {0}"),
    (r"in command-line, path=(.*) is not avail", "hydra.searchpath: there is no folder {0}"),
    (r"sweep type : INTERVAL", "an interval has no end of values; list some, or take range()"),
    (r"Index '(.*)' \(.*\) is not an int", "{0} is no place in a list, which are 0, 1, ..."),
)
"""Pattern of what Hydra says -> what is meant, with the pattern's groups."""

_TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def one_line(error: BaseException, words: Sequence[str]) -> str:
    """An error of composing these overrides in one line, with the quoted form where it would do."""
    composing = isinstance(error, HydraException | AssertionError)
    causes = [error, error.__cause__] if composing else [error]
    split = (word.lstrip("+~").partition("=") for word in words)
    given = {key: value for key, _, value in split if "@" not in key}
    told = [_in_our_words(one, str(error), given) for one in causes if one]
    texts = [next(filter(None, told), "")] if any(told) else [str(one) for one in causes if one]
    texts = [text.partition("Config search path:")[0] for text in texts]
    text = "; ".join(" ".join(text.split()) for text in texts if text) or type(error).__name__
    if any(isinstance(one, GrammarParseError | InterpolationResolutionError) for one in causes):
        found = map(OverridesParser.create().parse_override, words)
        values = [(o.get_key_element(), str(o.value())) for o in found if not o.is_delete()]
        forms = [quoted(f"{key}={value}") for key, value in values if "${" in value]
        text += f"; where ${{...}} is text, write {' '.join(forms)}" if forms else ""
    return text


def idle_corruption(words: Sequence[str], config: Config) -> str:
    """What is wrong with setting how traces are damaged where no corruption is chosen; or nothing.

    In `corruption=none,shuffle_steps corruption.fraction=0.33` it is: the first is the uncorrupted
    arm. What has no traces, as the base, has none to damage.
    """
    if config.corruption.kind != "none" or config.training.method is Method.none:
        return ""
    given = {o.key_or_group: o for o in parse(words) if o.package is None}
    if given.keys() & {"corruption", "corruption.kind", "corruption._target_"}:
        return ""
    for name in ("fraction", "mode", "unit", "scope", "steps"):
        word = given.get(f"corruption.{name}")
        if word and word.value() not in (None, 0):
            return (
                f"{word.input_line} damages nothing, for no corruption is chosen; say "
                "corruption=NAME for one of conf/corruption/, or corruption.kind, "
                f"{_rule('corruption.kind')}"
            )
    return ""


def _in_our_words(error: BaseException, outer: str, given: Mapping[str, str]) -> str:
    """What an error of OmegaConf, Hydra or the system says of a field, option or file, or nothing.

    Args:
        error: the error, or what caused it.
        outer: text of the error that it caused.
        given: the fields that were set, and what was written for them.
    """
    if isinstance(error, OSError) and error.filename:
        return refused(error)
    if option := _NO_OPTION.search(str(error).partition("Config search path:")[0]):
        group, name, there = option.groups()
        choices = f"; choose from {', '.join(there.split())}" if there else ""
        return f"{group}={name}: there is no such option{choices}"
    said = " ".join(_PLACE.sub("", str(error)).split())
    for pattern, meant in _SAID:
        if found := re.search(pattern, said):
            return meant.format(*found.groups())
    if "Unexpected type for root: NoneType" in said:
        return next(filter(None, map(_below_nothing, given)), "")
    place = _PLACE.search(str(error))
    if not place:
        return ""
    name = _whole(re.sub(r"\[(\w+)\]", r".\1", place[1]), given)
    if isinstance(error, ConfigKeyError | ConfigAttributeError):
        new = re.search(r"use (\+.*)", outer)
        return unknown_name(name) or (
            f"there is no {name}" + (f"; {new[1]} adds it" if new and name else "")
        )
    if "does not support deletion" in said:
        return f"{name} cannot be taken out: only an option or an entry of a dictionary can"
    said = re.sub(r"^\w+ raised while resolving interpolation: ", "", said)
    if isinstance(error, InterpolationResolutionError) or not (takes := _takes(name)):
        return f"{name}: {said}"
    if isinstance(error, MissingMandatoryValue):
        return f"{name} has no value; it must be {takes}"
    if not isinstance(error, OmegaConfBaseException):
        return f"{name} must be {takes}"
    value = given.get(name, "") if error.value is None else repr(error.value)
    if value[:1] in ("", "{") and (groups := _groups(name)):
        return f"{name} is not there; +{groups[0]}@{name}=OPTION adds it, whose fields can be set"
    if error.value == {} and name.rpartition(".")[2].isdecimal():
        above = name.rpartition(".")[0]
        return f"{name} is not there; write the whole list, {above}=[{{FIELD: VALUE}},...]"
    return f"{name} must be {takes}; got {value or 'null'}"


def _whole(name: str, keys: Iterable[str]) -> str:
    """The dotted name of a field of which OmegaConf knows the last part alone, as of a new one."""
    if types_of(name) or not name:
        return name
    found = (re.match(rf"(.+\.{re.escape(name)})(\.|$)", key) for key in keys)
    return next((one[1] for one in found if one and types_of(one[1])), name)


def _below_nothing(key: str) -> str:
    """What is wrong with setting a field of an optional config that is not there."""
    parts = key.split(".")
    for name in (".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)):
        if type(None) in types_of(name) and (groups := _groups(name)):
            return f"{name} is null, so {key} cannot be set; +{groups[0]}@{name}=OPTION fills it"
    return ""


def _groups(name: str) -> list[str]:
    """The groups whose options can stand at a field that takes a config."""
    kinds = (kind for kind in types_of(name) if isinstance(kind, type) and is_dataclass(kind))
    groups = {*(f.name for f in fields(Config)), "ask", "benchmark", "sampling"}
    names = [kind.__name__.removesuffix("Config").lower() for kind in kinds]
    return [g for g in names if g in groups and not name.rpartition(".")[2].isdecimal()]


def _takes(name: str) -> str:
    """What a field takes, such as `a number > 0 or null`; empty if no config has it."""
    kinds = types_of(name)
    if Any in kinds:  # Hydra leaves it open
        return ""
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
        for group in _groups(name):
            return f"an option, as in +{group}@{name}=OPTION, or fields, as in {{FIELD: VALUE}}"
        return "fields, as in {FIELD: VALUE}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        names = (one if isinstance(one, str) else one.name for one in kind)
        return f"one of {', '.join(map(str, names))}"
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
