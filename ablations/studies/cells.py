"""Studies list their runs as checked configs, from `conf/study/*.yaml`; nothing is run."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.object_type import ObjectType

from distill.config import Config, StudyConfig
from distill.run.compose import CONF, Composer
from distill.run.expectations import unmet
from distill.run.fields import refuse_unknown
from distill.run.formats import FORMAT
from distill.run.mistakes import COMPOSING, one_line
from distill.run.overrides import long_form, parse
from distill.run.record import run_label
from distill.run.references import planned
from distill.run.sweep import axes_of, distinct, expand, grids_of, listed, register, replaced

SINGLE = StudyConfig().name
"""Study of the runs that were launched without one."""

SHOWN = 10
"""Errors of a study that a message lists; a mistake in one YAML is a mistake of every run."""


@dataclass(frozen=True)
class Cell:
    """One run that a study asks for."""

    label: str
    """Its overrides, as in `run.json`."""

    overrides: tuple[str, ...]
    """The same with the study's, ready for `python -m distill`."""

    config: Config
    """Checked, with every default."""

    def record(self, key: str | None) -> dict[str, Any]:
        """Its `run.json` as far as it is known before anything runs; None: so is its key."""
        config, references = asdict(self.config), planned(self.config)
        return {
            "format": FORMAT,
            "cell": key,
            "label": self.label,
            "study": config["study"],
            "config": config,
            "stages": {},
            "scores": dict.fromkeys(config["evaluation"]["benchmarks"]),
            "commit": None,
            **({"references": references} if references else {}),
        }


class Studies:
    """The studies in `conf/`; opens Hydra's config search path once."""

    def __init__(self) -> None:
        """Registers the schema and the sweeper as `python -m distill` does."""
        register()
        self._loader = ConfigLoaderImpl(create_config_search_path(str(CONF)))
        self._composer = Composer(self._loader)

    def names(self) -> list[str]:
        """Every study that can be named, `single` last."""
        return [*self._loader.get_group_options("study", ObjectType.CONFIG), SINGLE]

    def cells(self, study: str, overrides: Sequence[str] = ()) -> list[Cell]:
        """The distinct runs of `python -m distill study=STUDY OVERRIDES`, in its order.

        Args:
            study: a file in `conf/study/`, or `single` for the overrides alone.
            overrides: as on the command line; those with several values multiply the study's grids.

        Raises:
            ValueError: no such study, a mistaken override, or bad runs; names the choices, or what
                is wrong.
        """
        overrides = long_form(overrides)
        if study not in self.names():
            raise ValueError(f"unknown study {study!r}; known: {', '.join(self.names())}")
        refuse_unknown(overrides)
        if second := next((o for o in parse(overrides) if o.key_or_group == "study"), None):
            raise ValueError(f"{second.input_line}: the study is {study}; name one of the two")
        named = [] if study == SINGLE else [f"study={study}"]
        try:
            sweeper = self._composer.composed((*named, *_fixed(overrides))).hydra.sweeper
        except COMPOSING as error:
            raise ValueError(one_line(error, overrides)) from error
        axes = axes_of(sweeper)
        grids = grids_of(study if named else None, sweeper, overrides)
        runs = expand(grids, [*axes, *named, *overrides])
        kept, errors = distinct(runs, self._composer)

        def own() -> list[Config]:
            return listed(study if named else None, grids, axes, self._composer)

        if not replaced(overrides):
            errors = errors or unmet([config for _, config in kept], own)
        if errors:
            more = [f"and {len(errors) - SHOWN} more"] if len(errors) > SHOWN else []
            title = f"{len(errors)} bad run(s) or expectation(s) in {study}:"
            raise ValueError("\n  ".join([title, *errors[:SHOWN], *more]))
        if kept and kept[0][1].study.settle:
            from distill.run.settle import arms, first_stage  # which needs pandas

            kept = first_stage(kept, arms(kept, self.config))
        return [Cell(run_label(run), tuple(run), config) for run, config in kept]

    def config(self, overrides: Sequence[str]) -> Config:
        """The checked config of one run; see `distill.run.compose.Composer.config`."""
        return self._composer.config(overrides)

    def one(self, overrides: Sequence[str]) -> Cell:
        """The one run that the overrides describe; of a `study=` only its fixed fields are taken.

        Raises:
            ValueError: an override has several values, or a value is out of range.
        """
        overrides = long_form(overrides)
        runs = expand([], overrides)
        if len(runs) > 1:
            text = " ".join(overrides)
            raise ValueError(f"{text} is {len(runs)} runs; give each field one value")
        return Cell(run_label(overrides), tuple(overrides), self._composer.config(runs[0]))


def _fixed(overrides: Sequence[str]) -> list[str]:
    """Those with one value; the sweeper takes the others."""
    return [o.input_line for o in parse(overrides) if o.input_line and not o.is_sweep_override()]
