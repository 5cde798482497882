"""What a study makes: the identity of every cell and of every artifact, without making them."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ablations.studies.cells import Cell
from distill import pipeline
from distill.pipeline import Made
from distill.run.record import FAILED, RUN, cell_folder, cell_key, reason, short_labels
from distill.store.artifacts import Store
from distill.store.identity import Artifact, canonical, canonical_json
from distill.trace.records import digest

UNRESOLVED = "unresolved"
"""Stands for a key that needs what this machine cannot reach, such as a hub model's commit."""


@dataclass(frozen=True)
class Planned:
    """A cell with its names."""

    cell: Cell
    made: list[Made]
    """Its steps in order, existing or not."""

    artifacts: list[Artifact]
    """Every artifact it needs, with benchmark problems and the union's arms, which are no steps."""

    reasons: list[str] = field(default_factory=list)
    """Why keys are unresolved."""

    @property
    def key(self) -> str:
        """64 hex digits, or `unresolved`."""
        return UNRESOLVED if any(map(unresolved, self.artifacts)) else cell_key(self.made)

    @property
    def folder(self) -> Path:
        """Where its `run.json` is or will be."""
        return cell_folder(self.cell.config, self.key)

    @property
    def state(self) -> str:
        """`done`, `failed`, `partial`, `missing` or `unresolved`; by names, not by contents."""
        if self.key == UNRESOLVED:
            return UNRESOLVED
        last = [step.artifact for step in self.made if step.stage is self.made[-1].stage]
        if (self.folder / RUN).is_file() and all(artifact.exists for artifact in last):
            return "done"
        if (self.folder / FAILED).is_file():
            return "failed"
        return "partial" if any(a.partial.is_dir() for a in self.artifacts) else "missing"

    def record(self) -> dict[str, Any]:
        """Its `run.json` as far as it is known before anything runs."""
        config = asdict(self.cell.config)
        return {
            "cell": self.key,
            "label": self.cell.label,
            "study": config["study"],
            "config": config,
            "stages": {},
            "scores": dict.fromkeys(config["evaluation"]["benchmarks"]),
            "commit": None,
        }


def plan(cells: Sequence[Cell]) -> list[Planned]:
    """Name what every cell makes, without making it.

    Raises:
        ValueError: a cell has nothing to make, or something without an identity; names the cell.
    """
    known: dict[tuple[str, ...], Artifact] = {}
    return [_plan(cell, known) for cell in cells]


def unresolved(artifact: Artifact) -> bool:
    """Whether its key could not be computed here."""
    return artifact.key.startswith(UNRESOLVED)


def labels(planned: Sequence[Planned]) -> tuple[str, list[str]]:
    """What the overrides of all cells share, and what is left of each cell's label."""
    return short_labels([one.cell.label for one in planned])


def short(key: str) -> str:
    """A key as people read it."""
    return UNRESOLVED if key.startswith(UNRESOLVED) else key[:12]


def _plan(cell: Cell, known: dict[tuple[str, ...], Artifact]) -> Planned:
    """Name a cell's artifacts; `known` holds those of earlier cells, and takes the new ones."""
    artifacts: list[Artifact] = []
    reasons: list[str] = []
    store = Store(Path(cell.config.artifacts))

    def name(stage: Callable[..., None], *identity: Any, **how: Any) -> Artifact:
        asked = (str(store.root), stage.__name__, *map(_text, identity))
        try:
            if asked not in known:
                known[asked] = store.artifact(stage, *identity)
            artifact = known[asked]
        except OSError as error:
            reasons.append(reason(error))
            artifact = _placeholder(store, stage, identity)
        if any(isinstance(value, Artifact) and unresolved(value) for value in identity):
            artifact = _placeholder(store, stage, identity)
        artifacts.append(artifact)
        return artifact

    try:
        made = pipeline.run(cell.config, name)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"cell {cell.label or '(defaults)'}: {reason(error)}") from error
    return Planned(cell, made, artifacts, reasons)


def _text(value: Any) -> str:
    """The same for equal values only."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    return value.key if isinstance(value, Artifact) else repr(value)


def _placeholder(store: Store, stage: Callable[..., None], identity: Sequence[Any]) -> Artifact:
    """Differs where the configs differ, so that what is shared can still be counted."""
    names = inspect.signature(stage).parameters
    arguments = {name: canonical(value) for name, value in zip(names, identity, strict=False)}
    recipe = {"stage": stage.__name__, "arguments": arguments}
    key = f"{UNRESOLVED} {digest(canonical_json(recipe))}"
    return Artifact(stage.__name__, key, store.root / stage.__name__ / UNRESOLVED, recipe)
