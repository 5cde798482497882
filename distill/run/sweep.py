"""The sweeper launches a study: a union of grids, checked before anything runs.

A paper's table is seldom one product of axes. A study lists lines of overrides, each a grid of
its own (`corruption=random_digits corruption.fraction=0.2,0.5`); axes on the command line
multiply them all. What became of every run is printed at the end.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Glob, Override
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from distill.config import Config
from distill.run import references, workers
from distill.run.compose import Composer, register_schema
from distill.run.expectations import unmet
from distill.run.inputs import unfit_folders, unusable
from distill.run.mistakes import one_line
from distill.run.outcomes import MADE, NO_RESULT, finished, on_disk, print_outcomes, told
from distill.run.overrides import parse, split
from distill.run.record import Outcome, reason, run_folder, run_label
from distill.run.tracking import no_key
from distill.store.identity import Names, run_key


def expand(grids: Sequence[str], axes: Sequence[str]) -> list[list[str]]:
    """Every run of a sweep as its overrides.

    Args:
        grids: lines of overrides; each spans the product of its comma-separated values.
        axes: overrides that multiply every grid; one that a grid line sets too replaces it there.

    Raises:
        ValueError: an override cannot be parsed, or its range is not discrete or empty.
    """
    outer = parse(axes)
    names = {override.get_key_element() for override in outer}
    runs: list[list[str]] = []
    for line in grids or [""]:
        kept = [o for o in parse(split(line)) if o.get_key_element() not in names]
        runs += _product([*outer, *kept])
    return [list(run) for run in dict.fromkeys(map(tuple, runs))]


def _product(overrides: Sequence[Override]) -> list[list[str]]:
    words = " ".join(str(override.input_line) for override in overrides)
    if globs := [str(o.input_line) for o in overrides if isinstance(o.value(), Glob)]:
        raise ValueError(f"{globs[0]} is not read; list the options, separated by commas")
    try:
        found = BasicSweeper.split_arguments(list(overrides), None)[0]
    except Exception as error:  # of several kinds, for ranges that cannot be counted
        raise ValueError(f"{words} cannot be swept: {one_line(error, ())}") from error
    if not found:
        raise ValueError(f"{words} has no values")
    return found


def grids_of(study: str | None, sweeper: Any, axes: Sequence[str]) -> list[str]:
    """The grid lines of a composed study.

    Args:
        study: its file in `conf/study/`; None: a sweep of the command line's axes alone.
        sweeper: the composed `hydra.sweeper`.
        axes: of the command line.

    Raises:
        ValueError: the study sweeps nothing: no grids, no params, and no axes; or the axes name
            several studies.
    """
    for axis in parse(axes):
        if axis.key_or_group == "study" and axis.is_sweep_override():
            raise ValueError(f"{axis.input_line}: a sweep makes the runs of one study; name one")
    grids = as_written(sweeper.grids)
    swept = any(override.is_sweep_override() for override in parse(axes))
    if study and not (grids or sweeper.params or swept):
        raise ValueError(
            f"study={study} lists no runs; name some in its YAML under hydra: sweeper: grids:"
        )
    return grids


def as_written(lines: Any) -> list[str]:
    """Overrides in a composed config as they were given: `${x}` in them is a field of each run."""
    found: Any = OmegaConf.to_container(lines, resolve=False) if lines else []
    return [str(line) for line in found]


def axes_of(sweeper: Any) -> list[str]:
    """The axes that a composed study names in `hydra.sweeper.params`, as overrides."""
    found: Any = OmegaConf.to_container(sweeper.params, resolve=False) if sweeper.params else {}
    return [f"{name}={values}" for name, values in found.items()]


def replaced(words: Sequence[str]) -> bool:
    """Whether these overrides replace a study's grids, and with them arms that it speaks of."""
    return any(word.lstrip("+").startswith("hydra.sweeper.grids") for word in words)


def refuse_grids_without_sweep(study: str | None, sweeper: Any) -> None:
    """Raise ValueError if one run is about to be made of a study that lists several."""
    if getattr(sweeper, "grids", None) or getattr(sweeper, "params", None):
        raise ValueError(
            f"{f'study={study}' if study else 'the config'} lists grids, but is one run without "
            "`hydra: mode: MULTIRUN`; add that to its YAML, or run it with -m"
        )


