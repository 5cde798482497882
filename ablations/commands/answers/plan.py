"""The plan of a study for a terminal: what exists, what runs share, what is to be made."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ablations.commands.answers.chain import chains
from ablations.commands.answers.price import price_table, warned
from ablations.commands.answers.status import counted
from ablations.commands.arguments import folded
from ablations.findings import expectations_design
from ablations.findings.design import power_table
from ablations.prices.prices import Prices
from ablations.studies.plan import UNRESOLVED, Planned, labels, short, unresolved
from distill.stages import Stage
from distill.store.identity import Artifact

MARKS = {
    "exists": ("✓", "green"),
    "made by an earlier run": ("=", "cyan"),
    "to make": ("•", "yellow"),
    "unresolved": ("?", "magenta"),
}
"""State of an artifact -> its sign and colour in the table."""


def plan_table(planned: Sequence[Planned], prices: Prices | None = None) -> Group:
    """The plan of a study.

    One row per run with a sign for each stage, the runs that these refer to, one row per stage with
    counts of distinct artifacts, why keys are unresolved, what is to be made with its price, the
    smallest differences that the study could detect, and what it could show of its expectations.
    Where every problem there is would be asked about, it says so first.
    """
    used = {step.stage for one in planned for step in one.made}
    stages = [stage for stage in Stage if stage in used]
    signs = "   ".join(f"{sign} {state}" for state, (sign, _) in MARKS.items())
    legend = Text(f"stages, in order: {', '.join(stages)}\n{signs}", style="dim")
    scored = [one for one in planned if one.cell.config.until is Stage.evaluate]
    powers = [power_table(scored)] if scored else []
    powers.append(expectations_design.power_table([one.cell for one in planned]))
    tables: list[RenderableType] = [_runs_table(planned, stages), legend, *chains(planned)]
    tables.append(_stages_table(planned))
    told = [*tables, *counted(planned), *asked_problems(planned)]
    if prices:
        told = [*warned(prices), *told, price_table(prices)]
    return Group(*told, *powers)


def asked_problems(planned: Sequence[Planned]) -> list[Text]:
    """How many problems the teachers of the runs are asked at most, each data set once."""
    trained = (one.cell.config for one in planned if one.cell.config.training.method != "none")
    found = dict.fromkeys((config.dataset.name, config.dataset.problems) for config in trained)
    said = [f"{number:,} of {name}" if number else f"all of {name}" for name, number in found]
    return [Text(f"problems, before any filter: {', '.join(said)}")] if said else []


def _runs_table(planned: Sequence[Planned], stages: Sequence[Stage]) -> Table:
    """One row per run, with a sign for each of the stages that any run has."""
    table = folded("run", "key", "stages")
    seen: set[str] = set()
    shared, names = labels(planned)
    table.title = Text(shared) if shared else None
    for one, name in zip(planned, names, strict=True):
        marks = {stage: Text(" ") for stage in stages}
        for step in one.made:
            if marks[step.stage].plain in " ✓":  # of several benchmarks, one that is not there
                marks[step.stage] = Text(*MARKS[_state(step.artifact, seen)])
        seen.update(artifact.key for artifact in one.artifacts)
        table.add_row(Text(name), short(one.key), Text(" ").join(marks.values()))
    return table


def _stages_table(planned: Sequence[Planned]) -> Table:
    table = Table(header_style="bold")
    for name in ("stage", "distinct", "exist", "to make"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    longest = max(planned, key=lambda one: len(one.artifacts))
    by_stage: dict[str, dict[str, Artifact]] = {one.stage: {} for one in longest.artifacts}
    for one in planned:
        for artifact in one.artifacts:
            by_stage.setdefault(artifact.stage, {})[artifact.key] = artifact
    for stage, artifacts in by_stage.items():
        exist = sum(artifact.exists for artifact in artifacts.values())
        at_most = "≤ " if any(map(unresolved, artifacts.values())) else ""
        table.add_row(stage, str(len(artifacts)), str(exist), f"{at_most}{len(artifacts) - exist}")
    return table


def _state(artifact: Artifact, seen: set[str]) -> str:
    if artifact.exists:
        return "exists"
    if artifact.key in seen:
        return "made by an earlier run"
    return UNRESOLVED if unresolved(artifact) else "to make"
