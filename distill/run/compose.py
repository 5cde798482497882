"""The composer makes the configs of a sweep, each section once.

Hydra composes a config from nothing in 730 ms; a plan of 200 runs would take two minutes. Runs of a
study share most of their sections, so here a config takes 27 ms. It stands on Hydra's internals;
`tests/run/test_compose.py` holds it to what Hydra composes.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, ValueNode, open_dict

from distill.checks import path
from distill.config import Config
from distill.run.fields import GLOBAL_GROUPS, unknown
from distill.run.mistakes import COMPOSING, idle_corruption, one_line
from distill.run.overrides import is_reference, parse

_PACKAGED = Path(__file__).parents[1] / "conf"
CONF = _PACKAGED if _PACKAGED.is_dir() else _PACKAGED.parents[1] / "conf"
"""Where the options are: `conf/` of a checkout; an installed wheel has it as `distill/conf/`."""

PAPERS = "papers"
"""Folder of `conf/` without options: settings of papers, see `ablations.papers.stated`."""

SECTIONS = tuple(section.name for section in fields(Config))
"""Fields of `Config`, which a config is composed of."""


@dataclass
class GridSweeperConf:
    """`hydra/sweeper=grid`."""

    _target_: str = "hydra_plugins.distill.GridSweeper"
    params: dict[str, Any] = field(default_factory=dict)
    grids: list[str] = field(default_factory=list)


def register_schema() -> None:
    """Tell Hydra what configs hold besides `conf/`, so that they can be composed."""
    OmegaConf.register_new_resolver("path", path, replace=True)
    store = ConfigStore.instance()
    store.store(group="hydra/sweeper", name="grid", node=GridSweeperConf, provider="distill")
    store.store(name="schema", node=Config, provider="distill")


class Composer:
    """Composes each section of a config once.

    A section is a field of `Config`. It is what the world, the study, its group's option and its
    own overrides make it, and runs that are alike in these share it.
    """

    def __init__(self, loader: ConfigLoader) -> None:
        """Args: loader: Hydra's own, on `conf/`."""
        self._loader = ConfigLoaderImpl(loader.get_search_path())
        self._loader.repository = _ReadOnce(loader.get_search_path())
        self._groups = set(loader.list_groups(""))
        self._parse = cache(lambda word: parse([word])[0])
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        self._sections: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Any] = {}
        self._fields: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Any] = {}

    def config(self, overrides: Sequence[str]) -> Config:
        """The checked config of one run.

        Raises:
            ValueError: a value is out of range or of the wrong type, or no config has a field or
                group; names overrides, rule and choices, or the nearest fields.
        """
        try:
            config = self._config(overrides)
            if problem := idle_corruption(overrides, config):
                raise ValueError(problem)
        except COMPOSING as error:
            words, told = " ".join(overrides), one_line(error, overrides)
            raise ValueError(told if told.startswith(words) else f"{words}: {told}") from error
        return config

    def _config(self, overrides: Sequence[str]) -> Config:
        parsed = [o for o in map(self._parse, overrides) if not o.is_hydra_override()]
        if problem := next(filter(None, map(unknown, parsed)), ""):
            raise ValueError(problem)
        if any(o.package is not None or o.is_delete() for o in parsed):
            return self._whole(overrides)
        options = {o.key_or_group: o.value() for o in parsed if o.key_or_group in self._groups}
        world = tuple(f"{g}={option}" for g, option in options.items() if g in GLOBAL_GROUPS)
        values: dict[str, list[str]] = {}
        for o in parsed:
            if o.key_or_group not in self._groups:
                values.setdefault(o.key_or_group.partition(".")[0], []).append(str(o.input_line))
        given = self.composed(world).hydra.runtime.choices
        chosen = {
            group: (*world, f"{group}={option}")
            for group, option in options.items()
            if group not in GLOBAL_GROUPS and given.get(group) != option
        }
        plain = {
            name: tuple(w for w in words if not is_reference(w)) for name, words in values.items()
        }

        def stated(field: str) -> Any:
            name = field.partition(".")[0]
            if name not in SECTIONS:
                return None
            return self._stated(field, chosen.get(name, world), plain.get(name, ()))

        filled = {n: tuple(_filled(w, stated) for w in words) for n, words in values.items()}
        sections = {
            name: self._section(name, chosen.get(name, world), filled.get(name, ()))
            for name in dict.fromkeys((*SECTIONS, *chosen, *values))
        }
        if any(section is None for section in sections.values()):
            return self._whole(overrides)
        return Config(**{name: sections[name] for name in SECTIONS})

    def composed(self, overrides: tuple[str, ...]) -> DictConfig:
        """What Hydra makes of overrides, its own settings included; not to be changed."""
        if overrides not in self._composed:
            self._composed[overrides] = self._loader.load_configuration(
                "config", list(overrides), RunMode.RUN
            )
        return self._composed[overrides]

    def _whole(self, overrides: Sequence[str]) -> Config:
        """A config composed by Hydra alone, because it has no sections that others could share.

        It puts an option elsewhere (`+ask@teacher.convert=...`), takes one out, or refers from one
        section to another (`${student.name}`).
        """
        config = self.composed(tuple(overrides)).copy()
        with open_dict(config):
            del config["hydra"]
        return build(config)

    def _section(self, name: str, chosen: tuple[str, ...], values: tuple[str, ...]) -> Any:
        """A field of the config that Hydra makes of `chosen`, changed by `values`; checked.

        None if it refers to other fields, which another section of the same run may change.
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

    def _stated(self, field: str, chosen: tuple[str, ...], values: tuple[str, ...]) -> Any:
        """What a config says of a field, before a check may reset it; None of `${...}`."""
        key = (field, chosen, values)
        if key not in self._fields:
            parsed = [self._parse(text) for text in values]
            with _lent(self.composed(chosen), parsed) as config:
                ConfigLoaderImpl._apply_overrides_to_config(parsed, config)
                node: Any = config
                for part in field.split("."):
                    node = node._get_node(part) if isinstance(node, DictConfig) else None
                self._fields[key] = node._value() if isinstance(node, ValueNode) else None
        return self._fields[key]


_FIELD = re.compile(r"\$\{([a-z]\w*(?:\.\w+)+)\}")


def _filled(word: str, stated: Callable[[str], Any]) -> str:
    """A reference with the values of the fields of this run that it names, `${training.seed}`.

    As Hydra would fill them in, but without composing the whole; what is no number and no plain
    name is left to Hydra.
    """

    def value(found: re.Match[str]) -> str:
        made = stated(found[1])
        plain = type(made) in (int, float) or (type(made) is str and re.fullmatch(r"[\w.]+", made))
        return str(made) if plain else found[0]

    return _FIELD.sub(value, word) if is_reference(word) and "\\" not in word else word


class _ReadOnce(ConfigRepository):
    """Hydra's files and schemas, each read once for all compositions."""

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
    """The config, restored afterwards; only the fields that `values` name are copied.

    `DictConfig.copy` copies all of them, which took half of the time of a plan.
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
