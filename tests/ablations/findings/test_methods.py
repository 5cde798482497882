"""LoRA against full fine-tuning."""

import json

import pytest

from ablations.findings import methods
from ablations.results.runs import runs, samples
from ablations.statistics.significance import holm

SHUFFLED = "corruption=shuffle_steps corruption.fraction=0.67"
DIGITS = "corruption=random_digits corruption.fraction=0.67"
ARMS = {
    "training=none": 5,
    "training=micro_sft": 36,
    "training=micro_lora": 32,
    f"training=micro_sft {SHUFFLED}": 30,
    f"training=micro_lora {SHUFFLED}": 6,
    f"training=micro_sft {DIGITS}": 28,
}


@pytest.fixture
def arms(make_run, tmp_path):
    """The arms that both methods trained, scores invented."""
    for number, (overrides, right) in enumerate(ARMS.items()):
        make_run(overrides.split(), [i < right for i in range(40)], f"{number}")
    return methods.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))


def test_only_arms_of_both_methods_are_compared_in_the_tables_order(arms):
    assert arms["arm"].tolist() == ["uncorrupted", "steps shuffled 67 %"]
    assert arms["value"].tolist() == pytest.approx([-0.1, -0.6])
    assert arms["sft"].tolist() == pytest.approx([0.9, 0.75])
    assert (arms["p_holm"] >= arms["p"]).all()


def test_extra_damage_is_lora_s_change_minus_that_of_full_fine_tuning(arms):
    shuffled = arms.set_index("arm").loc["steps shuffled 67 %"]
    assert shuffled["extra"] == pytest.approx((6 - 32) / 40 - (30 - 36) / 40)
    assert arms["extra"].isna().tolist() == [True, False]
    once = "In these runs, each trained once, of 1 damaged arms, damage costs LoRA more"
    assert once in methods.sentence(arms)
    assert "in 1 and less in 0; 0 cannot be told apart" in methods.sentence(arms)
    shown = methods.grid(arms, "micro").rows[1]
    assert shown[-4:] == ["-50.0 [-70.0, -27.5]", "40, 1", "0.0 / 0.0", ""]


def test_the_figure_has_both_methods_on_every_arm(arms):
    axis = methods.figure(arms).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == arms["arm"].tolist()[::-1]
    lines = {line.get_label(): line for line in axis.containers}
    assert set(lines) == {"full fine-tuning", "LoRA"}
    assert sorted(lines["LoRA"].lines[0].get_xdata()) == pytest.approx([15, 80])


def test_one_arm_trained_twice_by_one_method_is_refused(arms, make_run, tmp_path):
    make_run(["training=micro_lora", "training.epochs=2"], [True] * 40, "twice")
    with pytest.raises(ValueError, match="uncorrupted was trained with several settings of lora"):
        methods.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))


def test_the_points_of_both_methods_stand_within_the_row_of_their_arm(arms):
    axis = methods.figure(arms).axes[0]
    lines = {line.get_label(): line for line in axis.containers}
    for line in lines.values():
        rows = sorted(line.lines[0].get_ydata())
        assert [round(place) for place in rows] == [0, 1]
        assert all(abs(place - round(place)) < 0.3 for place in rows)
    full, lora = (lines[name].lines[0].get_ydata() for name in ("full fine-tuning", "LoRA"))
    assert (full > lora).all(), "in the order of the legend, from above"


def test_damage_that_costs_lora_less_is_counted_as_less(make_run, tmp_path):
    right = {"sft": (40, 4), "lora": (38, 36)}
    for method, counts in right.items():
        for damage, count in zip(("", SHUFFLED), counts, strict=True):
            asked = [f"training=micro_{method}", *damage.split()]
            make_run(asked, [i < count for i in range(40)], f"{method}{count}")
    finished, answers = runs(tmp_path / "runs"), samples(tmp_path / "runs")
    found = methods.frame(finished, answers)
    assert found["extra"].iloc[1] == pytest.approx((36 - 38) / 40 - (4 - 40) / 40)
    told = methods.sentence(found)
    assert "costs LoRA more than full fine-tuning in 0 and less in 1; 0 cannot be told" in told
    assert "cannot be told apart from full fine-tuning: -5.0" in told


def test_a_single_arm_of_both_methods_is_a_finding(make_run, tmp_path):
    for method in ("sft", "lora"):
        make_run([f"training=micro_{method}"], [True, False, True], method)
    (found,) = methods.findings(runs(tmp_path / "runs"), samples(tmp_path / "runs"))
    assert found.title == "benchmark sign_puzzle, student micro, size 64"
    assert len(found.rows) == len(found.grid.rows) == 1
    assert found.sentence.startswith(
        "In these runs, each trained once, on uncorrupted traces LoRA cannot be told apart"
    )


def test_p_is_adjusted_for_all_arms_of_both_methods(arms):
    assert arms["p_holm"].tolist() == pytest.approx(list(holm(arms["p"])))
    assert (arms["p_holm"] < 0.05).any()


def test_undecided_and_boxed_stand_by_method_in_the_order_of_the_table(make_run, tmp_path):
    for method, answers, boxed in (("sft", [None, True, True], 0.5), ("lora", [True] * 3, 0.75)):
        path = make_run([f"training=micro_{method}"], answers, method)
        record = json.loads(path.read_text())
        record["scores"]["sign_puzzle"]["summary"]["accuracy_boxed"] = boxed
        path.write_text(json.dumps(record))
    found = methods.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))
    assert found["undecided"].item() == pytest.approx([1 / 3, 0])
    assert found["accuracy_boxed"].item() == [0.5, 0.75]
    shown = dict(zip(methods.grid(found, "").header, methods.grid(found, "").rows[0], strict=True))
    assert [text for name, text in shown.items() if "undecided" in name] == ["33.3 / 0.0"]
