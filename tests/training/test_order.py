"""The order of training depends on what it should, and on nothing else.

Run: pytest tests/training/test_order.py
"""

import math
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


@pytest.mark.parametrize("batch", [1, 7, 8])
def test_a_batch_is_of_neighbours_in_length_among_eight_batches_of_the_random_order(batch):
    drawn = epoch_order(LENGTHS, batch, Batching.plain, 3, 1)
    whole = len(LENGTHS) // batch * batch
    wanted = []
    for start in range(0, whole, 8 * batch):
        window = sorted(drawn[start : min(start + 8 * batch, whole)], key=lambda i: LENGTHS[i])
        wanted += [window[i : i + batch] for i in range(0, len(window), batch)]
    order = epoch_order(LENGTHS, batch, Batching.grouped, 3, 1)
    assert sorted(order[k : k + batch] for k in range(0, whole, batch)) == sorted(wanted)
    assert order[whole:] == drawn[whole:]


def test_part_of_an_epoch_ends_within_it_and_a_short_step_is_a_step():
    for epochs, steps in ((0.1, 3), (1.0, 26), (1.5, 39), (2.01, 53)):
        order = training_order(LENGTHS, LENGTHS, 8, TrainingConfig(name="x", epochs=epochs))
        assert (order.steps, len(order.tokens), order.steps_per_epoch) == (steps, steps, 26)
        assert len(order.epochs) == math.ceil(epochs)
        assert order.tokens[0] == sum(LENGTHS[i] for i in order.epochs[0][:8])


def test_every_step_is_padded_to_one_size_with_the_blank_row_behind_its_own():
    order = training_order(LENGTHS[:10], LENGTHS[:10], 4, TrainingConfig(name="x", epochs=1))
    sampler = OrderSampler(order, 6)
    (rows,) = order.epochs
    assert list(sampler) == [*rows[:4], 10, 10, *rows[4:8], 10, 10, *rows[8:], *[10] * 4]
    assert len(sampler) == 18
    assert list(OrderSampler(order, 4))[:8] == rows[:8]


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
