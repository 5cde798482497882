"""Picks corrupted traces to show in the report of a study, from its artifacts or regenerated."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ablations.report.blocks import Damage
from ablations.results.arms import ORDER, arm, arm_name
from ablations.results.records import launched_in
from ablations.show.trace import iter_traces, until_corrupt
from ablations.studies.cells import Cell
from ablations.studies.plan import Planned, plan
from distill.stages import Stage
from distill.store.artifacts import Store
from distill.training.config import Method

MOST = 3
"""Traces that a report shows."""

LONGEST = 6000
"""Characters of a text that a report shows; `python -m ablations show` prints the rest."""


def examples(
    cells: Sequence[Cell], found: Sequence[tuple[Path, dict[str, Any]]]
) -> tuple[dict[str, Damage], str]:
    """Up to `MOST` corrupted traces, each of another operator and another problem.

    They are read from the artifacts of the runs if these are on this machine. Otherwise a scripted
    teacher generates the same traces again in a temporary folder; those of a model are reported as
    missing.

    Args:
        cells: the runs of the study.
        found: the records of its runs, see `ablations.results.records.records`.

    Returns:
        shown: a trace of each arm, by the arm's name.
        note: a sentence on where they come from.
    """
    chosen = _choose(cells)
    if not chosen:
        return {}, "No arm of this study corrupts traces."
    roots = [launched_in(path, run) / run["config"]["artifacts"] for path, run in found[:1]]
    for root in (Path(chosen[0].config.artifacts), *roots):
        placed = [_placed(cell, root) for cell in chosen]
        planned = plan(placed)
        if all(artifact.exists for one in planned for artifact in one.artifacts):
            return _examples(chosen, placed, planned, found, "Read from the runs' artifacts.")
    if chosen[0].config.teacher.kind != "scripted":
        gone = "The traces are not on this machine, and only the teacher, a model, could"
        return {}, f"{gone} generate them again."
    with TemporaryDirectory() as folder:
        placed = [_placed(cell, Path(folder)) for cell in chosen]
        note = "Generated again for this report by the scripted teacher."
        return _examples(chosen, placed, plan(placed), found, note)


def _examples(
    chosen: Sequence[Cell],
    placed: Sequence[Cell],
    planned: Sequence[Planned],
    found: Sequence[tuple[Path, dict[str, Any]]],
    note: str,
) -> tuple[dict[str, Damage], str]:
    stage = Stage.corrupt.value
    trained = {record["stages"][stage]["key"] for _, record in found if stage in record["stages"]}
    keys = {
        step.artifact.key for one in planned for step in one.made if step.stage is Stage.corrupt
    }
    if trained:
        note += (
            " These are the traces that the runs were trained on."
            if keys <= trained
            else " Their keys differ from those recorded: the code has changed since the runs."
        )
    shown = {}
    for place, (cell, own) in enumerate(zip(chosen, placed, strict=True)):
        traces = iter_traces(own.config, Store(Path(own.config.artifacts)))
        one = next(islice((one for one in traces if one.after.damaged), place, None), None)
        if one is not None:
            show = " ".join(["python -m ablations show", *cell.overrides])
            name = arm_name(arm(asdict(cell.config)))
            shown[name] = Damage(one, f"{show} --trace {one.before.id}")
    return shown, note


def _choose(cells: Sequence[Cell]) -> list[Cell]:
    """Runs at the middle corruption rate of up to `MOST` operators, evenly spread over all."""
    by_operator: dict[str, list[Cell]] = {}
    for cell in cells:
        corruption = cell.config.corruption
        if cell.config.training.method is not Method.none and corruption.fraction > 0:
            by_operator.setdefault(corruption.kind, []).append(cell)
    known = [name for name in ORDER if name in by_operator]
    operators = known + [name for name in by_operator if name not in ORDER]
    most = min(MOST, len(operators))
    places = [(2 * place + 1) * len(operators) // (2 * most) for place in range(most)]
    return [by_operator[operators[at]][len(by_operator[operators[at]]) // 2] for at in places]


def _placed(cell: Cell, root: Path) -> Cell:
    """The same run, stopped before training, with its artifacts below `root`."""
    return replace(cell, config=replace(until_corrupt(cell.config), artifacts=str(root)))
