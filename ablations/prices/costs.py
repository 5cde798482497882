"""What a demand costs: hours by recorded runs, else by published rates; then money.

The hours of GPUs are those of the GPU that `Rates` names, whatever a run was recorded on. Stages
that neither train nor ask a model take minutes of a processor: they are shown where they were
recorded, and have no price.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ablations.prices.demand import Demand
from ablations.prices.estimates import NOTHING, Estimate, total, unknown
from ablations.prices.measured import Measured
from ablations.prices.rates import Rate, Rates
from ablations.prices.sizes import size
from ablations.prices.ways import Way
from distill.stages import Stage

HOUR = 3600.0
MILLION = 1e6
TERA = 1e12

MEASURED_ON = "H100"
"""The GPU of the published rates of generation."""

ALIKE = 0.05
"""Share by which models may differ in size and count as equally large."""

SMALL = 1e8
"""Parameters below which nobody rents a GPU: the machine that it is trained on has to tell."""


@dataclass(frozen=True)
class Cost:
    """Of making one artifact; nothing where it exists."""

    demand: Demand
    gpu_hours: Estimate = NOTHING
    hours: Estimate = NOTHING
    """Of the machine that runs this, where there is no GPU."""

    money: Estimate = NOTHING
    """Dollars."""


@dataclass(frozen=True)
class StageCost:
    """Of a stage of all runs together, of what is to be made."""

    stage: str
    costs: Sequence[Cost]

    @property
    def distinct(self) -> int:
        """Artifacts, shared ones once."""
        return len(self.costs)

    @property
    def to_make(self) -> int:
        """Those that do not exist."""
        return len(self.open)

    @cached_property
    def open(self) -> list[Cost]:
        """The costs of what is to be made."""
        return [cost for cost in self.costs if not cost.demand.done]

    @property
    def numbers(self) -> list[Estimate]:
        """Requests, tokens read, written and trained on, hours of GPUs and of here, dollars."""
        rows = [
            (d.requests, d.read, d.written, d.trained, cost.gpu_hours, cost.hours, cost.money)
            for cost in self.open
            for d in [cost.demand]
        ]
        return [total(column) for column in zip(*rows, strict=True)] or [NOTHING] * 7


BRIEF = 0.05
"""Hours of a processor that nobody waits for."""


def by_stage(costs: Iterable[Cost]) -> list[StageCost]:
    """The costs of each stage, in order; those that ask no model and take no time are left out."""
    found: dict[str, list[Cost]] = {stage.value: [] for stage in Stage}
    for cost in costs:
        found.setdefault(str(cost.demand.stage), []).append(cost)
    stages = [StageCost(stage, some) for stage, some in found.items() if some]
    return [stage for stage in stages if any(map(_asks, stage.costs))]


def _asks(cost: Cost) -> bool:
    demand = cost.demand
    parts = demand.requests, demand.trained, cost.gpu_hours
    asked = any(part.value or part.missing for part in parts)
    return asked or cost.hours.value > BRIEF or bool(cost.hours.missing)


def cost(demand: Demand, rates: Rates, records: Measured, whole: bool = False) -> Cost:
    """What the making of an artifact costs; `whole`: also if it exists."""
    if demand.done and not whole:
        return Cost(demand)
    quantity = "training_use" if demand.stage == Stage.train else "generation"
    stated = rates.own(quantity, demand.way.model, rates.gpu)
    seconds = None if stated else records.seconds(demand.way, demand.work)
    if seconds is not None and demand.way.engine != "openai":
        hours = seconds / HOUR
        return _rented(demand, hours, rates) if _on_gpu(demand.way) else Cost(demand, hours=hours)
    if demand.stage == Stage.train:
        return _training(demand, rates)
    if demand.way.engine == "openai":
        read, write = (rates.get(f"{what}_price", demand.way.model) for what in ("read", "write"))
        return Cost(demand, money=(demand.read * read + demand.written * write) / MILLION)
    if demand.way.engine == "vllm":
        speed = generation(demand.way.model, rates)
        return _rented(demand, demand.written / speed / HOUR, rates)
    if demand.requests != NOTHING:
        return Cost(demand, gpu_hours=_unseen(demand))
    return Cost(demand)


def _on_gpu(way: Way) -> bool:
    """Whether hours are those of GPUs; with `auto` those of a large model are."""
    found = size(way.model) if way.engine else None
    large = found is None or found.parameters >= SMALL
    return way.device == "cuda" or bool(way.device == "auto" and way.engine and large)


def _rented(demand: Demand, gpu_hours: Estimate, rates: Rates) -> Cost:
    return Cost(demand, gpu_hours, money=gpu_hours * rates.get("gpu_price", rates.gpu))


def _unseen(demand: Demand) -> Estimate:
    who = f" of {demand.way.model}" if demand.way.model else ""
    faster = ", or engine=vllm" if demand.way.engine == "transformers" else ""
    return unknown(f"seconds of {demand.stage}{who}: one recorded run of it{faster}")


def _training(demand: Demand, rates: Rates) -> Cost:
    """By the operations that it takes, and the share of a GPU's peak that training reaches."""
    model, gpu = demand.way.model, rates.gpu
    found = size(model)
    if found is None or found.shape is None:
        return Cost(demand, gpu_hours=unknown(f"the size of {model}: a local copy of it"))
    if found.parameters < SMALL:
        return Cost(demand, hours=_unseen(demand))
    compute = demand.given.get("compute")
    adapter = demand.way.engine == "lora"
    recomputed = bool(compute and compute.gradient_checkpointing)
    each = found.shape.training_flops(demand.length.value, adapter, recomputed)
    source = f"parameters of {model}: {found.parameters / 1e9:.3g} billion, {found.source}"
    flops = demand.trained * Estimate(each, (source,))
    speed = rates.get("peak", gpu) * rates.get("training_use", model, gpu) * TERA
    return _rented(demand, flops / speed / HOUR, rates)


