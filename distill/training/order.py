"""Which rows are trained on in which step: the same problems in every arm."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from distill.training.config import Batching, TrainingConfig

WINDOW = 8
"""Batches among which traces are sorted by length: little padding, and still a random order."""


@dataclass(frozen=True)
class Plan:
    """Which rows of the data set are in which optimiser step."""

    orders: list[list[int]]
    """Of each pass."""

    batch: int
    """Rows of the data set a step: traces, or packs of them."""

    steps: int
    """Steps of the whole training."""

    steps_per_epoch: int
    """Steps of a pass, the last of them short where the rows do not come out even."""

    tokens: list[int]
    """Tokens seen, prompts included, after each step."""


def make_plan(
    lengths: Sequence[int], undamaged: Sequence[int], batch: int, training: TrainingConfig
) -> Plan:
    """Plan a training.

    Args:
        lengths: of the data set's rows as they are trained on, tokens.
        undamaged: what they were before any damage; decides the order.
        batch: rows a step.
        training: passes, seed and batching.
    """
    per_epoch = math.ceil(len(lengths) / batch)
    steps = math.ceil(per_epoch * training.epochs)
    orders = [
        epoch_order(undamaged, batch, training.batching, training.seed, epoch)
        for epoch in range(math.ceil(training.epochs))
    ]
    sizes = [
        sum(lengths[row] for row in order[start : start + batch])
        for order in orders
        for start in range(0, len(order), batch)
    ]
    return Plan(orders, batch, steps, per_epoch, list(accumulate(sizes[:steps])))


def epoch_order(
    lengths: Sequence[int], batch: int, batching: Batching, seed: int, epoch: int
) -> list[int]:
    """The order of one pass over the rows; consecutive `batch` rows make an optimiser step.

    It depends on nothing but the arguments. With undamaged lengths every arm sees the same problems
    in the same steps.

    Args:
        lengths: of the rows, tokens; read by `grouped` only.
        batch: rows a step.
        batching: `grouped` sorts within windows of 8 batches and shuffles the batches. The rest
            that fills no batch comes last, at random, so that steps never straddle batches.
        seed: of the order.
        epoch: pass, from 0; each has its own order.
    """
    rng = Random(f"{seed}:{epoch}")
    order = list(range(len(lengths)))
    rng.shuffle(order)
    if batching is not Batching.grouped:
        return order
    whole = len(order) - len(order) % batch
    batches = []
    for start in range(0, whole, WINDOW * batch):
        window = order[start : min(start + WINDOW * batch, whole)]
        window.sort(key=lambda i: lengths[i])
        batches += [window[i : i + batch] for i in range(0, len(window), batch)]
    rng.shuffle(batches)
    return [i for rows in batches for i in rows] + order[whole:]


class Order:
    """Sampler of a plan's orders; the trainer says which pass it is.

    Several processes need steps of one size: each takes as many rows in every forward pass. What a
    step has too few of is then filled up with the data set's last row, which must have no label: it
    adds nothing to the loss, to its gradient, or to the tokens that both are divided by.
    """

    def __init__(self, plan: Plan, slots: int | None = None) -> None:
        """A sampler that stands before the first pass.

        Args:
            plan: what to follow.
            slots: rows that every step is filled up to, >= `plan.batch`; None fills up none.
        """
        self.orders = plan.orders
        if slots:
            self.orders = [_filled(order, plan.batch, slots) for order in plan.orders]
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Go to this pass, from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Rows a pass."""
        return len(self.orders[0])

    def __iter__(self) -> Iterator[int]:
        """Row numbers of the pass."""
        return iter(self.orders[self.epoch])


def _filled(order: list[int], batch: int, slots: int) -> list[int]:
    blank = len(order)
    steps = [order[start : start + batch] for start in range(0, len(order), batch)]
    return [row for step in steps for row in step + [blank] * (slots - len(step))]
