"""Fields of configs: what each means, and which words on a command line name none.

Hydra accepts `+seed=0` and drops it. Every way of calling the program therefore checks the names of
its overrides here, before anything runs.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from difflib import SequenceMatcher
from enum import Enum
from functools import cache
from typing import Any, get_args, get_type_hints

from hydra.conf import HydraConf
from hydra.core.override_parser.types import Override, QuotedString

from distill.checks import RULE, one_of
from distill.config import Config
from distill.run.overrides import SWEEPER, parse, types_of

GLOBAL_GROUPS = ("world", "study")
"""Groups that pick options of others; every other group fills the field of its name and no more."""

HYDRA_GROUPS = (
    *("hydra/env", "hydra/help", "hydra/hydra_help", "hydra/hydra_logging", "hydra/job_logging"),
    *("hydra/launcher", "hydra/output", "hydra/sweeper"),
)
"""Groups of Hydra's own options."""


@dataclass(frozen=True)
class Described:
    """One field of a config."""

    name: str
    """Dotted, such as `training.batch`; an entry of a dictionary is `NAME`."""

    type: str
    default: str
    rule: str
    """Which values it takes, such as `>= 1`; empty where every value of its type is one."""

    text: str
    """What it means, with its unit."""


def describe(config: Any, name: str = "") -> Iterator[Described]:
    """Every field of a config class and of the configs in it, in order."""
    texts = _texts(config)
    for f in fields(config):
        dotted = f"{name}.{f.name}" if name else f.name
        kind = get_type_hints(config)[f.name]
        inner = config_in(kind)
        if not inner or kind is not inner:
            rule = f.metadata.get(RULE) or _choices(kind)
            text = texts.get(f.name, "")
            yield Described(dotted, _type(kind), _default(f), rule.text if rule else "", text)
        if inner:
            below = f"{dotted}.NAME" if _type(kind).startswith("dict") else dotted
            yield from describe(inner, below)


def refuse_unknown(overrides: Sequence[str]) -> None:
    """Stop at a word that is no override, or one whose field or group no config has.

    Raises:
        ValueError: names the override, and the nearest fields or how to write it.
    """
    for override in parse(overrides):
        if problem := unknown(override):
            raise ValueError(problem)


def unknown(override: Override) -> str:
    """What is wrong with the name of a parsed override; empty if it names a field or a group."""
    name = override.package or override.key_or_group
    if name.startswith("hydra/") and override.is_hydra_override():
        problem = f"Hydra has no group {name}; it has {', '.join(HYDRA_GROUPS)}"
        if name in HYDRA_GROUPS:
            one = override.is_delete() or _names_options(override)
            problem = "" if one else f"{name} takes the name of one option, as in {name}=OPTION"
    elif override.package is not None and not (override.is_delete() or _names_options(override)):
        key = str(override.input_line).partition("=")[0]
        problem = f"{key} takes the name of one option, as in {key}=OPTION"
    elif "/" in name:
        problem = f"a field is written with dots, {name.replace('/', '.')}"
    elif name in _groups() and not (override.is_delete() or _names_options(override)):
        problem = f"{name} takes the name of one option, as in {name}=OPTION"
    else:
        problem = "" if name in GLOBAL_GROUPS else unknown_name(name)
    return problem and f"{override.input_line}: {problem}"


def _names_options(override: Override) -> bool:
    """Whether the value is text; of several values each run of the sweep is asked."""
    return override.is_sweep_override() or isinstance(override.value(), str | QuotedString)


def unknown_name(name: str) -> str:
    """Says that no config has the dotted name, and which are nearest; empty if one has it."""
    return "" if types_of(name) else f"no config has {name}; nearest: {', '.join(_nearest(name))}"


def _nearest(name: str) -> list[str]:
    """The five fields named most like it; a word without dots is compared to last parts."""

    def order(known: str) -> tuple[float, int]:
        compared = known if "." in name else known.split(".")[-1]
        return -SequenceMatcher(None, name.lower(), compared).ratio(), known.count(".")

    return sorted(_hydra_names() if name.startswith("hydra.") else _names(), key=order)[:5]


@cache
def _groups() -> tuple[str, ...]:
    """Groups with a field of their own, and those that pick options of others."""
    hints = get_type_hints(Config)
    return (*(name for name, kind in hints.items() if is_dataclass(kind)), *GLOBAL_GROUPS)


@cache
def _names() -> tuple[str, ...]:
    sections = tuple(f.name for f in fields(Config))
    return sections + tuple(field.name for field in describe(Config) if "." in field.name)


@cache
def _hydra_names() -> tuple[str, ...]:
    """Hydra's own settings, and those of the project's sweeper."""
    names = []
    for name, kind in get_type_hints(HydraConf).items():
        below = get_type_hints(kind) if is_dataclass(kind) else SWEEPER if name == "sweeper" else ()
        names += [f"hydra.{name}", *(f"hydra.{name}.{part}" for part in below)]
    return tuple(names)


def config_in(kind: Any) -> Any:
    """The config class that a type is made of; None if there is none."""
    candidates = (kind, *get_args(kind))
    return next((one for one in candidates if is_dataclass(one)), None)


def _type(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)


def _choices(kind: Any) -> Any:
    """The rule of an enumeration: one of its members."""
    return one_of(*map(str, kind)) if isinstance(kind, type) and issubclass(kind, Enum) else None


def _default(f: Field[Any]) -> str:
    if f.default_factory is not MISSING:
        made = f.default_factory()
        return "" if is_dataclass(made) else str(made)
    return str(f.default)


@cache
def _texts(config: Any) -> dict[str, str]:
    """Field -> the docstring under it, of a config class and those that it extends."""
    texts: dict[str, str] = {}
    for ancestor in reversed(config.__mro__[:-1]):
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(ancestor))).body
        assert isinstance(tree, ast.ClassDef)
        for node, after in zip(tree.body, tree.body[1:], strict=False):
            match node, after:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    texts[name] = " ".join(text.split())
    return texts