class GridSweeper(Sweeper):
    """Launches the runs of a study, goes on past those that fail, and ends with a table of all."""

    def __init__(self, params: dict[str, str] | None, grids: list[str]) -> None:
        """As Hydra makes it: with `hydra.sweeper`, which `sweep` reads as it is written."""
        self.config: DictConfig | None = None

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
        study = self.config.hydra.runtime.choices.get("study")
        grids = grids_of(study, self.config.hydra.sweeper, arguments)
        axes = axes_of(self.config.hydra.sweeper)
        asked = expand(grids, [*axes, *arguments])
        composer = Composer(self.hydra_context.config_loader)
        kept, errors = distinct(asked, composer)
        points = kept[0][1].study.settle if kept else None
        if points:
            from distill.run import settle  # which needs pandas

            arms = settle.arms(kept, composer.config)
            kept = settle.first_stage(kept, arms)
        configs = [config for _, config in kept]

        def own() -> list[Config]:
            return listed(study, grids, axes, composer)

        if not replaced(self.config.hydra.overrides.hydra):
            errors = errors or unmet(configs, own)
        errors = errors or self._parallel(configs) or no_key(configs) or unusable(configs, _say)
        if errors:
            title = f"Nothing was run: {len(errors)} bad run(s)"
            raise SystemExit("\n  ".join([title, *errors]))
        Path(self.config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        outcomes = self._launch(kept)
        print_outcomes(outcomes)
        if points and all(outcome.state in MADE for outcome in outcomes):
            needs = settle.second_stage(arms, points, composer.config)
            settle.print_needs(arms, needs, points)
            if further := [run for arm in arms for run in arm.further]:
                outcomes = self._launch(further)
                print_outcomes(outcomes)
            if all(outcome.state in MADE for outcome in outcomes):
                settle.print_settled(arms, needs)
        elif points:
            print("how many seeds each arm needs is known when all of these are done", flush=True)
        if lost := sum(outcome.state == NO_RESULT for outcome in outcomes):
            print(f"{lost} run(s) have no result; the same command continues them", flush=True)
        if any(outcome.state not in MADE for outcome in outcomes):
            sys.exit(1)

    def _parallel(self, configs: Sequence[Config]) -> list[str]:
        """What is wrong with the number of runs at a time."""
        asked = sorted({config.compute.parallel for config in configs})
        if len(asked) > 1:
            return [
                f"compute.parallel={','.join(asked)}: how many runs are made at a time is one "
                "number for a whole sweep"
            ]
        if asked not in ([], ["auto"], ["1"]) and not self._ours():
            return [
                f"compute.parallel={asked[0]} is for runs on this machine; how many another "
                "launcher makes at a time is a setting of its own, such as "
                "hydra.launcher.n_jobs of joblib"
            ]
        return []

    def _ours(self) -> bool:
        """Whether runs are made on this machine, one after another unless workers make them."""
        if not self.config:
            return False
        launcher = self.config.hydra.runtime.choices.get("hydra/launcher")
        return launcher == "basic" and not self.config.hydra.callbacks

    def _launch(self, kept: Sequence[tuple[list[str], Config]]) -> list[Outcome]:
        """What became of every run; read from its folder where the launcher does not say.

        A run that is there already is not launched: Hydra composes every job again, which takes
        longer than to see that nothing is to be done.
        """
        assert self.launcher
        known = {i: done for i, one in enumerate(kept) if (done := finished(*one))}
        if known:
            print(f"{len(known)} of {len(kept)} runs are there already", flush=True)
        left = [i for i in range(len(kept)) if i not in known]
        begun, ended = time.time(), "its worker ended without a word"
        number = workers.at_once([kept[i][1] for i in left]) if self._ours() else 1
        said: Sequence[Outcome | None] = ()
        try:
            if number > 1:
                assert self.config
                print(f"{number} runs at a time (compute.parallel)", flush=True)
                env = {name: str(value) for name, value in self.config.hydra.job.env_set.items()}
                runs = [(run_label(kept[i][0]), kept[i][1]) for i in left]
                said = workers.launch(runs, number, env)
            elif left:
                jobs = [kept[i][0] for i in left]
                said = [told(job) for job in self.launcher.launch(jobs, initial_job_idx=0)]
        except Exception as error:  # whatever a launcher raises where a worker was killed
            ended = f"the launcher ended with {type(error).__name__}"
            print(f"failed: the launcher: {reason(error)}", file=sys.stderr, flush=True)
        known |= {i: outcome for i, outcome in zip(left, said, strict=False) if outcome}
        return [known.get(i) or on_disk(*one, begun, ended) for i, one in enumerate(kept)]


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
            if problem := next(unfit_folders(config), ""):
                raise ValueError(f"{' '.join(overrides)}: {problem}")
            place = run_folder(config, _key(config, overrides, names)), config.artifacts
            kept.setdefault(place, (overrides, config))
        except ValueError as error:
            errors.append(str(error))
    return list(kept.values()), errors


def listed(
    study: str | None, grids: Sequence[str], axes: Sequence[str], composer: Composer
) -> list[Config]:
    """The runs that a study lists itself, whatever the command line asks for; those without errors.

    Arguments as of `grids_of` and `expand`; None: no study, and no run.
    """
    named = [*axes, f"study={study}"]
    return [config for _, config in distinct(expand(grids, named), composer)[0]] if study else []


def _key(config: Config, overrides: Sequence[str], names: Names) -> str:
    """The run's key before anything is looked up; never that of its record."""
    try:
        return run_key(references.made(config, names))
    except (ValueError, TypeError, OSError) as error:
        raise ValueError(f"{' '.join(overrides) or '(defaults)'}: {one_line(error, ())}") from error


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


def register() -> None:
    """Tell Hydra of the schema and of this sweeper.

    Hydra takes sweepers from a package named `hydra_plugins` only
    (`Plugins.is_in_toplevel_plugins_module`); the class is registered under such a name rather
    than spread over a second top-level package.
    """
    sys.modules["hydra_plugins.distill"] = sys.modules[__name__]
    GridSweeper.__module__ = "hydra_plugins.distill"
    Plugins.instance().register(GridSweeper)
    register_schema()