def generation(model: str, rates: Rates) -> Estimate:
    """Tokens that one GPU writes in a second.

    Of the model itself; else of the smallest measured one that is at least as large, which is no
    faster, so that hours are at most what follows; else of the largest, by its parameters. On
    another GPU by the bandwidth of its memory, which bounds generation.
    """
    if mine := rates.own("generation", model, rates.gpu):
        return mine
    if measured := rates.find("generation", model, rates.gpu):
        return measured.estimate
    speed = _alike(model, rates)
    if rates.gpu == MEASURED_ON:
        return speed
    here, there = (rates.get("bandwidth", gpu) for gpu in (rates.gpu, MEASURED_ON))
    return speed * here / there


def _alike(model: str, rates: Rates) -> Estimate:
    if own := rates.find("generation", model, MEASURED_ON):
        return own.estimate
    found = size(model)
    if found is None or found.sparse:
        what = f"generation of {model} on {rates.gpu}" if found else f"the size of {model}"
        return unknown(what)
    known = [
        (other.parameters, rate)
        for name in rates.named("generation")
        if (other := size(name))
        and not other.sparse
        and (rate := rates.find("generation", name, MEASURED_ON))
    ]
    if not known:
        return unknown(f"generation of {model} on {rates.gpu}")
    return _nearest(found.parameters, sorted(known, key=lambda pair: pair[0]))


def _nearest(parameters: float, known: Sequence[tuple[float, Rate]]) -> Estimate:
    larger = [pair for pair in known if pair[0] >= (1 - ALIKE) * parameters]
    if not larger:
        largest, rate = known[-1]
        scaled = f"{rate.estimate.sources[0]}; for larger models by their parameters"
        return Estimate(rate.value * largest / parameters, (scaled,))
    reached, rate = larger[0]
    return replace(rate.estimate, at_most=reached > (1 + ALIKE) * parameters)
