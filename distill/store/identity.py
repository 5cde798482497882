"""Identity: canonical JSON of everything that decides what a stage makes, and its hash."""

import hashlib
import importlib.metadata
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]


RECIPE = "recipe.json"


@dataclass(frozen=True)
class Artifact:
    """What one stage makes, whether it exists yet or not."""

    stage: str
    """Name of the stage's function."""

    key: str
    """64 hex digits; the artifact's identity."""

    path: Path
    """Its folder, once complete."""

    recipe: dict[str, Any]
    """The canonical identity that `key` is the hash of."""

    @property
    def exists(self) -> bool:
        """Whether it is complete."""
        return (self.path / RECIPE).is_file()

    @property
    def partial(self) -> Path:
        """Folder in which it is being made."""
        return self.path.with_name(self.path.name + ".partial")

    def summary(self) -> dict[str, Any]:
        """The counts that the stage wrote in `summary.json`."""
        return json.loads((self.path / "summary.json").read_text())

    def record(self) -> dict[str, Any]:
        """The whole `recipe.json`: identity, seconds, how it was run, versions, hashes of files."""
        return json.loads((self.path / RECIPE).read_text())


def identify(stage: Callable[..., None], *identity: Any) -> dict[str, Any]:
    """Everything that decides what the stage makes, as JSON values."""
    module = sys.modules[stage.__module__]
    pins = getattr(module, "pins", None)
    signature = inspect.signature(stage)
    how = {p.name: None for p in signature.parameters.values() if p.kind == p.KEYWORD_ONLY}
    named = signature.bind(*identity, **how).arguments
    return {
        "stage": stage.__name__,
        "version": module.VERSION,
        "arguments": {n: canonical(value, n) for n, value in named.items() if n not in how},
        "pins": canonical(pins(*identity), "pins") if pins else {},
    }


def canonical(value: Any, name: str = "value") -> Any:
    """The value as plain JSON, the same on every machine.

    Dataclasses become objects of all their fields; fields marked `content` that name a local
    file or folder become its hash, so that a path never enters an identity; fields marked
    `label` are left out; artifacts become their keys.

    Raises:
        TypeError: the value has no stable form; never falls back to `str(value)`.
    """
    if isinstance(value, Artifact):
        return {"artifact": value.key}
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise TypeError(f"{name} is {value}, which has no JSON form")
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: _field(value, f, f"{name}.{f.name}")
            for f in fields(value)
            if not f.metadata.get("label")
        }
    if isinstance(value, list | tuple):
        return [canonical(item, f"{name}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: canonical(item, f"{name}.{key}") for key, item in value.items()}
    raise TypeError(f"{name} is a {type(value).__name__}, which has no stable JSON form: {value!r}")


def labels(value: Any, name: str) -> dict[str, str]:
    """What an identity leaves out of configs: their fields marked `label`, by dotted name.

    Above all which server answered: its address decides nothing that could be checked, and is what
    somebody asks who doubts a reply.
    """
    if not is_dataclass(value) or isinstance(value, type | Artifact):
        return {}
    found: dict[str, str] = {}
    for f in fields(value):
        part, dotted = getattr(value, f.name), f"{name}.{f.name}"
        if f.metadata.get("label") and isinstance(part, str) and part:
            found[dotted] = part
        found |= labels(part, dotted)
    return found


def canonical_json(value: Any) -> str:
    """The one JSON text of a canonical value."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def local_path(name: str) -> Path | None:
    """The file or folder of this name, below the working directory or the checkout, or None."""
    candidates = (Path(name), CHECKOUT / name) if name else ()
    return next((path for path in candidates if path.exists()), None)


def content_hash(path: Path) -> str:
    """SHA-256 of a file, or of the names and hashes of all files below a folder."""
    if path.is_file():
        return _file_hash(path)["sha256"]
    names = _files(path)
    if not names:
        raise FileNotFoundError(f"{path} is an empty folder; its content is part of an identity")
    return hashlib.sha256(
        canonical_json([[name, _file_hash(path / name)["sha256"]] for name in names]).encode()
    ).hexdigest()


@cache
def version(package: str) -> str | None:
    """Installed version of a package, without importing it; None if it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _field(value: Any, f: Any, name: str) -> Any:
    item = getattr(value, f.name)
    if f.metadata.get("content") and isinstance(item, str) and (path := local_path(item)):
        return {"sha256": content_hash(path)}
    return canonical(item, name)


def _stable(value: Any) -> bool:
    try:
        canonical(value)
    except TypeError:
        return False
    return True


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def _file_hash(path: Path) -> dict[str, Any]:
    stat = path.stat()
    return {
        "bytes": stat.st_size,
        "sha256": _sha256(path, stat.st_size, stat.st_mtime_ns, stat.st_ino),
    }


@lru_cache(maxsize=65_536)
def _sha256(path: Path, size: int, modified: int, inode: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
