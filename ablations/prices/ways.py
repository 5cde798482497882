"""By what recorded and planned stages are told apart: who works how, and which arm it is of."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from distill.stages import Stage


class Way(NamedTuple):
    """What decides how fast a stage is, besides the amount of work."""

    stage: str
    model: str
    """Hub id or folder of the model that works; where none does, whose traces or problems."""

    engine: str
    """Kind of the engine; the method where a student is trained; empty where no model works."""

    device: str
    """As in `compute`."""

    gpus: int
    """Or processes."""


class Arm(NamedTuple):
    """Which student answers, or is trained."""

    student: str
    method: str
    corruption: str
    fraction: float


def teacher_of(teacher: Any) -> str:
    """By what the traces of a teacher are told apart, of a config or its JSON."""
    given = teacher if isinstance(teacher, Mapping) else vars(teacher)
    named = (given.get(name) for name in ("model", "path", "hub"))
    return next(filter(None, named), None) or str(given.get("kind"))


def arm_of(config: Mapping[str, Any]) -> Arm:
    """Of a recorded config."""
    training, student = config["training"], config["student"]["model"]
    if training["method"] == "none":
        return base_of(student)
    corruption = config["corruption"]
    return Arm(student, training["method"], corruption["kind"], corruption["fraction"])


def base_of(student: str) -> Arm:
    """The untrained student."""
    return Arm(student, "none", "none", 0.0)


def recorded_way(config: Mapping[str, Any], stage: str, compute: Mapping[str, Any]) -> Way:
    """How a stage of a recorded run was made, by its config and the `compute` of its artifact."""
    teacher, student = config["teacher"], config["student"]["model"]
    models: dict[str, Any] = {
        Stage.rate: config["filter"].get("rating"),
        Stage.traces: teacher if teacher["kind"] == "model" else None,
        Stage.convert: teacher.get("convert"),
        Stage.verify: config["verification"].get("judge"),
        Stage.rewrite: config["corruption"].get("ask"),
        Stage.segment: config["corruption"].get("ask"),
    }
    if stage == Stage.train:
        return way(stage, student, config["training"]["method"], compute)
    if stage == Stage.evaluate:
        return way(stage, student, config["engine"]["kind"], compute)
    if asked := models.get(stage):
        return way(stage, asked["model"], asked["engine"]["kind"], compute)
    if stage == Stage.verify and (scorer := config["verification"].get("reward_model")):
        return way(stage, scorer, "", compute)
    dataset, of_problems = config["dataset"], stage in (Stage.problems, Stage.filter)
    named = dataset.get("name") or dataset.get("kind") if of_problems else teacher_of(teacher)
    return way(stage, str(named), "", None)


def way(stage: str, model: str, engine: str | None, compute: Any) -> Way:
    """How a stage is made.

    Args:
        stage: its word.
        model: who works.
        engine: kind of engine, or method of training.
        compute: a `ComputeConfig`, or its JSON; None: nobody works but a processor.
    """
    given = compute if isinstance(compute, Mapping) else vars(compute) if compute else {}
    gpus = given.get("processes", 1) if stage == Stage.train else 1
    if engine == "vllm":
        gpus = given.get("tensor_parallel", 1)
    return Way(str(stage), model, engine or "", str(given.get("device", "auto")), gpus)
