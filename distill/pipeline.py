"""The stages in order, a line each. Nothing else calls a stage."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from distill.compute import ComputeConfig
from distill.config import Config
from distill.corruptions.config import CorruptionConfig
from distill.corruptions.corrupt import corrupt_traces, reads_keywords
from distill.corruptions.rewrite import rewrite_traces
from distill.corruptions.segment import segment_traces
from distill.data.filter import filter_problems
from distill.data.problems import load_problems
from distill.data.rate import rate_problems
from distill.evaluation.evaluate import evaluate_student
from distill.evaluation.harness import evaluate_with_harness
from distill.stages import Stage
from distill.store.identity import Artifact
from distill.teachers.convert import convert_traces
from distill.teachers.select import select_traces
from distill.teachers.traces import sample_traces
from distill.teachers.verify import verify_traces
from distill.trace.keywords import DEFAULT
from distill.training.config import Method, Part
from distill.training.merge import merge_adapter
from distill.training.train import train_student

Make = Callable[..., Artifact]
Log = Callable[[dict[str, Any]], None]


class Made(NamedTuple):
    """One step of a run."""

    stage: Stage
    artifact: Artifact
    benchmark: str = ""
    """Only at `evaluate`: which benchmark."""


class Given(NamedTuple):
    """Another run that this one refers to, as far as it was made."""

    config: Config
    made: list[Made]
    given: "Mapping[str, Given]"
    """What it refers to itself."""

    def artifact(self, stage: Stage) -> Artifact:
        """What one of its stages made."""
        return next(step.artifact for step in self.made if step.stage is stage)


def run(
    config: Config, make: Make, log: Log | None = None, given: Mapping[str, Given] | None = None
) -> list[Made]:
    """Make every artifact of one run up to `config.until`, reusing what exists.

    Args:
        config: the run.
        make: `Store.produce` makes what is missing; `Store.artifact` only names it, for plans.
        log: called with each row of the training curve while it is made.
        given: place of a reference -> the run that it refers to; `distill.run.references` makes
            these first.

    Returns:
        What was made, in order.

    Raises:
        ValueError: the run ends before `evaluate`, the only stage of the untrained student, or has
            no benchmark there; a reference is not given; or two parts of a mixture are the same.
    """
    if missing := sorted(set(config.references) - set(given or {})):
        raise ValueError(f"{missing[0]} refers to another run, which was not made first")
    made = []
    for step in _steps(config, make, log, given or {}):
        made.append(step)
        if step.stage is config.until is not Stage.evaluate:
            break
    if not made and config.until is Stage.evaluate:
        raise ValueError("training=none only scores the student: evaluation.benchmarks is empty")
    if not made:
        raise ValueError(
            f"training=none has no stage {config.until.value}; its only stage is evaluate"
        )
    return made


def _steps(
    config: Config, make: Make, log: Log | None, given: Mapping[str, Given]
) -> Iterator[Made]:
    how = config.compute
    begun = None
    if after := given.get("student.after"):
        begun = _student(after, make, how)
    words = _words(config)
    student = None
    benchmarks = config.evaluation.benchmarks if config.until is Stage.evaluate else {}
    asked = {  # before anything is trained: a data set that cannot be read is found here
        name: make(load_problems, benchmark.dataset)
        for name, benchmark in sorted(benchmarks.items())
        if not benchmark.harness
    }
    if config.training.method is not Method.none:
        problems = make(load_problems, config.dataset)
        yield Made(Stage.problems, problems)
        if config.filter.rating:
            problems = make(rate_problems, config.filter.rating, problems, compute=how)
            yield Made(Stage.rate, problems)
        if config.filter.active:
            rules = replace(config.filter, rating=None, benchmarks={})
            among = config.filter.benchmarks if config.filter.contamination else {}
            looked_in = [make(load_problems, among[name].dataset) for name in sorted(among)]
            problems = make(filter_problems, rules, problems, looked_in)
            yield Made(Stage.filter, problems)
        teacher, convert = replace(config.teacher, convert=None), config.teacher.convert
        asked_of: tuple[Artifact, ...] = ()
        if other := given.get("teacher.student"):
            teacher = replace(teacher, prompt=teacher.prompt or other.config.prompt)
            asked_of = (_student(other, make, how),)
        traces = make(sample_traces, teacher, problems, *asked_of, compute=how)
        yield Made(Stage.traces, traces)
        if convert:
            traces = make(convert_traces, convert, traces, compute=how)
            yield Made(Stage.convert, traces)
        verified = make(verify_traces, config.grading, config.verification, traces, compute=how)
        yield Made(Stage.verify, verified)
        pairs = given.get("selection.problems_of")
        paired = (pairs.artifact(Stage.select),) if pairs else ()
        selected = make(select_traces, config.selection, config.size, verified, *paired)
        yield Made(Stage.select, selected)
        for step in _damage(config.corruption, selected, verified, words, make, how):
            yield step
        corrupted = step.artifact
        own = _part(config, (selected, verified, corrupted), make, how)
        mix = {}
        for place, other in given.items():
            if place.startswith("mix."):
                arm = [other.artifact(s) for s in (Stage.select, Stage.verify, Stage.corrupt)]
                mix[place] = _part(other.config, arm, make, how)
        _refuse_same({"the run itself": own} | mix)
        parts = [[*part] for part in sorted(mix.values(), key=lambda part: part.name)]
        further = (begun, parts) if parts else (begun,) if begun else ()
        mine = (own.selected, own.corrupted, own.union)
        trainee = (config.student, config.training, config.prompt)
        student = make(train_student, *trainee, *mine, *further, compute=how, log=log)
        yield Made(Stage.train, student)
    read = (config.keywords, begun) if begun else words
    for name, benchmark in sorted(benchmarks.items()):
        sampling = benchmark.sampling or config.evaluation.sampling
        if benchmark.harness:
            task = (benchmark.harness, sampling, config.engine, config.prompt, config.student)
            evaluated = make(evaluate_with_harness, *task, student, *read, compute=how)
        else:
            drawn = (sampling, benchmark.samples, config.engine, config.grading)
            prompt = replace(config.prompt, user=benchmark.user or config.prompt.user)
            scored = (prompt, config.student, student, asked[name])
            evaluated = make(evaluate_student, *drawn, *scored, *read, compute=how)
        yield Made(Stage.evaluate, evaluated, name)


def _student(other: Given, make: Make, how: ComputeConfig) -> Artifact:
    """The whole model that another run trains: an adapter is merged first."""
    trained = other.artifact(Stage.train)
    if other.config.training.method is not Method.lora:
        return trained
    after = other.given.get("student.after")
    begun = (_student(after, make, how),) if after else ()
    return make(merge_adapter, other.config.student, trained, *begun, compute=how)


def _part(config: Config, arm: Sequence[Artifact], make: Make, how: ComputeConfig) -> Part:
    """A run's traces as a student is trained on them; the arm is selected, verified, corrupted."""
    selected, verified, corrupted = arm
    words = _words(config)
    arms = [_damage(c, selected, verified, words, make, how) for c in config.training.union]
    union = [[*steps][-1].artifact for steps in arms]
    return Part(config.prompt, selected, corrupted, union)


