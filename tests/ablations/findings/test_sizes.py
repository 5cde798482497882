"""What more traces buy."""

import pytest

from ablations.findings import sizes
from ablations.results.runs import runs, samples

ONCE = "In these runs, each trained once,"


@pytest.fixture
def sized(make_run, tmp_path):
    """({size: right answers of 20}, more overrides by size) -> (runs, samples)."""

    def make(right, **more):
        for size, count in right.items():
            overrides = [f"size.traces={size}", "dataset.problems=1000"] if size else []
            overrides += ["training=none"] if not size else more.get(f"at_{size}", [])
            make_run(overrides, [i < count for i in range(20)], f"{size}")
        return runs(tmp_path / "runs"), samples(tmp_path / "runs")

    return make


def said(finished, answers):
    frames = (sizes.frame, sizes.whole_gain, sizes.slowing)
    return sizes.sentence(*(made(finished, answers) for made in frames))


def test_gains_between_sizes_add_up_and_the_base_comes_first(sized):
    steps = sizes.frame(*sized({0: 4, 100: 12, 200: 15, 800: 16}))
    assert list(zip(steps["from"], steps["to"], strict=True)) == [(0, 100), (100, 200), (200, 800)]
    assert steps["value"].tolist() == pytest.approx([0.4, 0.15, 0.05])
    assert steps["share"].sum() == pytest.approx(1)
    assert steps["doublings"].tolist()[1:] == [1, 2]
    rows = sizes.grid(steps, "micro").rows
    assert [row[2] for row in rows] == ["", "+15.0", "+2.5"]


def test_slowing_is_the_last_doubling_minus_the_first(sized):
    change = sizes.slowing(*sized({0: 4, 100: 8, 200: 16, 800: 18})).iloc[0]
    assert change["value"] == pytest.approx(0.1 / 2 - 0.4)
    assert change["sizes"] == [100, 200, 800]


def test_two_sizes_say_nothing_of_slowing(sized):
    finished, answers = sized({100: 12, 200: 16})
    assert sizes.slowing(finished, answers).empty
    told = said(finished, answers)
    assert told.startswith(f"{ONCE} the gain from 100 to 200 traces is +20.0 points of accuracy")
    assert told.endswith("With fewer than three sizes, diminishing returns cannot be tested.")


def test_where_nothing_is_gained_no_share_is_made_up(sized):
    finished, answers = sized({0: 12, 100: 8})
    assert sizes.frame(finished, answers)["share"].isna().all()
    assert said(finished, answers).startswith(
        f"{ONCE} nothing was gained from 0 to 100 traces: -20.0"
    )


def test_a_gain_that_is_but_rounding_is_none(make_run, tmp_path):
    runs_of = {100: ("10111", "00010", "01011"), 200: ("10001", "10010", "11011")}
    for size, arms in runs_of.items():
        for seed, right in enumerate(arms):
            asked = [f"size.traces={size}", "dataset.problems=1000", f"training.seed={seed}"]
            make_run(asked, [answer == "1" for answer in right], f"{size}{seed}")
    steps = sizes.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))
    assert abs(steps["value"].item()) < 1e-15
    assert steps["share"].isna().all()


def test_a_loss_on_the_way_is_told_with_the_gain(sized):
    told = said(*sized({0: 8, 100: 4, 200: 12, 400: 16}))
    assert told.startswith(f"{ONCE} the gain from 0 to 400 traces is +40.0 points of accuracy")
    assert "Share of it reached: -50 % at 100, 50 % at 200. In these runs" in told


def test_a_gain_over_the_untrained_student_has_the_seeds_of_the_trained(make_run, tmp_path):
    make_run(["training=none"], [True, False], "base")
    for seed in range(3):
        make_run([f"training.seed={seed}"], [True, True], f"{seed}")
    steps = sizes.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))
    assert steps["seeds"].tolist() == [3]


def test_students_of_one_size_and_other_settings_are_refused(sized, make_run, tmp_path):
    sized({100: 12, 200: 16})
    make_run(["size.traces=100", "dataset.problems=1000", "training.epochs=2"], [True], "other")
    with pytest.raises(ValueError, match=r"100 traces were trained with several .*epochs=2"):
        sizes.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))


def test_a_single_step_between_two_sizes_is_a_finding_and_one_from_the_base_is_none(sized):
    finished, answers = sized({100: 12, 200: 16})
    (found,) = sizes.findings(finished, answers)
    assert found.title == "benchmark sign_puzzle, student micro, training micro_sft"
    assert len(found.rows) == len(found.grid.rows) == 1
    assert found.sentence.startswith(f"{ONCE} the gain from 100 to 200 traces")


def test_a_gain_over_the_base_alone_is_no_finding(sized):
    assert sizes.findings(*sized({0: 4, 100: 12})) == []
