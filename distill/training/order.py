"""The order of training: which rows are in which optimiser step, the same problems in every arm."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from distill.training.config import Batching, TrainingConfig

WINDOW = 8
"""Batches among which traces are sorted by length: little padding, and still a random order."""


@dataclass(frozen=True)
class TrainingOrder:
    """Which rows of the training set are in which optimiser step."""

    epochs: list[list[int]]
    """Row numbers of each epoch, in the order in which they are trained on."""

    batch: int
    """Rows per optimiser step: traces, or packs of them."""

    steps: int
    """Optimiser steps of the whole training."""

    steps_per_epoch: int
    """Optimiser steps per epoch; the last is short where `batch` does not divide the rows."""

    tokens: list[int]
    """Tokens seen, prompts included, after each step."""


def training_order(
    lengths: Sequence[int], undamaged: Sequence[int], batch: int, training: TrainingConfig
) -> TrainingOrder:
    """The order of all epochs; each `batch` rows make an optimiser step.

    `lengths` are the tokens of each row as it is trained on; `undamaged`, those before any
    corruption, decide the order.
    """
    per_epoch = math.ceil(len(lengths) / batch)
    steps = math.ceil(per_epoch * training.epochs)
    epochs = [
        epoch_order(undamaged, batch, training.batching, training.seed, epoch)
        for epoch in range(math.ceil(training.epochs))
    ]
    sizes = [
        sum(lengths[row] for row in rows[start : start + batch])
        for rows in epochs
        for start in range(0, len(rows), batch)
    ]
    return TrainingOrder(epochs, batch, steps, per_epoch, list(accumulate(sizes[:steps])))


def epoch_order(
    lengths: Sequence[int], batch: int, batching: Batching, seed: int, epoch: int
) -> list[int]:
    """The row numbers of one epoch; each `batch` consecutive rows make an optimiser step.

    It depends on nothing but the arguments: with undamaged lengths (tokens of each row) every arm
    sees the same problems in the same steps. Each epoch, from 0, has its own order. `grouped`, for
    which alone lengths count, sorts within windows of 8 batches and shuffles the batches. Rows that
    fill no batch come last, chosen at random, so that no step mixes two batches.
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


class OrderSampler:
    """A sampler that gives the trainer the rows of an epoch in their order.

    Several processes need steps of one size, since each takes the same number of rows in every
    forward pass. Short steps are then padded with the data set's last row, which must have no
    labels: it adds nothing to the loss, to its gradient, or to the number of tokens that both are
    divided by.
    """

    def __init__(self, order: TrainingOrder, slots: int | None = None) -> None:
        """`slots`: rows that every step is padded to, >= `order.batch`; None pads none."""
        self.epochs = order.epochs
        if slots:
            self.epochs = [_padded(rows, order.batch, slots) for rows in order.epochs]
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Go to this epoch, from 0; the trainer calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Rows per epoch."""
        return len(self.epochs[0])

    def __iter__(self) -> Iterator[int]:
        """Row numbers of the epoch."""
        return iter(self.epochs[self.epoch])


def _padded(rows: list[int], batch: int, slots: int) -> list[int]:
    blank = len(rows)
    steps = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    return [row for step in steps for row in step + [blank] * (slots - len(step))]
