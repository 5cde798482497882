"""Slopes of accuracy over corruption rate, by operator."""

import pytest

from ablations.findings import slopes
from ablations.findings.slopes import CONTRAST
from ablations.results.runs import runs, samples

ARMS = {
    "corruption=none": 20,
    "corruption=random_digits corruption.fraction=0.5": 18,
    "corruption=random_digits corruption.fraction=1.0": 16,
    "corruption=shuffle_steps corruption.fraction=1.0": 5,
}


@pytest.fixture
def found(make_run, tmp_path):
    """(number of `ARMS` that were run) -> their slopes."""

    def make(count):
        for number, (overrides, right) in enumerate(list(ARMS.items())[:count]):
            make_run(overrides.split(), [i < right for i in range(20)], f"{number}")
        return slopes.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))

    return make


def test_every_operator_has_the_slope_of_its_own_line(found):
    lines = found(4).set_index("operator")
    assert lines["value"].to_dict() == pytest.approx(
        {"random digits": -0.2, "steps shuffled": -0.75, CONTRAST: -0.55}
    )
    assert lines.loc["random digits", "doses"] == [0.5, 1.0]
    assert lines.loc[CONTRAST, "doses"] == [0.5, 1.0]
    assert (lines["low"] <= lines["value"]).all() and (lines["value"] <= lines["high"]).all()


def test_the_sentence_names_the_kind_that_costs_more_and_the_table_has_its_points(found):
    lines = found(4)
    assert "damage to the structure costs more than damage" in slopes.sentence(lines)
    assert "-55.0 points" in slopes.sentence(lines)
    row = slopes.grid(lines, "micro").rows[0]
    assert row[:3] == ["random digits", "content", "50 %, 100 %"]
    assert row[3].startswith("-20.0 [")


def test_without_operators_of_both_kinds_nothing_is_compared(found):
    lines = found(3)
    assert CONTRAST not in set(lines["operator"])
    assert "cannot be compared" in slopes.sentence(lines)


def test_without_an_uncorrupted_arm_there_is_no_slope(make_run, tmp_path):
    make_run(["corruption=shuffle_steps"], [True] * 3, "0")
    assert slopes.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs")).empty
