"""Find the operator that a corruption names, in this project, a package or a file of the user's."""

import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from distill.corruptions.declare import Declaration, declaration
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


@cache
def _kind(kind: str) -> Located:
    if kind in OPERATORS:
        function = getattr(importlib.import_module(f"{__package__}.operators.{kind}"), kind)
        return Located(kind, function, declaration(function))
    for entry in importlib.metadata.entry_points(group=GROUP, name=kind):
        module = _imported(entry.module, f"entry point {kind} of {GROUP}")
        return _located(kind, module, entry.attr, f"entry point {kind} of {GROUP} ({entry.value})")
    others = {entry.name for entry in importlib.metadata.entry_points(group=GROUP)}
    known = ", ".join([*OPERATORS, *sorted(others - {*OPERATORS})])
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
        module = _file(Path(here, place).expanduser(), said)
        name = name or _only(module, said)
    else:
        if not colon:
            place, _, name = place.rpartition(".")
        if not place or not name:
            raise ValueError(
                f"{said} names no operator; name my_package.my_module.my_operator or my_file.py"
            )
        if here not in sys.path:
            sys.path.append(here)
        module = _imported(place, said)
    own = module.__name__.rpartition(".")
    if own[0] == f"{__package__}.operators" and name == own[2]:
        return _kind(name)
    if name in OPERATORS:
        raise ValueError(f"{said}: an operator of this project is called {name}; take another name")
    return _located(name, module, name, said)


def _located(kind: str, module: ModuleType, name: str, said: str) -> Located:
    function = getattr(module, name, None)
    if function is None:
        there = ", ".join(_functions(module)) or "none"
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


def _imported(name: str, said: str) -> ModuleType:
    try:
        with _read_anew():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise ValueError(
                f"{said}: there is no module {error.name} in {os.getcwd()} or among what is "
                "installed"
            ) from error
        raise ValueError(f"{said} cannot be imported: {error}") from error
    except (Exception, SystemExit) as error:
        raise ValueError(f"{said} cannot be imported: {type(error).__name__}: {error}") from error


@contextmanager
def _read_anew() -> Iterator[None]:
    """Leave no bytecode, which an edit of equal size within a second would not make stale."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _file(path: Path, said: str) -> ModuleType:
    """Import a file: as part of its package where it is in one, else under a name of its own."""
    if not path.is_file():
        raise ValueError(f"{said}: there is no file {path}")
    path = path.resolve()
    root, name = path.parent, path.stem
    if not (root / "__init__.py").is_file():
        return _alone(path, said)
    while (root / "__init__.py").is_file():
        root, name = root.parent, f"{root.name}.{name}"
    if str(root) not in sys.path:
        sys.path.append(str(root))
    module = _imported(name, said)
    if Path(module.__file__ or "").resolve() != path:
        raise ValueError(f"{said}: {name} is {module.__file__} here, which was imported before")
    return module


def _alone(path: Path, said: str) -> ModuleType:
    """A file that is in no package; it may import its neighbours."""
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    name = f"_operator_{path.stem}_{abs(hash(path)):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        with _read_anew():
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ValueError(f"{said} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _only(module: ModuleType, said: str) -> str:
    """The operator of a file that was named without one."""
    functions = _functions(module)
    stem = Path(str(module.__file__)).stem
    declared = [name for name in functions if hasattr(getattr(module, name), "declared")]
    for names in (declared, functions):
        if stem in names:
            return stem
        if len(names) == 1:
            return names[0]
    raise ValueError(
        f"{said}: which function of it? {', '.join(functions) or 'it has none'}; name it as "
        f"{Path(str(module.__file__)).name}:FUNCTION"
    )


def _functions(module: ModuleType) -> list[str]:
    """Names of the public functions that a module defines."""
    found = inspect.getmembers(module, inspect.isfunction)
    return [n for n, f in found if f.__module__ == module.__name__ and not n.startswith("_")]
