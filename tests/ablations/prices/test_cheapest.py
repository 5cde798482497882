"""The cheapest design has the power, and no cheaper one of the grid has it."""

from types import SimpleNamespace

import pytest

from ablations.commands.answers.price import design_table
from ablations.prices import cheapest as designs
from ablations.prices.cheapest import cheapest
from ablations.prices.estimates import Estimate
from ablations.prices.prices import prices
from ablations.prices.rates import Rates
from ablations.statistics.power import POWER, Assumptions, Design, power
from ablations.studies.plan import plan
from distill.data.config import DatasetConfig
from tests.ablations.prices.test_show import printed

PARTS = ("gpu_hours", "hours", "money")


@pytest.fixture
def priced(studies, tmp_path):
    """(study, overrides) -> its plan and its prices; nothing is made yet."""

    def ask(study, *overrides):
        places = [f"artifacts={tmp_path}/artifacts", f"runs={tmp_path}/runs"]
        planned = plan(studies.cells(study, [*places, *overrides]))
        return planned, prices(planned, Rates())

    return ask


def test_no_cheaper_design_of_the_grid_detects_as_much(priced, monkeypatch):
    monkeypatch.setattr(designs, "SEEDS", (2, 4, 8))
    planned, found = priced("table2")
    (section,) = cheapest(9, planned, found)
    best, usual = section.best, Assumptions()
    assert power(0.09, best.design, usual) >= POWER
    parts, dataset = designs._parts(section.name, planned, found)
    own = section.own.design
    grid = [designs._priced(other, own, parts) for other in designs._designs(own, True, dataset)]
    assert len(grid) == 3 * 5
    enough = [one for one in grid if power(0.09, one.design, usual) >= POWER]
    assert best.hours.value == min(one.hours.value for one in enough)


def test_a_design_as_planned_costs_what_the_plan_says(priced):
    planned, found = priced("table2", "training.seed=0,1")
    (section,) = cheapest(9, planned, found)
    assert section.own.design == Design(400, 1, (2, 2), 18)
    assert section.own.hours.value == pytest.approx(found.whole[5].value, rel=0.02)


def test_more_answers_are_drawn_only_where_they_vary(priced):
    def samples(*overrides):
        planned, found = priced("demo", *overrides)
        (section,) = cheapest(99, planned, found)
        _, dataset = designs._parts(section.name, planned, found)
        grid = designs._designs(section.own.design, section.greedy, dataset)
        return {design.samples for design in grid}

    assert samples() == {1}
    assert samples("evaluation.sampling.temperature=1") == set(designs.SAMPLES)


@pytest.mark.parametrize(
    ("own", "kind", "problems"),
    [
        (400, "recorded", {100, 200, 400}),
        (400, "sign_puzzle", {100, 200, 400, 800, 1600}),
        (48, "recorded", {20, 24, 48}),  # 20 at least
        (12, "recorded", {12}),  # but where there are no more
    ],
)
def test_a_design_asks_a_share_of_the_problems_or_more_where_they_are_made(own, kind, problems):
    grid = designs._designs(Design(own, 1, (1, 1), 4), True, DatasetConfig(kind=kind))
    assert {design.problems for design in grid} == problems


def test_only_what_has_no_more_of_anything_than_what_failed_is_passed_over(monkeypatch):
    sizes = [(8, 400, 1), (2, 100, 1), (8, 400, 1), (2, 800, 1), (2, 100, 4), (9, 900, 9)]
    grid = [
        SimpleNamespace(design=Design(problems, samples, (seeds, seeds), 3))
        for seeds, problems, samples in sizes
    ]
    asked = []

    def power(difference, design, usual):
        asked.append((design.seeds[0], design.problems, design.samples))
        return POWER if design.samples >= 4 else POWER - 0.01

    monkeypatch.setattr(designs, "power", power)
    assert designs._first(grid, 0.01) is grid[4]
    assert asked == [(8, 400, 1), (2, 800, 1), (2, 100, 4)]
    assert designs._first(grid[:4], 0.01) is None


def test_a_price_grows_with_what_it_is_made_of():
    def costs(*hours):
        return [SimpleNamespace(**dict.fromkeys(PARTS, Estimate(hour))) for hour in hours]

    own = Design(problems=100, samples=1, seeds=(2, 2), arms=3)
    parts = designs._Parts(costs(1000), costs(9, 11), costs(1, 3), costs(100))
    other = Design(problems=50, samples=4, seeds=(5, 5), arms=3)
    assert designs._priced(own, own, parts).hours.value == 1000 + 6 * (10 + 2) + 100
    assert designs._priced(other, own, parts).money.value == 1000 + 15 * (10 + 2 * 2) + 100 * 2


def test_what_no_design_detects_is_said_with_what_the_largest_does(priced, monkeypatch):
    monkeypatch.setattr(designs, "SEEDS", (2,))
    planned, found = priced("table2")
    (section,) = cheapest(1, planned, found)
    assert section.best is None
    assert f"none finds 1 points, the largest {100 * section.limit:.1f}" in printed(
        design_table(1, [section])
    )
    (easier,) = cheapest(100 * section.limit + 0.1, planned, found)
    assert easier.best


def test_the_table_shows_the_study_beside_the_cheapest(priced):
    planned, found = priced("table2")
    (section,) = cheapest(9, planned, found)
    text = printed(design_table(9, [section]))
    rows = [line.split() for line in text.splitlines() if line.lstrip().startswith(("as ", "che"))]
    assert rows[0][2:6] == ["1", "400", "1", "(8.2)"]
    assert rows[1][1:4] == [f"{n:,}" for n in (*section.best.design.seeds[:1], *_sizes(section))]
    assert "dollars" not in text and "hours" in text


def test_without_arms_to_compare_there_is_no_design(priced):
    planned, found = priced("demo", "training=none")
    assert "there is none to price" in printed(design_table(5, cheapest(5, planned, found)))


def _sizes(section):
    return section.best.design.problems, section.best.design.samples
