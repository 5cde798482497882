"""The price of a study: its stages, the whole, what the numbers rest on and what nobody knows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablations.prices.costs import Cost, StageCost, by_stage, cost
from ablations.prices.demands import demands
from ablations.prices.estimates import Estimate, total
from ablations.prices.everything import warnings
from ablations.prices.measured import Measured, of_study
from ablations.prices.rates import Rates
from ablations.studies.plan import Planned


@dataclass(frozen=True)
class Prices:
    """Of all runs of a study together."""

    rates: Rates
    records: Measured
    costs: list[Cost]
    """Of each distinct artifact; nothing of those that exist."""

    warnings: list[str]

    @property
    def stages(self) -> list[StageCost]:
        """In order; those that ask nothing are left out."""
        return by_stage(self.costs)

    @property
    def whole(self) -> list[Estimate]:
        """As `StageCost.numbers`, of all stages."""
        return [total(column) for column in zip(*(s.numbers for s in self.stages), strict=True)]


def prices(planned: Sequence[Planned], rates: Rates) -> Prices:
    """What a study would cost; nothing is made.

    Artifacts that exist cost nothing, and one that several runs share costs once.
    """
    records = of_study(Path(planned[0].cell.config.runs))
    costs = [cost(demand, rates, records) for demand in demands(planned, rates, records)]
    return Prices(rates, records, costs, warnings(planned, rates))


def sources(costs: Iterable[Cost]) -> list[str]:
    """What the numbers of these costs rest on, each once."""
    return list(dict.fromkeys(s for part in _parts(costs) for s in part.sources))


def missing(costs: Iterable[Cost]) -> list[str]:
    """What would have to be known for the rest of them, each once."""
    return list(dict.fromkeys(s for part in _parts(costs) for s in part.missing))


def _parts(costs: Iterable[Cost]) -> Iterable[Estimate]:
    for one in costs:
        demand = one.demand
        yield from (demand.requests, demand.read, demand.written, demand.trained)
        yield from (one.gpu_hours, one.hours, one.money)
