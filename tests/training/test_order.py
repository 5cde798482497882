"""The order of training depends on what it should, and on nothing else.

Run: pytest tests/training/test_order.py
"""

import random
from itertools import pairwise

import pytest

from distill.training.config import Batching, TrainingConfig
from distill.training.order import Order, epoch_order, make_plan

LENGTHS = random.Random(0).choices(range(20, 400), k=205)


@pytest.mark.parametrize("batching", [Batching.grouped, Batching.plain])
def test_every_pass_has_every_row_once_in_an_order_of_its_own(batching):
    orders = [epoch_order(LENGTHS, 8, batching, seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(len(LENGTHS))) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert orders[0] == epoch_order(LENGTHS, 8, batching, 0, 0)


def test_grouping_halves_the_padding_and_mixes_lengths_over_the_pass():
    def batches(batching):
        order = epoch_order(LENGTHS, 8, batching, 0, 0)
        return [[LENGTHS[i] for i in order[k : k + 8]] for k in range(0, len(order), 8)]

    def padding(made):
        return sum(max(b) * len(b) for b in made) - sum(LENGTHS)

    assert padding(batches(Batching.grouped)) < padding(batches(Batching.plain)) / 2
    means = [sum(batch) / len(batch) for batch in batches(Batching.grouped)]
    assert means not in (sorted(means), sorted(means, reverse=True))


def test_only_the_last_step_of_a_pass_is_short():
    order = epoch_order(LENGTHS, 8, Batching.grouped, 0, 0)
    rest = epoch_order(LENGTHS, 8, Batching.plain, 0, 0)[200:]
    assert order[200:] == rest  # drawn at random, not the longest


def test_a_damaged_arm_has_the_same_problems_in_the_same_steps():
    damaged = [length // 3 for length in LENGTHS][::-1]
    training = TrainingConfig(name="x", batch=8, epochs=2.5)
    arms = [make_plan(lengths, LENGTHS, 8, training) for lengths in (LENGTHS, damaged)]
    assert arms[0].orders == arms[1].orders and arms[0].steps == arms[1].steps
    assert arms[0].tokens != arms[1].tokens


def test_a_plan_counts_the_tokens_of_every_step_over_all_passes():
    plan = make_plan(LENGTHS, LENGTHS, 8, TrainingConfig(name="x", batch=8, epochs=2))
    assert (plan.steps_per_epoch, plan.steps, len(plan.tokens)) == (26, 52, 52)
    assert plan.tokens[25] == sum(LENGTHS) and plan.tokens[-1] == 2 * sum(LENGTHS)
    assert all(before < after for before, after in pairwise(plan.tokens))


def test_the_sampler_follows_the_pass_that_the_trainer_is_in():
    plan = make_plan(LENGTHS, LENGTHS, 8, TrainingConfig(name="x", batch=8, epochs=2))
    order = Order(plan)
    assert list(order) == plan.orders[0] and len(order) == 205
    order.set_epoch(1)
    assert list(order) == plan.orders[1] != plan.orders[0]
