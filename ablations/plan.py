"""What a study would make: the identity of every cell and of every artifact, and which exist."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ablations.studies import Cell
from distill import pipeline
from distill.cells import FAILED, RUN, cell_folder, cell_key, reason
from distill.config import Stage
from distill.pipeline import Made
from distill.store import Artifact, Store, canonical, canonical_json

UNRESOLVED = "unresolved"
"""Stands for a key that needs what this machine cannot reach, such as a hub model's commit."""

MARKS = {"exists": ("✓", "green"), "made by an earlier cell": ("=", "cyan"), "to make": ("•", "yellow")}
"""State of an artifact -> its sign and colour in the table."""


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
        """`done`, `failed`, `partial`, `missing` or `unresolved`; looks at names, not at file contents."""
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
        config = self.cell.config
        return {
            "cell": self.key,
            "label": self.cell.label,
            "study": asdict(config.study),
            "config": asdict(config),
            "stages": {},
            "scores": dict.fromkeys(config.evaluation.benchmarks),
            "commit": None,
        }


def plan(cells: Sequence[Cell]) -> list[Planned]:
    """Name what every cell makes, without making it.

    Raises:
        ValueError: a cell has nothing to make, or something without an identity; names the cell.
    """
    return [_plan(cell) for cell in cells]


def unresolved(artifact: Artifact) -> bool:
    """Whether its key could not be computed here."""
    return artifact.key.startswith(UNRESOLVED)


def table(planned: Sequence[Planned]) -> Group:
    """The plan for a terminal: a row a cell, then a row a stage, then what stands in the way."""
    legend = Text("   ".join(f"{sign} {state}" for state, (sign, _) in MARKS.items()), style="dim")
    parts: list[Any] = [_cells_table(planned), legend, _stages_table(planned)]
    states = Counter(one.state for one in planned)
    parts.append(Text(f"{len(planned)} cells: " + ", ".join(f"{n} {state}" for state, n in states.items())))
    for why in dict.fromkeys(why for one in planned for why in one.reasons):
        parts.append(Text(f"{UNRESOLVED}: {why}", style="yellow"))
    return Group(*parts)


def _plan(cell: Cell) -> Planned:
    artifacts: list[Artifact] = []
    reasons: list[str] = []
    store = Store(Path(cell.config.artifacts))

    def name(stage: Callable[..., None], *identity: Any, **how: Any) -> Artifact:
        try:
            artifact = store.artifact(stage, *identity)
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
    if not made:
        raise ValueError(
            f"cell {cell.label}: training=none has no stage {cell.config.until.value}; "
            "its only stage is evaluate"
        )
    return Planned(cell, made, artifacts, reasons)


def _placeholder(store: Store, stage: Callable[..., None], identity: Sequence[Any]) -> Artifact:
    """Differs where the configs differ, so that what is shared can still be counted."""
    recipe = {"stage": stage.__name__, "arguments": [canonical(value) for value in identity]}
    key = f"{UNRESOLVED} {canonical_json(recipe)}"
    return Artifact(stage.__name__, key, store.root / stage.__name__ / UNRESOLVED, recipe)


def _cells_table(planned: Sequence[Planned]) -> Table:
    table = Table(header_style="bold")
    table.add_column("cell", overflow="fold")
    table.add_column("identity")
    for stage in Stage:
        table.add_column(stage.value, justify="center")
    seen: set[str] = set()
    for one in planned:
        marks = {stage: Text() for stage in Stage}
        for step in one.made:
            marks[step.stage].append(*MARKS[_state(step.artifact, seen)])
        seen.update(artifact.key for artifact in one.artifacts)
        table.add_row(one.cell.label or "(defaults)", one.key[:12], *marks.values())
    return table


def _stages_table(planned: Sequence[Planned]) -> Table:
    table = Table(header_style="bold")
    for name in ("stage", "distinct", "exist", "to make"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    longest = max(planned, key=lambda one: len(one.artifacts))
    by_stage: dict[str, dict[str, Artifact]] = {artifact.stage: {} for artifact in longest.artifacts}
    for one in planned:
        for artifact in one.artifacts:
            by_stage.setdefault(artifact.stage, {})[artifact.key] = artifact
    for stage, artifacts in by_stage.items():
        exist = sum(artifact.exists for artifact in artifacts.values())
        counts = (len(artifacts), exist, len(artifacts) - exist)
        table.add_row(stage, *map(str, counts))
    return table


def _state(artifact: Artifact, seen: set[str]) -> str:
    if artifact.exists:
        return "exists"
    return "made by an earlier cell" if artifact.key in seen else "to make"
