"""Hydra's sweeper for studies: a union of grids, checked before anything runs, reported at the end.

A paper's table is seldom one product of axes. A study lists lines of overrides, each a grid of
its own (`corruption=random_digits corruption.fraction=0.2,0.5`); axes on the command line
multiply them all.
"""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from distill.cells import Outcome, percent, reason, short_labels
from distill.config import Config

GLOBAL_GROUPS = ("world", "study")
"""Groups that pick options of others; every other group fills the field of its name and no more."""

SECTIONS = tuple(section.name for section in fields(Config))
"""What a config is put together from."""


def expand(grids: Sequence[str], axes: Sequence[str]) -> list[list[str]]:
    """Every cell of a sweep as its overrides.

    Args:
        grids: lines of overrides; each spans the product of its comma-parted values.
        axes: overrides that multiply every grid; one that a grid line sets too replaces it there.

    Raises:
        hydra.errors.HydraException: an override cannot be parsed, or its range is not discrete.
    """
    parser = OverridesParser.create()
    outer = parser.parse_overrides(list(axes))
    names = {override.get_key_element() for override in outer}
    cells: list[list[str]] = []
    for line in grids or [""]:
        inner = parser.parse_overrides(shlex.split(line))
        kept = [override for override in inner if override.get_key_element() not in names]
        cells += BasicSweeper.split_arguments([*outer, *kept], None)[0]
    return [cell for i, cell in enumerate(cells) if cell not in cells[:i]]


class Composer:
    """Composes cells a hundred times faster than Hydra does: each section of a config once.

    A section is a field of `Config`. It is what the world, the study, its group's option and its
    own overrides make it, and cells that are alike in these share it.
    """

    def __init__(self, loader: ConfigLoader) -> None:
        """Args: loader: Hydra's own, on `conf/`."""
        self._loader = ConfigLoaderImpl(loader.get_search_path())
        self._loader.repository = _ReadOnce(loader.get_search_path())
        self._groups = set(loader.list_groups(""))
        self._parse = cache(OverridesParser.create().parse_override)
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        self._sections: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Any] = {}

    def config(self, overrides: Sequence[str]) -> Config:
        """The checked config of one cell.

        Raises:
            ValueError: a value is out of range or of the wrong type; names overrides, rule and
            choices.
        """
        parsed = [o for o in map(self._parse, overrides) if not o.is_hydra_override()]
        if any(o.package is not None or o.is_delete() for o in parsed):
            return self._whole(overrides)
        options = {o.key_or_group: o.value() for o in parsed if o.key_or_group in self._groups}
        world = tuple(f"{g}={option}" for g, option in options.items() if g in GLOBAL_GROUPS)
        values: dict[str, list[str]] = {}
        for o in parsed:
            if o.key_or_group not in self._groups:
                values.setdefault(o.key_or_group.partition(".")[0], []).append(str(o.input_line))
        try:
            given = self.composed(world).hydra.runtime.choices
            chosen = {
                group: (*world, f"{group}={option}")
                for group, option in options.items()
                if group not in GLOBAL_GROUPS and given.get(group) != option
            }
            sections = {
                name: self._section(name, chosen.get(name, world), tuple(values.get(name, ())))
                for name in dict.fromkeys((*SECTIONS, *chosen, *values))
            }
            if any(section is None for section in sections.values()):
                return self._whole(overrides)
            return Config(**{name: sections[name] for name in SECTIONS})
        except (ValueError, OmegaConfBaseException) as error:
            raise ValueError(f"{' '.join(overrides)}: {reason(error)}") from error

    def composed(self, overrides: tuple[str, ...]) -> DictConfig:
        """What Hydra makes of overrides, its own settings included; not to be changed."""
        if overrides not in self._composed:
            self._composed[overrides] = self._loader.load_configuration(
                "config", list(overrides), RunMode.RUN
            )
        return self._composed[overrides]

    def _whole(self, overrides: Sequence[str]) -> Config:
        """A cell composed by Hydra alone, because it has no sections that others could share.

        It puts an option elsewhere (`+ask@teacher.convert=...`), takes one out, or refers from one
        section to another (`${student.name}`).
        """
        try:
            config = self.composed(tuple(overrides)).copy()
            with open_dict(config):
                del config["hydra"]
            return build(config)
        except (ValueError, OmegaConfBaseException, HydraException) as error:
            raise ValueError(f"{' '.join(overrides)}: {reason(error)}") from error

    def _section(self, name: str, chosen: tuple[str, ...], values: tuple[str, ...]) -> Any:
        """A field of the config that Hydra makes of `chosen`, changed by `values`; checked.

        None if it refers to other fields, which may be different ones in the same cell.
        """
        key = (name, chosen, values)
        if key not in self._sections:
            parsed = [self._parse(text) for text in values]
            with _lent(self.composed(chosen), parsed) as config:
                ConfigLoaderImpl._apply_overrides_to_config(parsed, config)
                refers = "${" in str(config._get_node(name))
                made = None if refers else config[name]
                if OmegaConf.is_config(made):
                    made = OmegaConf.to_object(made)
            self._sections[key] = made
        return self._sections[key]


