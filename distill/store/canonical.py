"""Configs and artifacts become canonical JSON, the same on every machine.

Metadata of a config's fields says what counts: `label` names a choice or a place and is part of no
identity; `limit` says whether something may be used and not what it is: its default stands for it;
`apart` enters a key through an artifact of its own; `content` is a path that counts by what it
holds; `later` came after keys were recorded, and at its default is left out of them. A file that
did not change is read once, see `distill.store.digests`.
"""

import hashlib
import json
import os
from dataclasses import Field, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from distill.store import digests

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


def canonical(value: Any, name: str = "value") -> Any:
    """The value as plain JSON, the same on every machine.

    Dataclasses become objects of all their fields; fields marked `content` that name a local
    file or folder become its hash, so that a path never enters an identity; fields marked
    `label` or `apart`, and those marked `later` that have their default, are left out; artifacts
    become their keys.

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
        return value + 0.0  # -0.0 is 0.0
    if is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: _field(getattr(value, f.name), f, f"{name}.{f.name}")
            for f in _counting(type(value))
            if not ("later" in f.metadata and getattr(value, f.name) == f.default)
        }
    if isinstance(value, list | tuple):
        return [canonical(item, f"{name}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: canonical(item, f"{name}.{key}") for key, item in value.items()}
    raise TypeError(f"{name} is a {type(value).__name__}, which has no stable JSON form: {value!r}")


def canonical_json(value: Any) -> str:
    """The one JSON text of a canonical value."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def labels(value: Any, name: str) -> dict[str, str]:
    """The fields of configs that are marked `label` and enter no key, by dotted name.

    They are recorded all the same, above all the address of the server that replied: nothing can be
    checked by it, but whoever doubts a reply will ask for it.
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


def part_of(schema: Any, name: str) -> tuple[Any, bool] | None:
    """Type of the named part of a config's type, and whether it is a label or a limit; or None."""
    if get_origin(schema) in (Union, UnionType):
        schema = next(kind for kind in get_args(schema) if kind is not type(None))
    if isinstance(schema, type) and is_dataclass(schema):
        return _parts(schema).get(name)
    if get_origin(schema) in (dict, list):
        return get_args(schema)[-1], False
    return None


def local_path(name: str) -> Path | None:
    """The file or folder of this name, below the working directory or the checkout, or None."""
    places = (name, os.path.join(CHECKOUT, name)) if name else ()
    return next((Path(place) for place in places if os.path.exists(place)), None)


def _field(value: Any, field: Field[Any], name: str) -> Any:
    if "limit" in field.metadata:
        return canonical(field.default, name)
    if "content" in field.metadata and isinstance(value, str) and (path := local_path(value)):
        return {"sha256": content_hash(path)}
    return canonical(value, name)


@cache
def _counting(config: type) -> list[Field[Any]]:
    """Fields of a dataclass that enter a key."""
    return [f for f in fields(config) if not any(map(f.metadata.get, ("label", "apart")))]


@cache
def _parts(schema: Any) -> dict[str, tuple[Any, bool]]:
    hints = get_type_hints(schema)
    marks = ("label", "limit")
    return {f.name: (hints[f.name], any(map(f.metadata.get, marks))) for f in fields(schema)}


def content_hash(path: Path) -> str:
    """SHA-256 of a file, or of the names and hashes of all files below a folder.

    Raises:
        FileNotFoundError: the folder is empty.
    """
    if path.is_file():
        return file_hash(path)["sha256"]
    names = files(path)
    if not names:
        raise FileNotFoundError(f"{path} is an empty folder; its content is part of an identity")
    hashes = [[name, file_hash(path / name)["sha256"]] for name in names]
    return hashlib.sha256(json.dumps(hashes, separators=(",", ":")).encode()).hexdigest()


def files(folder: Path, passed_over: tuple[str, ...] = ()) -> list[str]:
    """Every file below a folder, relative to it, by name; also in folders that are links.

    Files and folders whose names begin with one of `passed_over` are left out.
    """
    root, found = os.fspath(folder), []
    for place, folders, names in os.walk(root, followlinks=True):
        folders[:] = [f for f in folders if not f.startswith(passed_over)]
        here = os.path.join(os.path.realpath(place), "")
        targets = [os.path.join(os.path.realpath(os.path.join(place, f)), "") for f in folders]
        folders[:] = [f for f, to in zip(folders, targets, strict=True) if not here.startswith(to)]
        paths = (os.path.join(place, n) for n in names if not n.startswith(passed_over))
        found += [os.path.relpath(path, root) for path in paths if os.path.isfile(path)]
    return sorted(found)


def file_hash(path: Path) -> dict[str, Any]:
    """Its `bytes` and `sha256`."""
    stat = path.stat()
    return {"bytes": stat.st_size, "sha256": digests.sha256(path, stat)}
