"""What damage does to texts."""

import json

import pytest

from ablations.findings import damage
from ablations.findings.damage import MEASURES
from distill.store.artifacts import Store

ARMS = (
    "corruption=none",
    "corruption=wrong_answers",
    "corruption=random_digits corruption.fraction=0.5",
    "corruption=remove_keywords corruption.fraction=1.0",
    "corruption=delete_steps corruption.fraction=1.0",
    "corruption=shuffle_steps corruption.fraction=1.0",
    "corruption=insert_steps corruption.fraction=1.0",
)


@pytest.fixture(scope="module")
def arms(studies, tmp_path_factory):
    """The arms on 64 traces of the scripted teacher, and those of a base, which has none."""
    cells = ["training=none", *reversed(ARMS), ARMS[0]]
    configs = [studies.one(["study=smoke", *cell.split()]).config for cell in cells]
    return damage.frame(configs, Store(tmp_path_factory.mktemp("artifacts"))).set_index("arm")


def test_arms_are_in_the_tables_order_each_once_and_the_base_is_none(arms):
    assert list(arms.index) == [
        "uncorrupted",
        "wrong answers 100 %",
        "random digits 50 %",
        "keywords removed 100 %",
        "steps shuffled 100 %",
        "steps deleted 100 %",
        "steps inserted 100 %",
    ]
    assert (arms["traces"] == 64).all()


def test_each_operator_changes_what_it_names_and_nothing_else(arms):
    reference = arms.loc["uncorrupted", list(MEASURES)]
    assert (reference[["steps_left", "steps_in_place"]] == 1).all()
    digits, shuffled = arms.loc["random digits 50 %"], arms.loc["steps shuffled 100 %"]
    counts = ["characters", "steps", "digits", "keywords"]
    for arm in (digits, shuffled):
        assert arm[counts].astype(float).tolist() == pytest.approx(reference[counts].tolist())
    assert shuffled["steps_left"] == 1 and shuffled["steps_in_place"] < 0.5
    assert digits["steps_left"] < 0.5
    assert digits["steps_in_place"] == pytest.approx(digits["steps_left"], abs=0.02)
    assert arms.loc["keywords removed 100 %", "keywords"] == 0
    deleted = arms.loc["steps deleted 100 %"]
    assert deleted["steps"] == deleted["steps_left"] == 0 and deleted["characters"] > 0


def test_means_are_those_of_the_texts(studies, tmp_path):
    config = studies.one(["study=smoke", *ARMS[3].split()]).config
    arm = damage.frame([config], Store(tmp_path)).iloc[0]
    file = next(tmp_path.glob("corrupt_traces/*/traces.jsonl"))
    traces = [json.loads(line) for line in file.read_text().splitlines()]
    texts = [trace["thought"] + trace["solution"] for trace in traces]
    assert arm["characters"] == sum(map(len, texts)) / 64
    assert arm["digits"] == sum(sign.isdigit() for text in texts for sign in text) / 64


def test_traces_of_other_problems_have_no_steps_left_to_count(arms):
    assert arms.loc["wrong answers 100 %", ["steps_left", "steps_in_place"]].isna().all()


def test_the_sentence_names_the_arms_at_both_ends(arms):
    told = damage.sentence(arms.reset_index())
    assert "0 % (steps deleted 100 %) and 100 % (steps shuffled 100 %)" in told
    assert "Fewer than two operators" in damage.sentence(arms.head(3).reset_index())


def test_the_table_has_counts_next_to_the_uncorrupted_ones(arms):
    rows = {row[0]: row for row in damage.grid(arms.reset_index(), "smoke").rows}
    assert rows["steps deleted 100 %"][3] == "0.0 (0 %)"
    assert rows["wrong answers 100 %"][-2:] == ["", ""]


def test_every_measure_has_an_axis_with_the_operators_that_have_it(arms):
    figure = damage.figure(arms.reset_index())
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles == list(MEASURES.values())
    curves = {t: len(axis.get_lines()) for t, axis in zip(titles, figure.axes, strict=True)}
    assert curves["characters"] == 6
    assert curves["steps unchanged"] == 5, "wrong answers are of other problems"


def test_every_curve_begins_at_100_percent_and_has_its_arms_measures_in_percent(arms):
    figure = damage.figure(arms.reset_index())
    reference = arms.loc["uncorrupted"]
    for axis, measure in zip(figure.axes, MEASURES, strict=True):
        found = {line.get_label(): line for line in axis.get_lines()}
        for name, line in found.items():
            (arm,) = [arm for arm in arms.index if arm.startswith(name)]
            rates, shares = line.get_xdata(), line.get_ydata()
            assert list(rates) == pytest.approx([0, 100 * arms.loc[arm, "fraction"]])
            share = 100 * arms.loc[arm, measure] / reference[measure]
            assert list(shares) == pytest.approx([100, share]), (name, measure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(
        {line.get_label(): None for line in figure.axes[0].get_lines()}
    )


def test_the_table_has_shares_of_the_uncorrupted_arm_and_of_all_units(arms):
    rows = {row[0]: row for row in damage.grid(arms.reset_index(), "smoke").rows}
    digits = arms.loc["random digits 50 %"]
    assert rows["random digits 50 %"][1] == f"{100 * digits['damaged_share']:.0f} %"
    assert rows["random digits 50 %"][2] == f"{digits['characters']:,.1f} (100 %)"
    assert rows["uncorrupted"][-2:] == ["100 %", "100 %"]
