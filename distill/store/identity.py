"""Answers whether two things are the same: an artifact, a run, an arm.

`artifact_key` hashes everything that decides what a stage makes. `run_key` hashes the keys of what
a run's last stage makes; of artifacts that are named by their arguments alone (`Names`) it tells
runs apart before anything is looked up. `arm_group` is equal for recorded configs that differ in
labels and in fields that the caller names.
"""

import hashlib
import importlib.metadata
import inspect
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from distill.store.canonical import CHECKOUT as CHECKOUT
from distill.store.canonical import RECIPE as RECIPE
from distill.store.canonical import Artifact, canonical, canonical_json, part_of
from distill.store.canonical import content_hash as content_hash
from distill.store.canonical import local_path as local_path


def artifact_key(recipe: Mapping[str, Any]) -> str:
    """Key of an artifact: the hash of its recipe, see `identify`."""
    return _hash(recipe)


def run_key(made: Sequence[tuple[str, Artifact, str]]) -> str:
    """Key of a run: the hash of the keys of what its last stage makes.

    Equal configs have equal keys, and so have configs that differ in labels or in fields that none
    of the run's stages reads.

    Args:
        made: stage, artifact and benchmark of each step; see `distill.pipeline.Made`.
    """
    last = made[-1][0]
    return _hash([str(last), [[b, artifact.key] for stage, artifact, b in made if stage == last]])


def arm_group(config: Any, schema: Any, without: Collection[str] = ()) -> str:
    """16 hex digits, equal for configs that differ in labels and in `without` only.

    Everything else tells them apart, a field that `schema` does not know included.

    Args:
        config: JSON values, as recorded.
        schema: the dataclass that says which fields are labels.
        without: dotted names of fields or sections that do not count.
    """
    return _hash(_counted(config, schema, without))[:16]


def identify(stage: Callable[..., None], *identity: Any) -> dict[str, Any]:
    """Everything that decides what the stage makes, as JSON values."""
    module = sys.modules[stage.__module__]
    pins = getattr(module, "pins", None)
    return {
        "stage": stage.__name__,
        "version": module.VERSION,
        "arguments": arguments(stage, identity),
        "pins": canonical(pins(*identity), "pins") if pins else {},
    }


class Names:
    """Names artifacts by their arguments alone, without VERSION, pins and place: asks no hub.

    Called like `Store.artifact`. Runs share most of their configs, so each object is hashed once.
    """

    def __init__(self) -> None:
        """Nothing is hashed yet; objects that will be are kept, and may not change."""
        self._hashes: dict[int, tuple[Any, str]] = {}

    def __call__(self, stage: Callable[..., None], *identity: Any, **how: Any) -> Artifact:
        """The artifact; only its stage and its key mean something."""
        name = stage.__name__
        return Artifact(name, _hash([name, *map(self._argument, identity)]), Path(), {})

    def _argument(self, value: Any) -> Any:
        if isinstance(value, Artifact):
            return value.key
        if isinstance(value, list | tuple):
            return [self._argument(item) for item in value]
        if id(value) not in self._hashes:
            self._hashes[id(value)] = value, _hash(canonical(value, type(value).__name__))
        return self._hashes[id(value)][1]


def arguments(stage: Callable[..., None], identity: Sequence[Any]) -> dict[str, Any]:
    """Positional arguments by name; keyword arguments say how and are no part of an identity."""
    signature, how = _signature(stage)
    bound = signature.bind(*identity, **how).arguments
    return {n: canonical(value, n) for n, value in bound.items() if n not in how}


@cache
def version(package: str) -> str | None:
    """Installed version of a package, without importing it; None if it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


@cache
def _signature(stage: Callable[..., None]) -> tuple[inspect.Signature, dict[str, None]]:
    signature = inspect.signature(stage)
    keyword = (p.name for p in signature.parameters.values() if p.kind == p.KEYWORD_ONLY)
    return signature, dict.fromkeys(keyword)


def _hash(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _counted(value: Any, schema: Any, without: Collection[str], place: str = "") -> Any:
    """A recorded value without labels and `without`."""
    if isinstance(value, list):
        item_type, _ = part_of(schema, "0") or (None, False)
        return [_counted(item, item_type, without, place) for item in value]
    if not isinstance(value, Mapping):
        return value
    made = {}
    for name, item in value.items():
        dotted = f"{place}.{name}" if place else name
        kind, label = part_of(schema, name) or (None, False)
        if not label and dotted not in without:
            made[name] = _counted(item, kind, without, dotted)
    return made
