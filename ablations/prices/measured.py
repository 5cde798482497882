"""What recorded runs took: seconds by stage and model, and tokens by arm.

An artifact that several runs share counts once. What a run was made on is known as far as its
`compute` says: `device=cuda` is a GPU, anything else the machine that it was made on.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ablations.prices.estimates import Estimate
from ablations.results.records import RECORDED
from distill.run.record import RUN, read_record
from distill.stages import Stage
from distill.store.identity import CHECKOUT


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

    @property
    def on_gpu(self) -> bool:
        """Whether the hours are those of GPUs, for all that is recorded."""
        return self.device == "cuda"


class Arm(NamedTuple):
    """Which student answers, or is trained."""

    student: str
    method: str
    corruption: str
    fraction: float


@dataclass
class _Sum:
    amount: float = 0.0
    work: float = 0.0
    made: int = 0

    def add(self, amount: float, work: float) -> None:
        self.amount, self.work, self.made = self.amount + amount, self.work + work, self.made + 1


class Measured:
    """Means over the records of runs."""

    def __init__(self, records: Iterable[Mapping[str, Any]] = ()) -> None:
        """Takes the records apart; see `distill.run.record.read_record`."""
        self.unread: list[str] = []
        self._seconds: dict[Way, _Sum] = defaultdict(_Sum)
        self._rows: dict[tuple[Any, ...], _Sum] = defaultdict(_Sum)
        self._responses: dict[tuple[Any, ...], _Sum] = defaultdict(_Sum)
        seen: set[str] = set()
        for record in records:
            for stage, name, step in _steps(record):
                if step["key"] not in seen:
                    seen.add(step["key"])
                    self._take(record["config"], stage, name, step)

    def seconds(self, way: Way) -> Estimate | None:
        """Seconds of one GPU, or process, for a unit of work; None: nobody has done it.

        A unit is a token of training (counted in every epoch), a token of a response, and
        elsewhere a trace or a problem.
        """
        found = self._seconds.get(way)
        if not found or not found.work or not found.amount:
            return None
        told = f"seconds of {way.stage} of {Path(way.model).name}: mean of {found.made} recorded"
        return Estimate(found.amount / found.work, (told,))

    def row_tokens(self, arm: Arm, teacher: str) -> Estimate | None:
        """Tokens of a row of training, prompt included: of this arm, else of its student's."""
        return _mean(self._rows, _keys(arm, teacher), "tokens of a row of training")

    def response_tokens(self, arm: Arm, benchmark: str) -> Estimate | None:
        """Tokens of a response to this benchmark: of this arm, else of its student's."""
        return _mean(self._responses, _keys(arm, benchmark), f"tokens of a response to {benchmark}")

    def _take(self, config: Mapping[str, Any], stage: str, name: str, step: Any) -> None:
        counts, seconds, compute = step["summary"], step.get("seconds"), _compute(step, config)
        work = counts.get("traces", counts.get("problems"))
        arm = arm_of(config)
        if stage == Stage.train:
            work = counts.get("tokens")
            rows = counts.get("rows", 0) * config["training"]["epochs"]
            if work and rows:
                for key in _keys(arm, teacher_of(config["teacher"])):
                    self._rows[key].add(work, rows)
        if stage == Stage.evaluate:
            responses = counts.get("problems", 0) * counts.get("samples", 0)
            tokens = counts.get("tokens")
            work = tokens * responses if tokens else None
            if work:
                for key in _keys(arm, name):
                    self._responses[key].add(work, responses)
        if work and seconds:
            way = _way(config, stage, compute)
            self._seconds[way].add(seconds * way.gpus, work)


def of_study(runs: Path, recorded: Path = CHECKOUT / RECORDED) -> Measured:
    """What was measured in all studies below `runs`, and in those that the repository records.

    Records that cannot be read are passed over and named in `unread`.
    """
    records, unread = [], []
    for folder in (runs, recorded):
        for path in sorted(folder.glob(f"*/*/{RUN}")):
            try:
                records.append(read_record(path))
            except (ValueError, OSError) as error:
                unread.append(str(error))
    found = Measured(records)
    found.unread = unread
    return found


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


def _keys(arm: Arm, of: str) -> list[tuple[Any, ...]]:
    """From the most alike to the least: the arm, then all of its student by that method."""
    return [(of, *arm), (of, arm.student, arm.method)]


def _mean(
    sums: Mapping[tuple[Any, ...], _Sum], keys: Iterable[tuple[Any, ...]], what: str
) -> Estimate | None:
    for key in keys:
        if (found := sums.get(key)) and found.work:
            return Estimate(found.amount / found.work, (f"{what}: as recorded, arm by arm",))
    return None


def _steps(record: Mapping[str, Any]) -> Iterable[tuple[str, str, Any]]:
    for stage, step in record["stages"].items():
        yield stage, "", step
    for benchmark, step in record["scores"].items():
        yield Stage.evaluate.value, benchmark, step


def _compute(step: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
    return (step.get("how") or {}).get("compute") or config["compute"]


def _way(config: Mapping[str, Any], stage: str, compute: Mapping[str, Any]) -> Way:
    teacher, student = config["teacher"], config["student"]["model"]
    models = {
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
    if asked := models.get(Stage(stage)):
        return way(stage, asked["model"], asked["engine"]["kind"], compute)
    of_problems = stage in (Stage.problems, Stage.filter)
    named = config["dataset"].get("name") if of_problems else teacher_of(teacher)
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
