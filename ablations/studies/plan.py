"""A plan names every run and every artifact of a study; nothing is made."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ablations.studies.cells import Cell
from ablations.studies.chain import Referred, referred
from distill.pipeline import Given, Made
from distill.run import references
from distill.run.record import FAILED, RUN, reason, run_folder, short_labels
from distill.store.artifacts import Store
from distill.store.identity import Artifact, Names, arguments, run_key

UNRESOLVED = "unresolved"
"""Stands for a key that needs what this machine cannot reach, such as a hub model's commit."""


class Asked(NamedTuple):
    """A call of a stage, as a run makes it."""

    artifact: Artifact
    given: Mapping[str, Any]
    """Its arguments by name, defaults left out; what it reads is an `Artifact`, or a list of them.
    `compute` is among them where the stage takes it."""


@dataclass(frozen=True)
class Planned:
    """A run with its names."""

    cell: Cell
    made: list[Made]
    """Its steps in order, existing or not."""

    artifacts: list[Artifact]
    """Every artifact that it needs, with benchmark problems, the union's arms and what the runs
    make that it refers to, which are no steps."""

    reasons: list[str] = field(default_factory=list)
    """Why keys are unresolved."""

    given: dict[str, Given] = field(default_factory=dict)
    """Place of a reference -> the run that it names, as it would be made."""

    asked: list[Asked] = field(default_factory=list)
    """How each of the artifacts is asked for, in their order."""

    @property
    def key(self) -> str:
        """64 hex digits, or `unresolved`."""
        return UNRESOLVED if any(map(unresolved, self.artifacts)) else run_key(self.made)

    @cached_property
    def referred(self) -> list[Referred]:
        """The runs that it refers to."""
        return referred(self.cell.config, self.given)

    @property
    def folder(self) -> Path:
        """Where its `run.json` is or will be."""
        return run_folder(self.cell.config, self.key)

    @property
    def state(self) -> str:
        """`done`, `failed`, `partial`, `missing` or `unresolved`; files are not read."""
        if self.key == UNRESOLVED:
            return UNRESOLVED
        last = [step.artifact for step in self.made if step.stage is self.made[-1].stage]
        if (self.folder / RUN).is_file() and all(artifact.exists for artifact in last):
            return "done"
        if (self.folder / FAILED).is_file():
            return "failed"
        return "partial" if any(a.partial.is_dir() for a in self.artifacts) else "missing"


def plan(cells: Sequence[Cell]) -> list[Planned]:
    """Name what every run makes; nothing is made.

    Raises:
        ValueError: a run has nothing to make, or something without an identity; names the run.
    """
    names, known = Names(), dict[tuple[str, str], Artifact]()
    return [_plan(cell, names, known) for cell in cells]


def unresolved(artifact: Artifact) -> bool:
    """Whether its key could not be computed here."""
    return artifact.key.startswith(UNRESOLVED)


def labels(planned: Sequence[Planned]) -> tuple[str, list[str]]:
    """What the overrides of all runs share, and what is left of each run's label."""
    return short_labels([one.cell.label for one in planned])


def short(key: str) -> str:
    """The first digits of a key."""
    return UNRESOLVED if key.startswith(UNRESOLVED) else key[:12]


def _plan(cell: Cell, names: Names, known: dict[tuple[str, str], Artifact]) -> Planned:
    """Name a run's artifacts; `known` holds those of earlier runs, and takes the new ones."""
    artifacts: list[Artifact] = []
    reasons: list[str] = []
    asked: list[Asked] = []
    store = Store(Path(cell.config.artifacts))

    def name(stage: Callable[..., None], *identity: Any, **how: Any) -> Artifact:
        place = str(store.root), names(stage, *identity).key
        pending = any(isinstance(value, Artifact) and unresolved(value) for value in identity)
        try:
            if place not in known and not pending:
                known[place] = store.artifact(stage, *identity)
            artifact = known.get(place) or _placeholder(store, place[1], stage, identity)
        except OSError as error:
            reasons.append(reason(error))
            artifact = _placeholder(store, place[1], stage, identity)
        artifacts.append(artifact)
        given = inspect.signature(stage).bind_partial(*identity, **how).arguments
        asked.append(Asked(artifact, given))
        return artifact

    try:
        made, given = references.run(cell.config, name)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"run {cell.label or '(defaults)'}: {reason(error)}") from error
    return Planned(cell, made, artifacts, reasons, given, asked)


def _placeholder(
    store: Store, key: str, stage: Callable[..., None], identity: Sequence[Any]
) -> Artifact:
    """Differs where the arguments differ, so that what is shared can still be counted."""
    name, recipe = stage.__name__, {"arguments": arguments(stage, identity)}
    path = store.root / name / UNRESOLVED
    return Artifact(name, f"{UNRESOLVED} {key[:16]}", path, {"stage": name} | recipe)