def _refuse_same(parts: Mapping[str, Part]) -> None:
    """Raise ValueError if two parts of a mixture are the same traces with the same prompt."""
    names: dict[str, str] = {}
    for name, part in parts.items():
        if (first := names.setdefault(part.name, name)) != name:
            raise ValueError(
                f"{name} and {first} are the same traces with the same prompt; leave one out, or "
                "take more of them (size.traces)"
            )


def _words(config: Config) -> tuple[str, ...]:
    """The list of keywords; keys name no default list."""
    return () if config.keywords == DEFAULT else (config.keywords,)


def _damage(
    corruption: CorruptionConfig,
    selected: Artifact,
    verified: Artifact,
    words: tuple[str, ...],
    make: Make,
    how: ComputeConfig,
) -> Iterator[Made]:
    """What a model says about the selected traces, where one is asked; then the damage."""
    said = None
    if corruption.asks:
        stage = rewrite_traces if corruption.asks is Stage.rewrite else segment_traces
        said = make(stage, corruption.ask, selected, *words, compute=how)
        yield Made(corruption.asks, said)
    read = words if reads_keywords(corruption) else ()
    rest = (said, *read) if said or read else ()
    yield Made(Stage.corrupt, make(corrupt_traces, corruption, selected, verified, *rest))
