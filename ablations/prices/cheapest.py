"""The cheapest design of a small grid that would detect a stated difference of two recipes.

Designs differ in training seeds, problems and samples per problem; the arms are the study's own.
A design detects a difference that it finds with 80 % power, see `ablations.statistics.power`. One
seed is no design for recipes, however large the benchmark.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from ablations.findings.design import frame
from ablations.prices.costs import Cost, cost
from ablations.prices.estimates import Estimate, total
from ablations.prices.prices import Prices
from ablations.statistics.power import POWER, Assumptions, Design, detectable, power
from ablations.studies.plan import Planned
from distill.data.config import DatasetConfig
from distill.stages import Stage

SEEDS = (2, 3, 4, 5, 6, 8, 10, 12, 16)
SAMPLES = (1, 2, 4, 8, 16, 32)
SHARES = (0.25, 0.5, 1.0)
"""Of the problems that the study asks."""

MORE = (2.0, 4.0)
"""The same where problems are generated, so that there are more."""

FEWEST = 20
"""Problems of a design, at least."""


@dataclass(frozen=True)
class Priced:
    """A design and its price, as if none of its trainings and evaluations were made."""

    design: Design
    gpu_hours: Estimate
    hours: Estimate
    money: Estimate

    @property
    def rank(self) -> tuple[float, ...]:
        """Cheapest first; where nothing has a price, the least work."""
        answers = self.design.problems * self.design.samples
        return self.money.value, self.hours.value, self.design.seeds[0], answers


@dataclass(frozen=True)
class Section:
    """One benchmark, student and training of a study."""

    name: str
    greedy: bool
    own: Priced
    """As the study plans it."""

    best: Priced | None
    """The cheapest that detects the difference; None: no design of the grid does."""

    limit: float
    """The smallest difference that any design of the grid detects, as a share of 1."""


@dataclass(frozen=True)
class _Parts:
    """What the price of a design is made of."""

    once: Sequence[Cost]
    train: Sequence[Cost]
    evaluate: Sequence[Cost]
    base: Sequence[Cost]


def cheapest(points: float, planned: Sequence[Planned], prices: Prices) -> list[Section]:
    """One row for each section of the study whose damaged arms are compared with uncorrupted.

    Args:
        points: the difference of accuracies, in points.
        planned: the study.
        prices: of the study.
    """
    rows, found = frame(planned), []
    rows = rows[rows["trained"] & rows["design"].notna()].drop_duplicates("section")
    for _, row in rows.iterrows():
        name, design, greedy = str(row["section"]), row["design"], bool(row["greedy"])
        parts, dataset = _parts(name, planned, prices)
        grid = sorted(
            (_priced(other, design, parts) for other in _designs(design, greedy, dataset)),
            key=lambda one: one.rank,
        )
        best = _first(grid, points / 100)
        largest = max(grid, key=lambda one: (one.design.seeds, one.design.problems, one.rank))
        limit = detectable(largest.design, Assumptions())
        own = _priced(design, design, parts)
        found.append(Section(name, greedy, own, best, limit))
    return found


def _designs(own: Design, greedy: bool, dataset: DatasetConfig) -> Iterator[Design]:
    shares = (*SHARES, *(MORE if dataset.kind == "sign_puzzle" else ()))
    problems = {max(min(FEWEST, own.problems), round(share * own.problems)) for share in shares}
    samples = SAMPLES if not greedy else (1,)
    for seeds, count, drawn in product(SEEDS, sorted(problems), samples):
        yield replace(own, problems=count, samples=drawn, seeds=(seeds, seeds))


def _first(grid: Sequence[Priced], difference: float) -> Priced | None:
    """The cheapest with enough power. What has no more of anything than a failed design fails."""
    failed: list[Design] = []
    for one in grid:
        mine = one.design
        if any(_within(mine, other) for other in failed):
            continue
        if power(difference, mine, Assumptions()) >= POWER:
            return one
        failed.append(mine)
    return None


def _within(small: Design, large: Design) -> bool:
    pairs = zip(_size(small), _size(large), strict=True)
    return all(a <= b for a, b in pairs)


def _size(design: Design) -> tuple[int, int, int]:
    return design.seeds[0], design.problems, design.samples


def _parts(name: str, planned: Sequence[Planned], prices: Prices) -> tuple[_Parts, DatasetConfig]:
    """What the runs of a section cost each, and the problems that they answer."""
    by_key = {one.demand.artifact.key: one for one in prices.costs}
    whole = {
        key: cost(one.demand, prices.rates, prices.records, whole=True)
        for key, one in by_key.items()
    }
    trained: list[Cost] = []
    scored: list[Cost] = []
    base: list[Cost] = []
    dataset = DatasetConfig(kind="recorded")
    for one in planned:
        config = one.cell.config
        for step in one.made:
            of, price = f"{step.benchmark}, {config.student.name}", whole[step.artifact.key]
            if step.stage is not Stage.evaluate or not name.startswith(f"{of}, "):
                continue
            if config.training.method == "none":
                base.append(price)
            elif name == f"{of}, {config.training.name}":
                scored.append(price)
                trained += (whole[s.artifact.key] for s in one.made if s.stage is Stage.train)
                dataset = config.evaluation.benchmarks[step.benchmark].dataset
    last = (Stage.train, Stage.evaluate)
    once = [one for one in prices.costs if one.demand.stage not in last]
    return _Parts(once, trained, scored, base[:1]), dataset


def _priced(design: Design, own: Design, parts: _Parts) -> Priced:
    runs = float(design.arms * design.seeds[0])
    answers = design.problems * design.samples / (own.problems * own.samples)

    def whole(name: str) -> Estimate:
        once, train, evaluate, base = (
            [getattr(one, name) for one in some]
            for some in (parts.once, parts.train, parts.evaluate, parts.base)
        )
        each = _mean(train) + _mean(evaluate) * answers
        return total(once) + each * runs + total(base) * answers

    return Priced(design, whole("gpu_hours"), whole("hours"), whole("money"))


def _mean(parts: Sequence[Estimate]) -> Estimate:
    return total(parts) / max(len(parts), 1)
