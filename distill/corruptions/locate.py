"""Find the operator that a corruption names, in this project, a package or a file of the user's."""

import importlib
import importlib.metadata
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from distill.corruptions.declare import Declaration, declaration
from distill.corruptions.modules import functions, imported, imported_file, only_operator
from distill.corruptions.sources import source_hash

FOLDER = Path(__file__).with_name("operators")
OPERATORS = tuple(sorted(path.stem for path in FOLDER.glob("[a-z]*.py")))
"""The project's own operators: the files of `distill/corruptions/operators/`."""

GROUP = "distill.corruptions"
"""Entry points of this group are operators, too, under the entry point's name."""

TARGET = "corruption._target_"


@dataclass(frozen=True)
class Located:
    """An operator and where it is from."""

    kind: str
    """Its name: of its file, its entry point, or its function."""

    function: Callable[..., Any]
    declared: Declaration
    source: str | None = None
    """Hash of a user's code, see `sources.source_hash`; None: the project's own, for which
    `corrupt.VERSION` stands."""


def locate(kind: str, target: str | None) -> Located:
    """The operator of a corruption's `kind` and `_target_`.

    Raises:
        ValueError: there is none, it cannot be imported, or it takes other arguments.
    """
    found = _target(target, os.getcwd()) if target else _kind(kind)
    if target and kind not in ("none", found.kind):
        raise ValueError(
            f"corruption.kind is {kind!r}, but {TARGET}={target} names {found.kind}; leave out one"
        )
    return found


@cache
def declarations() -> Mapping[str, Declaration]:
    """What each of the project's own operators declares."""
    return {name: _kind(name).declared for name in OPERATORS}


def foreign() -> frozenset[str]:
    """The kinds that are entry points, and not the project's own."""
    return frozenset(e.name for e in importlib.metadata.entry_points(group=GROUP)) - {*OPERATORS}


@cache
def _kind(kind: str) -> Located:
    if kind in OPERATORS:
        function = getattr(importlib.import_module(f"{__package__}.operators.{kind}"), kind)
        return Located(kind, function, declaration(function))
    for entry in importlib.metadata.entry_points(group=GROUP, name=kind):
        module = imported(entry.module, f"entry point {kind} of {GROUP}")
        return _located(kind, module, entry.attr, f"entry point {kind} of {GROUP} ({entry.value})")
    known = ", ".join([*OPERATORS, *sorted(foreign())])
    raise ValueError(
        f"corruption.kind must be one of {known}; got {kind!r}. An operator of your own is named "
        f"by {TARGET}=my_package.my_module.my_operator or {TARGET}=my_file.py"
    )


@cache
def _target(target: str, here: str) -> Located:
    """The operator of `package.module.function`, `package.module:function`, `FILE.py[:function]`.

    Packages are looked for in the working directory, too.
    """
    place, colon, name = target.partition(":")
    said = f"{TARGET}={target}"
    if place.endswith(".py"):
        module = imported_file(Path(here, Path(place).expanduser()), said)
        name = name or only_operator(module, said)
    else:
        if not colon:
            place, _, name = place.rpartition(".")
        if not place or not name:
            raise ValueError(
                f"{said} names no operator; name my_package.my_module.my_operator or my_file.py"
            )
        if here not in sys.path:
            sys.path.append(here)
        module = imported(place, said)
        if not getattr(module, "__file__", None):  # by whose content it would be identified
            raise ValueError(f"{said} has no file; an operator is a function in a file of Python")
    own = module.__name__.rpartition(".")
    if own[0] == f"{__package__}.operators" and name == own[2]:
        return _kind(name)
    if name in OPERATORS:
        raise ValueError(f"{said}: an operator of this project is called {name}; take another name")
    return _located(name, module, name, said)


def _located(kind: str, module: ModuleType, name: str, said: str) -> Located:
    function = getattr(module, name, None)
    if function is None:
        there = ", ".join(functions(module)) or "none"
        raise ValueError(f"{said}: {module.__file__} has no {name}; its functions: {there}")
    _check(function, said)
    declared = declaration(function)
    return Located(kind, function, declared, source_hash(module, name, declared.files, said))


def _check(function: Any, said: str) -> None:
    """Raise ValueError unless it can be called as an operator."""
    takes = (
        "an operator is a function (corpus, config, borrow) that yields a Damaged for each trace"
    )
    if not callable(function) or inspect.isclass(function):
        raise ValueError(f"{said} is a {type(function).__name__}; {takes}")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise ValueError(f"{said} is asynchronous; {takes}")
    signature = inspect.signature(function)
    try:
        signature.bind("corpus", "config", "borrow")
    except TypeError as error:
        raise ValueError(f"{said} takes {signature} ({error}); {takes}") from error
