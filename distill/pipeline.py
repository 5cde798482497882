"""The stages in order, a line each. Nothing else calls a stage."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from distill.config import Config, Method, Stage
from distill.corrupt import corrupt_traces
from distill.evaluate import evaluate_student
from distill.problems import select_problems
from distill.select import select_traces
from distill.store import Artifact
from distill.student import train_student
from distill.teacher import sample_traces
from distill.verify import verify_traces

Make = Callable[..., Artifact]
Log = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Made:
    """One step of a run."""

    stage: Stage
    artifact: Artifact
    benchmark: str = ""
    """Only at `evaluate`: which benchmark."""


def run(config: Config, make: Make, log: Log | None = None) -> list[Made]:
    """Make every artifact of one run up to `config.until`, reusing what exists.

    Args:
        config: the run.
        make: `Store.produce` makes what is missing; `Store.artifact` only names it, for plans.
        log: told each row of the training curve while it is made.

    Returns:
        What was made, in order; the untrained student (`training=none`) has no stages before
        `evaluate`.
    """
    made = []
    for step in _steps(config, make, log):
        made.append(step)
        if step.stage is config.until is not Stage.evaluate:
            break
    return made


def _steps(config: Config, make: Make, log: Log | None) -> Iterator[Made]:
    how = config.compute
    student = None
    if config.training.method is not Method.none:
        problems = make(select_problems, config.dataset)
        yield Made(Stage.problems, problems)
        traces = make(sample_traces, config.teacher, problems)
        yield Made(Stage.traces, traces)
        verified = make(verify_traces, traces)
        yield Made(Stage.verify, verified)
        selected = make(select_traces, config.selection, config.size, verified)
        yield Made(Stage.select, selected)
        corrupted = make(corrupt_traces, config.corruption, selected, verified)
        yield Made(Stage.corrupt, corrupted)
        union = [make(corrupt_traces, c, selected, verified) for c in config.training.union]
        arm = (selected, corrupted, union)
        trainee = (config.student, config.training, config.prompt)
        student = make(train_student, *trainee, *arm, compute=how, log=log)
        yield Made(Stage.train, student)
    if config.until is not Stage.evaluate:
        return
    for name, benchmark in sorted(config.evaluation.benchmarks.items()):
        problems = make(select_problems, benchmark.dataset)
        drawn = (config.evaluation.sampling, benchmark.samples, config.engine, config.prompt)
        scored = (config.student, student, problems)
        yield Made(Stage.evaluate, make(evaluate_student, *drawn, *scored, compute=how), name)
