"""The sweeper launches a study: a union of grids, checked before anything runs.

A paper's table is seldom one product of axes. A study lists lines of overrides, each a grid of
its own (`corruption=random_digits corruption.fraction=0.2,0.5`); axes on the command line
multiply them all. What became of every run is printed at the end.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from distill import pipeline
from distill.config import Config
from distill.run.compose import Composer
from distill.run.record import Outcome, percent, reason, run_folder, short_labels
from distill.store.identity import Names, run_key


def expand(grids: Sequence[str], axes: Sequence[str]) -> list[list[str]]:
    """Every run of a sweep as its overrides.

    Args:
        grids: lines of overrides; each spans the product of its comma-separated values.
        axes: overrides that multiply every grid; one that a grid line sets too replaces it there.

    Raises:
        hydra.errors.HydraException: an override cannot be parsed, or its range is not discrete.
    """
    parser = OverridesParser.create()
    outer = parser.parse_overrides(list(axes))
    names = {override.get_key_element() for override in outer}
    runs: list[list[str]] = []
    for line in grids or [""]:
        inner = parser.parse_overrides(shlex.split(line))
        kept = [override for override in inner if override.get_key_element() not in names]
        runs += BasicSweeper.split_arguments([*outer, *kept], None)[0]
    return [run for i, run in enumerate(runs) if run not in runs[:i]]


class GridSweeper(Sweeper):
    """Launches the runs of a study, goes on past those that fail, and ends with a table of all."""

    def __init__(self, params: dict[str, str] | None, grids: list[str]) -> None:
        """`params`: axes, as for Hydra's basic sweeper; `grids`: lines of overrides."""
        self.axes = [f"{name}={values}" for name, values in (params or {}).items()]
        self.grids = grids

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Hydra's call before `sweep`."""
        self.config = config
        self.hydra_context = hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Check every run, then launch each once; exit with 1 unless all are done."""
        assert self.config and self.launcher and self.hydra_context
        asked = expand(self.grids, [*self.axes, *arguments])
        kept, errors = distinct(asked, Composer(self.hydra_context.config_loader))
        if errors:
            title = f"Nothing was run: {len(errors)} bad run(s)"
            raise SystemExit("\n  ".join([title, *errors]))
        runs = [overrides for overrides, _ in kept]
        Path(self.config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        returns = self.launcher.launch(runs, initial_job_idx=0)
        outcomes = [_outcome(r, overrides) for r, overrides in zip(returns, runs, strict=True)]
        print_outcomes(outcomes)
        if any(outcome.state == "failed" for outcome in outcomes):
            sys.exit(1)


def distinct(
    asked: Sequence[list[str]], composer: Composer
) -> tuple[list[tuple[list[str], Config]], list[str]]:
    """Each run once, as its overrides and its config; and what is wrong with the others.

    Two are one run if they have one key and one place: they differ in labels, in how they are
    carried out, or in what none of their stages reads.
    """
    kept: dict[tuple[Path, str], tuple[list[str], Config]] = {}
    names, errors = Names(), []
    for overrides in asked:
        try:
            config = composer.config(overrides)
            place = run_folder(config, _key(config, overrides, names)), config.artifacts
            kept.setdefault(place, (overrides, config))
        except ValueError as error:
            errors.append(str(error))
    return list(kept.values()), errors


def _key(config: Config, overrides: Sequence[str], names: Names) -> str:
    """The run's key before anything is looked up; never that of its record."""
    try:
        return run_key(pipeline.run(config, names))
    except (ValueError, TypeError, OSError) as error:
        raise ValueError(f"{' '.join(overrides) or '(defaults)'}: {reason(error)}") from error


def _outcome(result: JobReturn, overrides: list[str]) -> Outcome:
    if result.status is JobStatus.COMPLETED:
        return result.return_value
    return Outcome(" ".join(overrides), "", "failed", {}, 0.0, reason(result._return_value))


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print what became of every run, as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shared, names = short_labels([outcome.label for outcome in outcomes])
    table = Table(title=shared or None, header_style="bold")
    for name in ("run", "state", "score, 95 % interval", "seconds"):
        table.add_column(name, overflow="fold", justify="right" if name == "seconds" else "left")
    reasons = _reasons(outcomes, names)
    if any(reasons):
        table.add_column("why it failed", overflow="fold")
    for outcome, label, why in zip(outcomes, names, reasons, strict=True):
        lines = [f"{name} {percent(score)}" for name, score in outcome.scores.items()]
        colour = {"failed": "red", "done": "green"}.get(outcome.state, "")
        state = Text(outcome.state, colour)
        seconds = f"{outcome.seconds:.1f}"
        failure = [Text(why)] if any(reasons) else []
        table.add_row(Text(label), state, "\n".join(lines), seconds, *failure)
    Console().print(table)


def _reasons(outcomes: Sequence[Outcome], names: Sequence[str]) -> list[str]:
    """Why each run failed; of those that failed at one artifact the others refer to the first."""
    first: dict[str, str] = {}
    reasons = []
    for outcome, name in zip(outcomes, names, strict=True):
        failure = outcome.at or outcome.why
        if failure and failure in first:
            reasons.append(f"{outcome.at or 'the same'}: see {first[failure]}")
            continue
        first[failure] = name
        reasons.append(": ".join(filter(None, (outcome.at, outcome.why))))
    return reasons


@dataclass
class GridSweeperConf:
    """`hydra/sweeper=grid`."""

    _target_: str = "hydra_plugins.distill.GridSweeper"
    params: dict[str, Any] | None = None
    grids: list[str] = field(default_factory=list)


def register() -> None:
    """Tell Hydra of the schema and of this sweeper.

    Hydra takes sweepers from a package named `hydra_plugins` only
    (`Plugins.is_in_toplevel_plugins_module`); the class is registered under such a name rather
    than spread over a second top-level package.
    """
    sys.modules["hydra_plugins.distill"] = sys.modules[__name__]
    GridSweeper.__module__ = "hydra_plugins.distill"
    Plugins.instance().register(GridSweeper)
    store = ConfigStore.instance()
    store.store(group="hydra/sweeper", name="grid", node=GridSweeperConf, provider="distill")
    store.store(name="schema", node=Config, provider="distill")
