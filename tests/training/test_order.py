"""The order of training depends on what it should, and on nothing else.

Run: pytest tests/training/test_order.py
"""

import random
from itertools import pairwise

import pytest

from distill.training.config import Batching, TrainingConfig
from distill.training.order import OrderSampler, epoch_order, training_order

LENGTHS = random.Random(0).choices(range(20, 400), k=205)


@pytest.mark.parametrize("batching", [Batching.grouped, Batching.plain])
def test_every_epoch_has_every_row_once_in_an_order_of_its_own(batching):
    orders = [epoch_order(LENGTHS, 8, batching, seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(len(LENGTHS))) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert orders[0] == epoch_order(LENGTHS, 8, batching, 0, 0)


def test_grouping_halves_the_padding_and_mixes_lengths_over_the_epoch():
    def batches(batching):
        order = epoch_order(LENGTHS, 8, batching, 0, 0)
        return [[LENGTHS[i] for i in order[k : k + 8]] for k in range(0, len(order), 8)]

    def padding(made):
        return sum(max(b) * len(b) for b in made) - sum(LENGTHS)

    assert padding(batches(Batching.grouped)) < padding(batches(Batching.plain)) / 2
    means = [sum(batch) / len(batch) for batch in batches(Batching.grouped)]
    assert means not in (sorted(means), sorted(means, reverse=True))


def test_only_the_last_step_of_an_epoch_is_short():
    order = epoch_order(LENGTHS, 8, Batching.grouped, 0, 0)
    rest = epoch_order(LENGTHS, 8, Batching.plain, 0, 0)[200:]
    assert order[200:] == rest  # drawn at random, not the longest


def test_a_damaged_arm_has_the_same_problems_in_the_same_steps():
    damaged = [length // 3 for length in LENGTHS][::-1]
    training = TrainingConfig(name="x", batch=8, epochs=2.5)
    arms = [training_order(lengths, LENGTHS, 8, training) for lengths in (LENGTHS, damaged)]
    assert arms[0].epochs == arms[1].epochs and arms[0].steps == arms[1].steps
    assert arms[0].tokens != arms[1].tokens


def test_an_order_counts_the_tokens_of_every_step_over_all_epochs():
    order = training_order(LENGTHS, LENGTHS, 8, TrainingConfig(name="x", batch=8, epochs=2))
    assert (order.steps_per_epoch, order.steps, len(order.tokens)) == (26, 52, 52)
    assert order.tokens[25] == sum(LENGTHS) and order.tokens[-1] == 2 * sum(LENGTHS)
    assert all(before < after for before, after in pairwise(order.tokens))


def test_the_sampler_follows_the_epoch_that_the_trainer_is_in():
    order = training_order(LENGTHS, LENGTHS, 8, TrainingConfig(name="x", batch=8, epochs=2))
    sampler = OrderSampler(order)
    assert list(sampler) == order.epochs[0] and len(sampler) == 205
    sampler.set_epoch(1)
    assert list(sampler) == order.epochs[1] != order.epochs[0]
