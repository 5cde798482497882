"""Slopes of accuracy over corruption rate, by operator."""

import numpy as np
import pytest

from ablations.findings import robust, slopes
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
        {"random digits": -0.2, "steps shuffled": -0.75}
    )
    assert lines.loc["random digits", "doses"] == [0.5, 1.0]
    assert (lines["low"] <= lines["value"]).all() and (lines["value"] <= lines["high"]).all()


def test_the_table_has_the_points_of_every_operator(found):
    row = slopes.grid(found(4), "micro").rows[0]
    assert row[:3] == ["random digits", "content", "50 %, 100 %"]
    assert row[3].startswith("-20.0 [")


def test_without_an_uncorrupted_arm_there_is_no_slope(make_run, tmp_path):
    make_run(["corruption=shuffle_steps"], [True] * 3, "0")
    assert slopes.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs")).empty


def test_a_variant_of_an_operator_in_scope_mode_unit_or_steps_has_a_line_of_its_own(
    make_run, tmp_path
):
    variants = {
        "corruption=random_digits corruption.fraction=0.5": ("random digits", 18),
        "corruption=random_digits corruption.fraction=1.0": ("random digits", 16),
        "corruption=random_digits_thought corruption.fraction=0.5": ("random digits, thought", 8),
        "corruption=random_digits_thought corruption.fraction=1.0": ("random digits, thought", 4),
        "corruption=random_digits_released corruption.fraction=1.0": (None, 2),
        "corruption=shuffle_steps corruption.fraction=0.5": ("steps shuffled", 12),
        "corruption=shuffle_steps corruption.fraction=1.0": ("steps shuffled", 6),
        "corruption=shuffle_steps corruption.steps=reflection corruption.fraction=0.5": (
            "steps shuffled, reflection",
            19,
        ),
        "corruption=delete_steps corruption.fraction=1.0": ("steps deleted", 3),
        "corruption=delete_steps_prefix corruption.fraction=1.0": ("steps deleted, prefix", 5),
    }
    make_run(["corruption=none"], [True] * 20, "none")
    for number, (overrides, (_, right)) in enumerate(variants.items()):
        make_run(overrides.split(), [i < right for i in range(20)], f"{number}")
    lines = slopes.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs")).set_index("operator")
    assert len(lines) == 7
    for name, right in (
        ("random digits", {0.5: 18, 1.0: 16}),
        ("random digits, thought", {0.5: 8, 1.0: 4}),
        ("steps shuffled", {0.5: 12, 1.0: 6}),
        ("steps shuffled, reflection", {0.5: 19}),
        ("steps deleted", {1.0: 3}),
        ("steps deleted, prefix", {1.0: 5}),
    ):
        line = np.polyfit([0, *right], [1, *(count / 20 for count in right.values())], 1)[0]
        assert lines.loc[name, "value"] == pytest.approx(line), name
        assert lines.loc[name, "doses"] == list(right)
    own = lines.groupby("kind")["value"].mean()
    rows = robust.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))
    every = rows[rows["destroyed"].map(bool)].iloc[0]
    assert every["value"] == pytest.approx(own["structure"] - own["content"])


def test_seeds_of_one_arm_are_one_point_of_the_line(make_run, tmp_path):
    for seed, right in enumerate((20, 18)):
        make_run([f"training.seed={seed}"], [i < right for i in range(20)], f"n{seed}")
    for seed, right in enumerate((10, 4)):
        damaged = ["corruption=shuffle_steps", "corruption.fraction=0.5", f"training.seed={seed}"]
        make_run(damaged, [i < right for i in range(20)], f"s{seed}")
    (line,) = slopes.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs")).to_dict("records")
    assert line["value"] == pytest.approx((7 - 19) / 20 / 0.5)
    assert (line["seeds"], line["problems"]) == (2, 20)
