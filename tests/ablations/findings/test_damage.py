"""What damage does to texts."""

import json
import shutil

import pandas as pd
import pytest

from ablations.__main__ import main
from ablations.findings import damage
from ablations.findings.damage import MEASURES
from ablations.results.records import records
from ablations.results.recounts import FILE
from ablations.results.runs import runs
from distill.store.artifacts import Store
from distill.store.identity import CHECKOUT

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
    assert (reference[["steps_left", "steps_in_place"]] == 1).all() and reference["changed"] == 0
    assert arms["changed"].between(0, 1).all() and (arms["changed"] > 0).sum() == len(ARMS) - 1
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
    assert rows["steps deleted 100 %"][4] == "0.0 (0 %)"
    changed = arms.loc["steps deleted 100 %", "changed"]
    assert rows["steps deleted 100 %"][2] == f"{100 * changed:.1f} %"
    assert rows["wrong answers 100 %"][-2:] == ["", ""]


def test_every_measure_has_an_axis_with_the_operators_that_have_it(arms):
    figure = damage.figure(arms.reset_index())
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles == list(MEASURES.values())
    curves = {t: len(axis.get_lines()) for t, axis in zip(titles, figure.axes, strict=True)}
    assert curves["characters"] == 6
    assert curves["steps unchanged"] == 5, "wrong answers are of other problems"


def test_every_curve_begins_at_the_uncorrupted_arm_and_has_its_arms_measures_in_percent(arms):
    figure = damage.figure(arms.reset_index())
    reference = arms.loc["uncorrupted"]
    for axis, measure in zip(figure.axes, MEASURES, strict=True):
        found = {line.get_label(): line for line in axis.get_lines()}
        for name, line in found.items():
            (arm,) = [arm for arm in arms.index if arm.startswith(name)]
            rates, shares = line.get_xdata(), line.get_ydata()
            assert list(rates) == pytest.approx([0, 100 * arms.loc[arm, "fraction"]])
            first, whole = (0, 1) if measure == "changed" else (100, reference[measure])
            share = 100 * arms.loc[arm, measure] / whole
            assert list(shares) == pytest.approx([first, share]), (name, measure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(
        {line.get_label(): None for line in figure.axes[0].get_lines()}
    )


def test_the_table_has_shares_of_the_uncorrupted_arm_and_of_all_units(arms):
    rows = {row[0]: row for row in damage.grid(arms.reset_index(), "smoke").rows}
    digits = arms.loc["random digits 50 %"]
    assert rows["random digits 50 %"][1] == f"{100 * digits['damaged_share']:.0f} %"
    assert rows["random digits 50 %"][3] == f"{digits['characters']:,.1f} (100 %)"
    assert rows["uncorrupted"][-2:] == ["100 %", "100 %"]


RECORDED = CHECKOUT / "analysis" / "results"


def copied(study, out, change=None):
    """The records of a study without the table beside them, one for each of its arms."""
    for path in sorted((RECORDED / study).glob("*/run.json")):
        record = json.loads(path.read_text())
        key = record["stages"].get("corrupt", {"key": "base"})["key"]
        if not (out / key).exists():
            (out / key).mkdir(parents=True)
            if change:
                change(record)
            (out / key / "run.json").write_text(json.dumps(record))
    return out


@pytest.mark.slow
@pytest.mark.parametrize("study", ["table2", "epochs", "size", "sft_vs_lora"])
def test_the_amounts_beside_the_recorded_runs_are_those_of_their_traces(study, tmp_path):
    found = records(copied(study, tmp_path / "records"))
    made = damage.amounts(found, Store(tmp_path / "artifacts"))
    recorded = pd.read_csv(RECORDED / study / FILE)
    by_key = (frame.sort_values("key", ignore_index=True) for frame in (made, recorded))
    pd.testing.assert_frame_equal(*by_key, check_dtype=False)


def test_amounts_are_read_from_the_table_and_no_trace_is_made(tmp_path):
    made = damage.amounts(records(RECORDED / "table2"), Store(tmp_path))
    assert not any(tmp_path.iterdir())
    assert len(made) == 18 and made["arm"].iloc[0] == "uncorrupted"
    shares = made.set_index("arm")["changed"]
    assert shares["uncorrupted"] == 0 < shares["steps deleted 33 %"] < shares["steps deleted 67 %"]


def test_collecting_counts_what_older_runs_changed_and_tables_show_it(tmp_path, monkeypatch):
    study = copied("epochs", tmp_path / "runs" / "epochs")
    assert runs(study)["changed"].isna().all()
    monkeypatch.chdir(tmp_path)
    main(["collect", "epochs", "--runs", str(study), "--out", str(study)])
    counted = runs(study).set_index("corruption")
    recorded = runs(RECORDED / "epochs").set_index("corruption")
    columns = ["units", "damaged", "damaged_share", "changed"]
    pd.testing.assert_frame_equal(counted[columns], recorded[columns])
    assert (counted["damaged_share"] == counted["damaged"] / counted["units"]).all()


def test_what_a_run_recorded_goes_before_the_table_beside_it(make_run, tmp_path):
    path = make_run(["corruption=shuffle_steps"], [True])
    key = json.loads(path.read_text())["stages"]["corrupt"]["key"]
    table = {"key": [key], "units": [10], "damaged": [1], "share": [0.1], "changed": [0.9]}
    pd.DataFrame(table).to_csv(path.parents[1] / FILE, index=False)
    (made,) = damage.amounts(records(path.parents[1]), Store(tmp_path / "a")).to_dict("records")
    assert (made["damaged"], made["changed"]) == (7, 0.25)


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("teacher", {"kind": "model", "model": "deepseek-ai/DeepSeek-R1"}),
        ("teacher", {"kind": "recorded", "hub": "someone/traces", "format": "messages"}),
        ("teacher", {"kind": "recorded", "path": "gone.jsonl", "format": "messages"}),
        ("dataset", {"kind": "rows", "hub": "someone/problems", "format": "gsm8k"}),
    ],
)
def test_amounts_of_traces_that_are_not_at_hand_are_not_known(section, change, tmp_path):
    def elsewhere(record):
        record["config"][section] |= change

    found = [*records(copied("epochs", tmp_path / "records", elsewhere))]
    made = damage.amounts(found, Store(tmp_path / "artifacts"))
    assert len(made) == 2 and made["changed"].isna().all()
    assert damage.write_amounts(tmp_path / "records", Store(tmp_path / "artifacts")) == 0
    assert not (tmp_path / "records" / FILE).exists() and not (tmp_path / "artifacts").exists()


def test_traces_with_other_units_than_the_run_had_are_not_its_traces(tmp_path):
    def other(record):
        record["stages"]["corrupt"]["summary"]["units"] += 1

    folder = copied("epochs", tmp_path / "records", other)
    made = damage.amounts(records(folder), Store(tmp_path / "artifacts"))
    assert made["changed"].isna().all()
    shutil.copyfile(RECORDED / "epochs" / FILE, folder / FILE)
    with pytest.raises(ValueError, match=r"counts 11755 units of .*, which recorded 11756"):
        runs(folder)
