"""A reference is another run's command line as one string; a chain is the runs that a run needs.

A reference stands for what that run makes at the stage that its place needs. It is composed as the
command line would be, by the defaults of `conf/` and not by those of the run that refers to it;
only where and how it is made (`artifacts`, `runs`, `tracking`, and `compute` unless it names that)
is the same. `chain` resolves the references of a run, and those of the runs that they name, before
anything is made; `run` makes the whole chain in order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra

from distill import pipeline
from distill.config import REFERRED, Config
from distill.pipeline import Given, Log, Made, Make
from distill.run.compose import CONF, Composer, register_schema
from distill.run.overrides import parse, split
from distill.stages import Stage
from distill.training.config import Method

LONGEST = 100
"""Runs in a chain, at most; one of more refers to itself in ever new words."""

TAKEN = {
    "artifacts": "is that of the run that refers to it",
    "runs": "is that of the run that refers to it",
    "tracking": "is that of the run that refers to it; a chain is tracked as one run",
    "until": "follows from its place",
    "study": "names several runs, or how runs are recorded; a reference is one run",
}
"""Section or field that a reference may not set -> why."""


@dataclass(frozen=True)
class Link:
    """A run in a chain."""

    config: Config
    """Checked; it ends at the stage that its place needs."""

    place: str
    """Where it is referred to, such as `student.after`; empty of the run itself."""

    text: str
    """The reference; empty of the run itself."""

    needs: dict[str, "Link"]
    """Place of a reference of its own -> the run that it names."""

    def links(self) -> Iterator["Link"]:
        """Every run that it needs, each once, those that others need first, itself last."""
        yield from self._links(set())

    def _links(self, told: set[int]) -> Iterator["Link"]:
        if id(self.config) not in told:
            told.add(id(self.config))
            for other in self.needs.values():
                yield from other._links(told)
            yield self


def chain(config: Config) -> Link:
    """A run with all runs that it refers to; nothing is made.

    Raises:
        ValueError: a reference names no run, several, or one without the stage that its place
            needs, or contradicts the run that refers to it; or runs refer to each other in a
            circle. Names the place, the reference and the rule.
    """
    return _link(config, "", "", (), {})


def run(config: Config, make: Make, log: Log | None = None) -> tuple[list[Made], dict[str, Given]]:
    """Make a run and, before it, all runs that it refers to; see `distill.pipeline.run`.

    Returns:
        What the run itself made, in order; and of each place the run that it refers to.
    """
    _, made, given = follow(chain(config), make, log)
    return made, dict(given)


def made(config: Config, make: Make, log: Log | None = None) -> list[Made]:
    """What a run makes itself, see `run`."""
    return run(config, make, log)[0]


def traces(config: Config) -> int:
    """How many traces a student is trained on, those of all parts of a mixture."""
    named = chain(config).needs.items() if config.mix else ()
    parts = (link.config for place, link in named if place.startswith("mix."))
    return config.size.traces + sum(part.size.traces for part in parts)


def described(config: Config, given: Mapping[str, Given]) -> dict[str, Any]:
    """What a record says of the runs that a run refers to.

    Place -> `text`, the reference; `stage` and `key` of the artifact that it stands for; `part`,
    the name of a mixture's part in curves and summaries; `config`, checked; and its own
    `references`.
    """
    found = {}
    for place, other in given.items():
        last = other.made[-1]
        found[place] = {
            "text": config.references[place],
            "stage": last.stage.value,
            "key": last.artifact.key,
            "config": asdict(other.config),
            "references": described(other.config, other.given),
        }
        if place.startswith("mix."):
            part = pipeline.Part(other.config.prompt, None, last.artifact, [])
            found[place]["part"] = part.name
    return found


def planned(config: Config) -> dict[str, Any]:
    """The same before anything is named: place -> `text`, `config` and `references`."""
    return {
        place: {"text": one.text, "config": asdict(one.config), "references": planned(one.config)}
        for place, one in chain(config).needs.items()
    }


def seedless(config: Config) -> dict[str, Any]:
    """A config as plain values, equal for runs of one arm, which differ in seeds alone.

    The seeds of training and of damage are 0, and a reference is the run that it names, seedless.
    """
    seeds = replace(config.training, seed=0), replace(config.corruption, seed=0)
    found: dict[str, Any] = asdict(replace(config, training=seeds[0], corruption=seeds[1]))
    found["student"]["after"] = found["teacher"]["student"] = None
    found["selection"]["problems_of"], found["mix"] = None, {}
    named = chain(config).needs.items()
    return found | {"references": {place: seedless(link.config) for place, link in named}}


def follow(link: Link, make: Make, log: Log | None = None) -> Given:
    """Make the runs that a run needs, in order, and the run; `log` is called for itself alone."""
    return _follow(link, make, log, {})


def _follow(link: Link, make: Make, log: Log | None, known: dict[int, Given]) -> Given:
    if (one := id(link.config)) not in known:
        given = {place: _follow(other, make, None, known) for place, other in link.needs.items()}
        known[one] = Given(link.config, pipeline.run(link.config, make, log, given), given)
    return known[one]


def _link(
    config: Config,
    place: str,
    text: str,
    above: Sequence[tuple[str, str, Config]],
    known: dict[tuple[str, Stage, str], Link],
) -> Link:
    """A run with all that it needs; one that several places name is in `known`, with one config."""
    here = [*above, (place, text, config)]
    for i, (_, _, other) in enumerate(above):
        if vars(other) | {"until": config.until} == vars(config):
            raise _circle(here[i:-1] if i else here[1:])
    if len(here) > LONGEST:
        raise _circle(here)
    needs = {}
    for where, words in config.references.items():
        same_run = words, _until(where), repr(config.compute)
        if same_run not in known:
            other = _composed(where, words, config)
            known[same_run] = _link(other, where, words, here, known)
        needs[where] = replace(known[same_run], place=where)
        _check_place(where, words, config, needs[where].config)
    return Link(config, place, text, needs)


def _circle(links: Sequence[tuple[str, str, Config]]) -> ValueError:
    shown = [f"{place}={text!r}" for place, text, _ in links[:4]]
    more = [f"... {len(links) - 4} more"] if len(links) > 4 else []
    return ValueError(
        f"runs refer to each other in a circle: {' -> '.join([*shown, *more])} -> the first again; "
        "a reference must lead to a run that refers to none"
    )


def _composed(place: str, text: str, referring: Config) -> Config:
    """The config of the run that a reference names, up to the stage that its place needs."""
    try:
        words = split(text, "the reference")
        _check_words(words)
        config = _composer(_loader()).config(words)
        own = any(word.lstrip("+").startswith("compute") for word in words)
        shared: dict[str, Any] = {} if own else {"compute": referring.compute}
        shared |= {name: getattr(referring, name) for name in ("artifacts", "runs", "tracking")}
        return replace(config, until=_until(place), **shared)
    except ValueError as error:
        raise ValueError(f"{place}={text!r}: {error}") from error


def _until(place: str) -> Stage:
    """The stage whose artifact a reference in this place stands for."""
    return REFERRED["mix" if place.startswith("mix.") else place]


def _check_words(words: Sequence[str]) -> None:
    for override in parse(words):
        word, name = override.input_line, override.get_key_element().lstrip("+~").split(".")[0]
        if override.is_hydra_override() or TAKEN.get(name):
            why = TAKEN.get(name, "is a setting of Hydra's; a reference is one run")
            raise ValueError(f"{word} cannot be in a reference: {name} {why}")
        if override.is_sweep_override():
            raise ValueError(
                f"{word} lists several values, and a reference is one run; to sweep over runs, "
                "quote each and separate them by commas"
            )


def _check_place(place: str, text: str, referring: Config, other: Config) -> None:
    """Raise ValueError if the run that a reference names is none for its place."""
    needed = other.until.value
    if other.training.method is Method.none:
        without = "trains no student" if needed == "train" else f"makes no {needed}"
        raise ValueError(
            f"{place}={text!r}: that run has training=none and {without}; name one that is trained"
            + (", or take teacher=model with its folder" if place == "teacher.student" else "")
        )
    if place == "student.after":
        here, there = referring.student, other.student
        for field in ("model", "revision"):
            if getattr(here, field) != getattr(there, field):
                raise ValueError(
                    f"{place}={text!r}: that run trains student.{field}="
                    f"{getattr(there, field)} ({there.name}), and this one names "
                    f"{getattr(here, field)} ({here.name}); both must name the same student"
                )
    if place.startswith("mix.") and other.mix:
        raise ValueError(
            f"{place}={text!r}: that run is a mixture itself ({', '.join(other.mix)}); name its "
            "parts as parts of this one"
        )


def _loader() -> ConfigLoader:
    """Hydra's own where it runs, which knows the folders that a user adds; else that of `conf/`."""
    hydra = GlobalHydra.instance()
    return hydra.config_loader() if hydra.is_initialized() else _own_loader()


@lru_cache(maxsize=1)
def _own_loader() -> ConfigLoader:
    register_schema()
    return ConfigLoaderImpl(create_config_search_path(str(CONF)))


class _Remembered:
    """Composes each reference once."""

    def __init__(self, loader: ConfigLoader) -> None:
        self._composer = Composer(loader)
        self._known: dict[tuple[str, ...], Config] = {}

    def config(self, words: Sequence[str]) -> Config:
        """See `Composer.config`; not to be changed."""
        if (key := tuple(words)) not in self._known:
            self._known[key] = self._composer.config(words)
        return self._known[key]


@lru_cache(maxsize=2)
def _composer(loader: ConfigLoader) -> _Remembered:
    return _Remembered(loader)
