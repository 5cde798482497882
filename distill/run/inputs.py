"""What runs read is read before the first of them: data sets, benchmarks, models, tasks.

A missing benchmark would otherwise be found after hours of training. Data sets become artifacts
here, which the runs are then served; of models only the identity is looked up.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from distill import pipeline
from distill.config import Config
from distill.data import files
from distill.data.config import SourceConfig
from distill.data.problems import load_problems
from distill.evaluation import harness
from distill.models import engines
from distill.models.config import EngineConfig
from distill.run import references
from distill.run.mistakes import one_line
from distill.stages import Stage
from distill.store.artifacts import ArtifactError, Store
from distill.store.identity import Artifact, local_path
from distill.teachers.traces import sample_traces
from distill.training.config import Method
from distill.training.config import unusable as unusable_training

USED_BY = (Stage.train, Stage.evaluate)
"""Last stages of the runs that load the student."""


def unusable(configs: Sequence[Config], say: Callable[[str], None]) -> list[str]:
    """What these runs would fail on; empty if all that they read is there and can be read.

    Makes the problems of every data set and benchmark, and the traces of recorded teachers, unless
    they exist.

    Args:
        configs: of the runs.
        say: called with a line for each artifact that is made or waited for.

    Returns:
        Each problem once, with the field whose value is wrong.
    """
    found: dict[str, None] = {}
    for config in configs:
        try:
            links = list(references.chain(config).links())
        except ValueError as error:
            found[str(error)] = None
            continue
        for link in links:
            wrong = _without_reading(link.config)
            found |= dict.fromkeys(f"{link.place}: {w}" if link.place else w for w in wrong)
    for config in configs if not found else ():
        found |= dict.fromkeys(_cannot_be_made(config))
    if found:
        return list(found)
    for config in configs:
        store = Store(Path(config.artifacts), say)
        try:
            references.run(config, _reading(config, store, found))
        except (ValueError, TypeError, OSError, ArtifactError) as error:
            found[one_line(error, ())] = None
    return list(found)


def _reading(config: Config, store: Store, found: dict[str, None]) -> pipeline.Make:
    """Makes what needs no model and names the rest; mistakes in what is read go to `found`."""

    def make(stage: Callable[..., None], *identity: Any, **how: Any) -> Artifact:
        for value in identity:
            if problem := _no_model(value):
                raise ValueError(f"{_field(config, value) or 'teacher'}.{problem}")
        artifact = store.artifact(stage, *identity)
        recorded = stage is sample_traces and identity[0].kind == "recorded"
        if stage is load_problems or (recorded and identity[1].exists):
            try:
                return artifact if artifact.exists else store.produce(stage, *identity, **how)
            except (ValueError, OSError, ArtifactError) as error:
                found[f"{_field(config, identity[0]) or 'teacher'}: {error}"] = None
        return artifact

    return make


def _cannot_be_made(config: Config) -> Iterator[str]:
    """Why the folders that the run writes in cannot be made; they are made, if they can."""
    for name in ("artifacts", "runs"):
        place = Path(getattr(config, name))
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            yield f"{name}={place} cannot be made: {error.strerror} ({error.filename})"


def _no_model(value: Any) -> str:
    """What is wrong with a local folder that a config names as a model; empty if nothing is."""
    engine = getattr(value, "engine", None)
    names = ("model", "reward_model") if is_dataclass(value) else ()
    if engine and engine.kind == "openai":
        return ""  # the model is the server's
    for name in names:
        folder = local_path(getattr(value, name, None) or "")
        if folder and not (folder / "config.json").is_file():
            return f"{name}={getattr(value, name)} is no model: it holds no config.json"
    return ""


def _without_reading(config: Config) -> Iterator[str]:
    """What can be told of a run without reading its data."""
    for name in ("artifacts", "runs"):
        place = Path(getattr(config, name)).absolute()
        there = next(part for part in (place, *place.parents) if os.path.lexists(part))
        if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
            yield f"{name}={getattr(config, name)}: {there} is no folder that can be written in"
    yield from filter(None, map(engines.absent, sorted({e.kind for e in _engines(config)})))
    if config.until in USED_BY and (problem := _no_model(config.student)):
        yield f"student.{problem}"
    trains, scores = config.training.method is not Method.none, config.until is Stage.evaluate
    if trains and config.until in USED_BY:
        yield from filter(None, [unusable_training(config.training, config.compute)])
    for name, benchmark in config.evaluation.benchmarks.items() if scores else ():
        sampling = benchmark.sampling or config.evaluation.sampling
        if benchmark.harness:
            problem = harness.unusable(benchmark.harness, config.engine, sampling)
            yield from [f"evaluation.benchmarks.{name}.harness: {problem}"] if problem else []
    for name, source in _sources(config):
        path = local_path(source.path or "")
        if source.path and path is None:
            yield f"{name}.path: there is no file {source.path!r}, seen from here or the checkout"
        elif path and not (path.is_file() or path.is_dir()):
            yield f"{name}.path={source.path} is neither a file nor a folder"
    yield from unfit_folders(config)


def unfit_folders(config: Config) -> Iterator[str]:
    """What is wrong with folders of rows by the names of their files alone.

    To be asked before anything is identified by its content, which takes hours where somebody named
    the folder of everything.
    """
    for name, source in _sources(config):
        path = local_path(source.path or "")
        if path and path.is_dir() and not any(path.iterdir()):
            yield f"{name}.path={source.path} is an empty folder"
        elif path and path.is_dir() and (problem := files.unfit(path, source.split)):
            yield f"{name}.path={source.path}: {problem}"


def _engines(config: Config) -> Iterator[EngineConfig]:
    """What generates text in a run."""
    trains, scores = config.training.method is not Method.none, config.until is Stage.evaluate
    asks = (config.filter.rating, config.teacher.convert, config.verification.judge)
    if trains:
        yield from (one.engine for one in (*asks, config.corruption.ask) if one)
    if trains and config.teacher.kind in ("model", "trained") and config.teacher.engine:
        yield config.teacher.engine
    if scores and config.evaluation.benchmarks:
        yield config.engine


def _sources(config: Config) -> Iterator[tuple[str, SourceConfig]]:
    """Where a run's rows come from, by the name of the field that says so."""
    trains, scores = config.training.method is not Method.none, config.until is Stage.evaluate
    if trains:
        yield "teacher" if config.dataset.kind == "recorded" else "dataset", config.dataset
    read = []
    if trains and config.filter.contamination:
        read += [(f"filter.benchmarks.{n}", b) for n, b in config.filter.benchmarks.items()]
    if scores:
        some = config.evaluation.benchmarks.items()
        read += [(f"evaluation.benchmarks.{n}", b) for n, b in some if not b.harness]
    yield from ((f"{name}.dataset", benchmark.dataset) for name, benchmark in read)


def _field(config: Any, value: Any, name: str = "") -> str:
    """Dotted name of the field that holds this very object; empty if none does."""
    if config is value:
        return name
    parts = config if isinstance(config, dict) else {}
    if is_dataclass(config):
        parts = {f.name: getattr(config, f.name) for f in fields(config)}
    below = (_field(part, value, f"{name}.{n}".lstrip(".")) for n, part in parts.items())
    return next(filter(None, below), "")
