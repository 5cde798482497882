"""The source of a user's operator, as it enters keys: its module and what that imports of its own.

Its own are the modules of the same package; of a file that is in no package, its neighbours. What
is imported by a computed name is not seen; files that are read are, where the operator declares
them.
"""

import ast
import hashlib
import importlib.util
import json
import sysconfig
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from distill.store.identity import content_hash


def source_hash(module: ModuleType, function: str, files: Sequence[str], said: str) -> str:
    """16 hex digits of the function's name, its sources and the files that it declares.

    Raises:
        ValueError: there is no source, or no such file; begins with `said`.
    """
    if not module.__file__ or not module.__file__.endswith(".py"):
        raise ValueError(f"{said}: {module.__name__} has no source file, whose hash is in the key")
    path = Path(module.__file__).resolve()
    root = _root(module, path)
    found = {
        _below(root, one): content_hash(one) for one in _sources(module.__name__, path, root, said)
    }
    for name in files:
        if not (path.parent / name).exists():
            raise ValueError(f"{said} declares the file {name}, but {path.parent} has none")
        found[name] = content_hash(path.parent / name)
    text = json.dumps([function, sorted(found.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _root(module: ModuleType, path: Path) -> Path:
    """Folder below which imports are the operator's own."""
    depth = module.__name__.count(".")
    if depth:  # a module of a package: the package's folder
        return path.parents[depth - 1 if path.stem != "__init__" else depth]
    installed = {Path(place) for place in sysconfig.get_paths().values()}
    return path if path.parent in installed else path.parent


def _sources(name: str, path: Path, root: Path, said: str) -> set[Path]:
    """The module's file, those of its package that it imports, directly or not, and their faces."""
    found: set[Path] = set()
    pending = [(name, path)]
    while pending:
        name, path = pending.pop()
        if path in found:
            continue
        found.add(path)
        wanted = {*_imports(path, name), *_parents(name)}
        for other in wanted - {name}:
            spec = None if other.partition(".")[0] == "distill" else _spec(other)
            file = (
                Path(spec.origin).resolve() if spec and spec.origin and spec.has_location else None
            )
            beside = root / f"{other}.py"
            if file != beside and beside.is_file() and root != path:
                raise ValueError(
                    f"{said}: {other} is not {beside} but {file}; give it another name"
                )
            if file and file.suffix == ".py" and (file == root or file.is_relative_to(root)):
                pending.append((other, file))
    return found


def _imports(path: Path, name: str) -> Iterator[str]:
    """Dotted names that a file may import, anywhere in it."""
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from (alias.name, *_parents(alias.name))
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            start = ".".join(base) if node.level else ""
            source = ".".join(part for part in (start, node.module) if part)
            yield from (source, *_parents(source))
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def _spec(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name) if name else None
    except (ImportError, ValueError, AttributeError):
        return None


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path != root else path.name
