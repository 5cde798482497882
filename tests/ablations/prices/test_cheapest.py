"""The cheapest design has the power, and no cheaper one of the grid has it."""

import pytest

from ablations.commands.answers.price import design_table
from ablations.prices import cheapest as designs
from ablations.prices.cheapest import cheapest
from ablations.prices.prices import prices
from ablations.prices.rates import Rates
from ablations.statistics.power import POWER, Assumptions, Design, power
from ablations.studies.plan import plan
from tests.ablations.prices.test_show import printed


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
