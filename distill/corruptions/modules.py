"""Import the modules of a user's operators, from packages and from files."""

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


def imported(name: str, said: str) -> ModuleType:
    """Import a module by its dotted name. Raises ValueError, begun with `said`, if it cannot be."""
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


def imported_file(path: Path, said: str) -> ModuleType:
    """Import a file: as part of its package where it is in one, else under a name of its own.

    Raises:
        ValueError: there is none, or it cannot be imported; begins with `said`.
    """
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
    module = imported(name, said)
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


def only_operator(module: ModuleType, said: str) -> str:
    """Name of the operator of a file that was named without one.

    Raises:
        ValueError: it could be several functions, or none; begins with `said`.
    """
    there = functions(module)
    stem = Path(str(module.__file__)).stem
    declared = [name for name in there if hasattr(getattr(module, name), "declared")]
    for names in (declared, there):
        if stem in names:
            return stem
        if len(names) == 1:
            return names[0]
    raise ValueError(
        f"{said}: which function of it? {', '.join(there) or 'it has none'}; name it as "
        f"{Path(str(module.__file__)).name}:FUNCTION"
    )


def functions(module: ModuleType) -> list[str]:
    """Names of the public functions that a module defines."""
    found = inspect.getmembers(module, inspect.isfunction)
    return [n for n, f in found if f.__module__ == module.__name__ and not n.startswith("_")]
