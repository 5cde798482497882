"""LEAF. Make a stage's artifact once: identity, lock, atomic completion.

`artifacts/<stage>/<key>/` holds what the stage wrote and `recipe.json`. It is made in
`<key>.partial/` under a file lock and renamed when complete, so it exists whole or not at all.
The key is the SHA-256 of canonical JSON of the stage's name and VERSION, its positional
arguments (config fields with their defaults, keys of input artifacts; no word of an input that a
stage may do without and is not given) and its pins (what from outside changes the output). Keyword
arguments say how a stage is run and enter no key.
"""

import hashlib
import importlib.metadata
import inspect
import json
import os
import platform
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from filelock import AcquireReturnProxy, FileLock, Timeout

CHECKOUT = Path(__file__).parent.parent
RECIPE = "recipe.json"
MAKING = "while making "
"""Begins the note that an error of a stage gets; the artifact's stage and key follow."""

RECORDED_VERSIONS = ("distill", "torch", "transformers", "trl", "peft", "datasets", "vllm")


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


class Store:
    """The artifacts below one folder."""

    def __init__(self, root: Path, say: Callable[[str], None] = lambda line: None) -> None:
        """A store below `root`; `say` is told what is made, continued or waited for."""
        self.root = root
        self.say = say

    def artifact(self, stage: Callable[..., None], *identity: Any, **how: Any) -> Artifact:
        """The artifact that `produce` would make or serve, without making it.

        Raises:
            TypeError: a value has no stable JSON form; the message says which field.
        """
        recipe = identify(stage, *identity)
        name = stage.__name__
        key = hashlib.sha256(canonical_json(recipe).encode()).hexdigest()
        return Artifact(name, key, self.root / name / key, recipe)

    def produce(self, stage: Callable[..., None], *identity: Any, **how: Any) -> Artifact:
        """Serve the stage's artifact, making it first if it does not exist.

        A second process that wants the same artifact waits until the first is done. Whatever a
        killed attempt left in `<key>.partial/` is handed to the stage again, which continues or
        overwrites it.

        Raises:
            RuntimeError: a file of a complete artifact is missing or was changed after it was made.
            Exception: whatever the stage raises; its note names the artifact.
        """
        artifact = self.artifact(stage, *identity)
        if not artifact.exists:
            artifact.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock(artifact):
                if not artifact.exists:
                    self._make(artifact, stage, identity, how)
        verify(artifact.path)
        return artifact

    def _lock(self, artifact: Artifact) -> AcquireReturnProxy:
        lock = FileLock(artifact.path.with_name(artifact.key + ".lock"))
        try:
            return lock.acquire(timeout=0.2)
        except Timeout:
            self.say(f"waiting for another process that makes {artifact.stage} {artifact.key[:12]}")
            return lock.acquire()

    def _make(
        self,
        artifact: Artifact,
        stage: Callable[..., None],
        identity: tuple[Any, ...],
        how: dict[str, Any],
    ) -> None:
        partial = artifact.partial
        verb = "continuing" if partial.exists() else "making"
        self.say(f"{verb} {artifact.stage}/{artifact.key[:12]}")
        partial.mkdir(exist_ok=True)
        begun = time.time()
        inputs = [_as_paths(value) for value in identity]
        try:
            stage(*inputs, **how, out=partial)
        except Exception as error:
            error.add_note(f"{MAKING}{artifact.stage}/{artifact.key[:12]}")
            raise
        record: dict[str, Any] = {
            "identity": artifact.recipe,
            "key": artifact.key,
            "labels": _all_labels(artifact, identity),
            "how": {name: canonical(value, name) for name, value in how.items() if _stable(value)},
            "seconds": round(time.time() - begun, 3),
            "host": socket.gethostname(),
            "python": platform.python_version(),
            "versions": {name: version(name) for name in RECORDED_VERSIONS if version(name)},
            "files": {n: _file_hash(partial / n) for n in _files(partial) if n != RECIPE},
        }
        for name in record["files"]:
            _flush(partial / name)
        _write_whole(partial / RECIPE, json.dumps(record, indent=1, sort_keys=True))
        os.rename(partial, artifact.path)
        _flush(artifact.path.parent)
        if "summary.json" in record["files"]:
            self.say(f"  {_counts(artifact.summary())}")


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


def verify(folder: Path) -> None:
    """Raise RuntimeError if a complete artifact is not, file for file, what was made."""
    files = json.loads((folder / RECIPE).read_text())["files"]
    there = set(_files(folder)) - {RECIPE}
    changed = [n for n in files if n not in there or _file_hash(folder / n) != files[n]]
    if changed or there - set(files):
        names = ", ".join(sorted(changed) + sorted(there - set(files)))
        raise RuntimeError(
            f"{folder} is not what was made: {names} missing, changed or added since. "
            "Delete the folder to have it made again."
        )


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, whole or not at all."""
    _write_whole(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def _write_whole(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    _flush(new)
    os.replace(new, path)


def _all_labels(artifact: Artifact, identity: tuple[Any, ...]) -> dict[str, str]:
    named = zip(artifact.recipe["arguments"], identity, strict=True)
    return {label: text for name, value in named for label, text in labels(value, name).items()}


def _field(value: Any, f: Any, name: str) -> Any:
    item = getattr(value, f.name)
    if f.metadata.get("content") and isinstance(item, str) and (path := local_path(item)):
        return {"sha256": content_hash(path)}
    return canonical(item, name)


def _as_paths(value: Any) -> Any:
    if isinstance(value, Artifact):
        return value.path
    if isinstance(value, list | tuple):
        return type(value)(_as_paths(item) for item in value)
    return value


def _counts(summary: dict[str, Any]) -> str:
    """What a stage counted, in words; what it found none of is left out."""
    counts = {n: v for n, v in summary.items() if isinstance(v, int) and v}
    return ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in counts.items())


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


def _flush(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