class _ReadOnce(ConfigRepository):
    """Hydra's files and schemas, each read once for all compositions instead of for each."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """Hydra's call at the beginning, and where `hydra.searchpath` adds folders."""
        self._read: dict[str, ConfigResult | None] = {}
        super().initialize_sources(config_search_path)

    def load_config(self, config_path: str) -> ConfigResult | None:
        """A copy, since Hydra merges into what it was given."""
        if config_path not in self._read:
            self._read[config_path] = super().load_config(config_path)
        return deepcopy(self._read[config_path])

    def __deepcopy__(self, memo: dict[int, Any]) -> "_ReadOnce":
        """For each composition Hydra takes a copy, whose sources alone it changes."""
        return copy(self)


@contextmanager
def _lent(config: DictConfig, values: Sequence[Override]) -> Iterator[DictConfig]:
    """The config, put back as it was afterwards; only the fields that `values` name are copied.

    `DictConfig.copy` would copy all of them, which took half of the time of a plan.
    """
    before = []
    for value in values:
        section, _, name = value.key_or_group.partition(".")
        content = config.__dict__["_content"]
        if name and isinstance(content.get(section), DictConfig):
            content = content[section].__dict__["_content"]
        if not isinstance(content, dict):
            continue
        before.append((content, content.copy()))
        key = name.split(".")[0] if name else section
        if key in content:
            content[key] = deepcopy(content[key])
    try:
        yield config
    finally:
        for content, kept in reversed(before):
            content.clear()
            content.update(kept)


def build(config: DictConfig) -> Config:
    """The dataclasses of a composed config, with every range checked."""
    made = OmegaConf.to_object(config)
    assert isinstance(made, Config)
    return made


class GridSweeper(Sweeper):
    """Runs the cells of a study, goes on past those that fail, and ends with a table of all."""

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
        """Check every cell, then launch all; exits with 1 unless every cell is there."""
        assert self.config and self.launcher and self.hydra_context
        cells = expand(self.grids, [*self.axes, *arguments])
        kept, errors = distinct(cells, Composer(self.hydra_context.config_loader))
        if errors:
            title = f"Nothing was run: {len(errors)} bad cell(s)"
            raise SystemExit("\n  ".join([title, *errors]))
        cells = [cell for cell, _ in kept]
        Path(self.config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        returns = self.launcher.launch(cells, initial_job_idx=0)
        outcomes = [_outcome(r, cell) for r, cell in zip(returns, cells, strict=True)]
        print_outcomes(outcomes)
        if any(outcome.state == "failed" for outcome in outcomes):
            sys.exit(1)


def distinct(
    cells: Sequence[list[str]], composer: Composer
) -> tuple[list[tuple[list[str], Config]], list[str]]:
    """Each run once, as its overrides and its config; and what is wrong with the other cells."""
    kept: dict[str, tuple[list[str], Config]] = {}
    errors = []
    for cell in cells:
        try:
            config = composer.config(cell)
        except ValueError as error:
            errors.append(str(error))
        else:
            kept.setdefault(repr(config.read), (cell, config))
    return list(kept.values()), errors


def _outcome(result: JobReturn, cell: list[str]) -> Outcome:
    if result.status is JobStatus.COMPLETED:
        return result.return_value
    return Outcome(" ".join(cell), "", "failed", {}, 0.0, reason(result._return_value))


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """What became of every cell, as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shared, names = short_labels([outcome.label for outcome in outcomes])
    table = Table(title=shared or None, header_style="bold")
    for name in ("cell", "state", "score, 95 % interval", "seconds"):
        table.add_column(name, overflow="fold", justify="right" if name == "seconds" else "left")
    reasons = _reasons(outcomes, names)
    if any(reasons):
        table.add_column("why it failed", overflow="fold")
    for outcome, label, why in zip(outcomes, names, reasons, strict=True):
        lines = [f"{name} {percent(score)}" for name, score in outcome.scores.items()]
        colour = {"failed": "red", "done": "green"}.get(outcome.state, "")
        state = Text(outcome.state, colour)
        seconds = f"{outcome.seconds:.1f}"
        told = [Text(why)] if any(reasons) else []
        table.add_row(Text(label), state, "\n".join(lines), seconds, *told)
    Console().print(table)


def _reasons(outcomes: Sequence[Outcome], names: Sequence[str]) -> list[str]:
    """Why each cell failed; of those that failed at one artifact the others refer to the first."""
    first: dict[str, str] = {}
    told = []
    for outcome, name in zip(outcomes, names, strict=True):
        failure = outcome.at or outcome.why
        if failure and failure in first:
            told.append(f"{outcome.at or 'the same'}: see {first[failure]}")
            continue
        first[failure] = name
        told.append(": ".join(filter(None, (outcome.at, outcome.why))))
    return told


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
