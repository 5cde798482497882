"""What recorded runs took: seconds by stage and model, and tokens by arm.

An artifact that several runs share counts once. What a run was made on is known as far as its
`compute` says.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

from ablations.prices.estimates import Estimate
from ablations.prices.ways import Arm, Way, arm_of, recorded_way, teacher_of
from ablations.results.records import RECORDED
from distill.run.record import RUN, read_record
from distill.stages import Stage
from distill.store.identity import CHECKOUT

FEWEST = 4
"""Recorded artifacts from which a line through them is drawn."""

MOST = 200
"""Of many, so many decide it."""

APART = 1.5
"""The most work to the least, from which on they tell what is needed before it."""


@dataclass
class _Sum:
    """Amounts with the work that each took, and the studies that they are from."""

    amounts: list[float] = field(default_factory=list)
    works: list[float] = field(default_factory=list)
    studies: set[str] = field(default_factory=set)

    def add(self, amount: float, work: float, study: str) -> None:
        self.amounts.append(amount)
        self.works.append(work)
        self.studies.add(study)

    @property
    def ratio(self) -> float:
        """Amount for a unit of work."""
        return sum(self.amounts) / sum(self.works)

    @property
    def line(self) -> tuple[float, float]:
        """Amount before any work, and for a unit of it.

        By the median of the slopes of all pairs (Theil and Sen), since some runs shared their
        machine. Where works are too few or too alike to tell, or the line falls below 0: nothing
        before.
        """
        if len(self.works) < FEWEST or max(self.works) < APART * min(self.works):
            return 0.0, self.ratio
        points = sorted(zip(self.works, self.amounts, strict=True))
        points = points[:: 1 + len(points) // MOST]
        slope = median(
            (amount - other) / (work - less)
            for (less, other), (work, amount) in combinations(points, 2)
            if work > less
        )
        start = median(amount - slope * work for work, amount in points)
        return (start, slope) if start > 0 and slope > 0 else (0.0, self.ratio)


class Measured:
    """What the records of runs say, or where these say nothing those before them."""

    def __init__(
        self, records: Iterable[Mapping[str, Any]] = (), before: "Measured | None" = None
    ) -> None:
        """Takes the records apart; see `distill.run.record.read_record`.

        Args:
            records: of runs.
            before: what is asked where they say nothing.
        """
        self.unread: list[str] = []
        self._before = before
        self._seconds: dict[Way, _Sum] = defaultdict(_Sum)
        self._rows: dict[tuple[Any, ...], _Sum] = defaultdict(_Sum)
        self._responses: dict[tuple[Any, ...], _Sum] = defaultdict(_Sum)
        seen: set[str] = set()
        for record in records:
            for stage, name, step in _steps(record):
                if step["key"] not in seen:
                    seen.add(step["key"])
                    self._take(record["config"], stage, name, step)

    def seconds(self, way: Way, work: Estimate) -> Estimate | None:
        """Seconds of one GPU, or process, for one artifact; None: nobody has made one so.

        As far as recorded runs differ in their work, what each takes before it (to load a model)
        is told apart from what grows with it.

        Args:
            way: how it is made.
            work: tokens of training, counted in every epoch; tokens of responses; elsewhere traces
                or problems.
        """
        found = self._seconds.get(way)
        if not found:
            return self._before.seconds(way, work) if self._before else None
        start, each = found.line
        many = f"{len(found.works)} recorded ({', '.join(sorted(found.studies))})"
        told = f"seconds of {way.stage} of {Path(way.model).name}: by {many}"
        return work * Estimate(each, (told,)) + Estimate(start)

    def row_tokens(self, arm: Arm, teacher: str) -> Estimate | None:
        """Tokens of a row of training, prompt included: of this arm, else of its student's."""
        found = _mean(self._rows, _keys(arm, teacher), "tokens of a row of training")
        return found or (self._before.row_tokens(arm, teacher) if self._before else None)

    def response_tokens(self, arm: Arm, benchmark: str) -> Estimate | None:
        """Tokens of a response to this benchmark: of this arm, else of its student's."""
        what = f"tokens of a response to {benchmark}"
        found = _mean(self._responses, _keys(arm, benchmark), what)
        return found or (self._before.response_tokens(arm, benchmark) if self._before else None)

    def _take(self, config: Mapping[str, Any], stage: str, name: str, step: Any) -> None:
        counts, seconds, compute = step["summary"], step.get("seconds"), _compute(step, config)
        work = counts.get("traces", counts.get("problems"))
        arm, study = arm_of(config), config["study"]["name"]
        if stage == Stage.train:
            work = counts.get("tokens")
            rows = counts.get("rows", 0) * config["training"]["epochs"]
            if work and rows:
                for key in _keys(arm, teacher_of(config["teacher"])):
                    self._rows[key].add(work, rows, study)
        if stage == Stage.evaluate:
            responses = counts.get("problems", 0) * counts.get("samples", 0)
            tokens = counts.get("tokens")
            work = tokens * responses if tokens else None
            if work:
                for key in _keys(arm, name):
                    self._responses[key].add(work, responses, study)
        if work and seconds:
            way = recorded_way(config, stage, compute)
            self._seconds[way].add(seconds * way.gpus, work, study)


def of_study(runs: Path, recorded: Path = CHECKOUT / RECORDED) -> Measured:
    """What was measured in all studies below `runs`, or else in those that the repository records.

    Records that cannot be read are passed over and named in `unread`.
    """
    unread: list[str] = []
    found = Measured(_read(runs, unread), before=Measured(_read(recorded, unread)))
    found.unread = unread
    return found


def _read(folder: Path, unread: list[str]) -> Iterable[Mapping[str, Any]]:
    for path in sorted(folder.glob(f"*/*/{RUN}")):
        try:
            yield read_record(path)
        except (ValueError, OSError) as error:
            unread.append(str(error))


def _keys(arm: Arm, of: str) -> list[tuple[Any, ...]]:
    """From the most alike to the least: the arm, then all of its student by that method."""
    return [(of, *arm), (of, arm.student, arm.method)]


def _mean(
    sums: Mapping[tuple[Any, ...], _Sum], keys: Iterable[tuple[Any, ...]], what: str
) -> Estimate | None:
    for key in keys:
        if found := sums.get(key):
            told = f"{what}: as recorded of the arm, or of others of its student"
            return Estimate(found.ratio, (told,))
    return None


def _steps(record: Mapping[str, Any]) -> Iterable[tuple[str, str, Any]]:
    for stage, step in record["stages"].items():
        yield stage, "", step
    for benchmark, step in record["scores"].items():
        yield Stage.evaluate.value, benchmark, step


def _compute(step: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
    return (step.get("how") or {}).get("compute") or config["compute"]
