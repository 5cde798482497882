"""Records and sample rows as frames."""

import json
import shutil

import pandas as pd
import pytest

from ablations.__main__ import main as ablations
from ablations.results.arms import ARM, arm_name
from ablations.results.responses import KEPT
from ablations.results.runs import COUNTS, IDENTITY, SCORES, SETTINGS, asked_runs, runs, samples


def rewrite(path, change):
    """Change a record in place."""
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_a_run_is_a_row_with_the_documented_columns(make_run, tmp_path):
    overrides = ["corruption=random_digits", "corruption.fraction=0.5", "training.seed=3"]
    make_run(overrides, [True, False, True])
    frame = runs(tmp_path / "runs" / "smoke")
    documented = [
        *IDENTITY,
        "asked",
        "refers",
        *SETTINGS,
        "unprompted_setting",
        *COUNTS,
        "benchmark",
    ]
    documented += [*SCORES, "seconds_evaluate"]
    assert list(frame.columns) == documented
    (row,) = frame.to_dict("records")
    expected = {"corruption": "random_digits", "fraction": 0.5, "unit": "digit", "training_seed": 3}
    expected |= {"benchmark": "sign_puzzle", "accuracy": 2 / 3, "damaged_share": 0.7, "rows": 60}
    expected |= {"changed": 0.25}
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["teacher=qwq_32b_preview"], "Qwen/QwQ-32B-Preview"),
        (["teacher=bespoke_stratos_17k", "dataset=recorded"], "bespokelabs/Bespoke-Stratos-17k"),
        ([], "scripted"),
    ],
)
def test_a_teacher_goes_by_its_model_or_data_set(studies, overrides, name):
    assert set(asked_runs([studies.one(["dataset.problems=0", *overrides])])["teacher"]) == {name}


def test_arms_that_asked_another_model_or_in_other_words_are_other_arms(studies):
    asked = [
        [],
        ["corruption.ask.model=another"],
        ["corruption.ask.sampling.temperature=0"],
        ["corruption.ask.engine.base_url=http://elsewhere/v1"],
    ]
    cells = [studies.one(["corruption=remove_keywords_reflection", *more]) for more in asked]
    frame = asked_runs(cells)
    first, *others = frame["asked"]
    assert first.startswith("gpt-4o-mini (") and others[-1] == first
    assert frame["asked"].nunique() == len({arm_name(row) for _, row in frame.iterrows()}) == 3


def test_what_a_run_has_not_is_empty_and_not_zero(make_run, tmp_path):
    make_run(["training=none"], [True])
    (row,) = runs(tmp_path / "runs").to_dict("records")
    assert row["method"] == "none"
    assert all(pd.isna(row[name]) for name in COUNTS)


def test_a_run_that_was_not_scored_is_still_a_row(make_run, tmp_path):
    path = make_run([], [True])
    rewrite(path, lambda record: record.update(scores={}))
    (row,) = runs(tmp_path / "runs").to_dict("records")
    assert row["benchmark"] is None and row["rows"] == 60


def test_what_a_benchmark_measures_besides_and_what_was_refused_are_columns(make_run, tmp_path):
    made = {"true_equations": 0.9, "refused": 0.01}
    path = make_run([], [True], "a")
    rewrite(path, lambda r: r["scores"]["sign_puzzle"]["summary"].update(made))
    make_run(["training.seed=1"], [True], "b")
    some, none = runs(tmp_path / "runs").to_dict("records")
    assert {name: some[name] for name in made} == made
    assert all(pd.isna(none[name]) for name in made)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda path: path.write_text('{"cell": '), "is not JSON"),
        (lambda path: path.write_text("[]"), "holds a list"),
        (lambda path: rewrite(path, lambda r: r.pop("label")), "has no label"),
        (lambda path: rewrite(path, lambda r: r["config"].pop("corruption")), "corruption.kind"),
        (
            lambda path: rewrite(path, lambda r: r["scores"]["sign_puzzle"]["summary"].pop("low")),
            "has no low in scores.sign_puzzle",
        ),
    ],
)
def test_a_broken_record_is_an_error_that_names_it_never_an_absent_row(
    change, told, make_run, tmp_path
):
    make_run([], [True], "good")
    change(make_run(["training.seed=1"], [True], "bad"))
    with pytest.raises(ValueError, match=told) as raised:
        runs(tmp_path / "runs" / "smoke")
    assert "bad/run.json" in str(raised.value)


def test_no_folder_is_an_error_not_no_runs(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing_here"):
        runs(tmp_path / "nothing_here")


def test_every_sample_is_a_row_that_says_which_run_it_is_of(make_run, tmp_path, monkeypatch):
    make_run(["corruption=shuffle_steps"], [True, False], "a")
    make_run(["training.seed=1"], [None, True], "b")
    monkeypatch.chdir(tmp_path.parent)
    frame = samples(tmp_path / "runs" / "smoke")
    assert len(frame) == 4
    told = frame.set_index(["cell", "problem_id"])
    assert told.loc[("a".rjust(64, "0"), "p1"), "corruption"] == "shuffle_steps"
    assert told.loc[("b".rjust(64, "0"), "p1"), "training_seed"] == 1
    assert set(runs(tmp_path / "runs")["cell"]) == set(frame["cell"])


def test_records_at_an_absolute_place_find_their_rows(make_run, tmp_path, monkeypatch):
    make_run([f"runs={tmp_path / 'runs'}"], [True, False])
    monkeypatch.chdir(tmp_path)
    assert len(samples(tmp_path / "runs")) == 2


def test_rows_that_are_not_those_of_the_score_are_an_error(make_run, tmp_path):
    path = make_run([], [True, False])
    rewrite(path, lambda r: r["scores"]["sign_puzzle"]["summary"].update(accuracy=1.0))
    with pytest.raises(ValueError, match=r"1 of 2 rows .* not the recorded 1\.0000 of 2"):
        samples(tmp_path / "runs")


def test_rows_that_are_gone_are_an_error_that_names_the_run(make_run, tmp_path):
    path = make_run([], [True])
    next((tmp_path / "artifacts").rglob("samples.parquet")).unlink()
    with pytest.raises(ValueError, match="which is missing, as is sign_puzzle") as raised:
        samples(tmp_path / "runs")
    assert str(path) in str(raised.value)


def test_seeds_and_arms_share_a_setting_and_nothing_else_does(make_run, tmp_path):
    make_run([], [True], "0")
    make_run(["training.seed=1", "corruption=delete_steps"], [True], "1")
    make_run(["training.epochs=2"], [True], "2")
    make_run(["evaluation.sampling.temperature=0.5"], [True], "3")
    frame = runs(tmp_path / "runs")
    trained, scored = frame["training_setting"].tolist(), frame["evaluation_setting"].tolist()
    assert trained[0] == trained[1] == trained[3] != trained[2]
    assert scored[0] == scored[1] == scored[2] != scored[3]


def test_planned_cells_have_the_arms_and_settings_that_their_runs_will_have(
    studies, make_run, tmp_path
):
    make_run(["corruption=delete_steps", "training.seed=1"], [True])
    cell = studies.one(["study=smoke", "corruption=delete_steps", "training.seed=1"])
    names = ["benchmark", "training_seed", *ARM, *SETTINGS]
    ran, planned = runs(tmp_path / "runs"), asked_runs([cell])
    assert ran[names].to_dict("records") == planned[names].to_dict("records")
    assert planned["accuracy"].isna().all()


def collect(path, folder):
    """Copy a record and its rows as they are kept in `analysis/results/`, and drop the artifact."""
    record = json.loads(path.read_text())
    rows = path.parents[3] / record["scores"]["sign_puzzle"]["path"] / "samples.parquet"
    kept = folder / record["cell"][:16]
    kept.mkdir(parents=True)
    shutil.copy(path, kept / "run.json")
    shutil.copy(rows, kept / "sign_puzzle.parquet")
    rows.unlink()
    return kept


def test_rows_beside_a_collected_record_are_found_and_checked_all_the_same(make_run, tmp_path):
    kept = collect(make_run([], [True, False]), tmp_path / "results" / "smoke")
    assert samples(tmp_path / "results" / "smoke")["correct"].tolist() == [True, False]
    rewrite(kept / "run.json", lambda r: r["scores"]["sign_puzzle"]["summary"].update(accuracy=1.0))
    with pytest.raises(ValueError, match="1 of 2 rows are correct"):
        samples(tmp_path / "results" / "smoke")


@pytest.mark.parametrize("text", [b"", b"PAR1 torn", None])
def test_rows_that_cannot_be_read_are_an_error_that_names_the_file(text, make_run, tmp_path):
    make_run([], [True])
    file = next((tmp_path / "artifacts").rglob("samples.parquet"))
    if text is None:
        pd.DataFrame({"sample": [0]}).to_parquet(file)
    else:
        file.write_bytes(text)
    with pytest.raises(ValueError, match="cannot be read") as raised:
        samples(tmp_path / "runs")
    assert str(file) in str(raised.value)


def test_only_the_columns_asked_for_are_read_and_never_less_than_a_score_needs(make_run, tmp_path):
    make_run([], [True])
    frame = samples(tmp_path / "runs", ["tokens"])
    assert {*KEPT, "tokens"} <= set(frame.columns)
    assert not {"truncated", "keywords"} & set(frame.columns)


def test_a_record_without_the_fields_that_came_later_keeps_its_settings(make_run, tmp_path):
    path = make_run(["corruption=none"], [True])
    (before,) = runs(tmp_path / "runs")[list(SETTINGS)].to_numpy().tolist()

    def forget(record):
        del record["format"]
        for group in ("filter", "grading", "verification"):
            del record["config"][group]
        for group, field in (
            ("engine", "context"),
            ("dataset", "max_rejected"),
            ("teacher", "convert"),
        ):
            del record["config"][group][field]
        del record["config"]["evaluation"]["benchmarks"]["sign_puzzle"]["harness"]

    rewrite(path, forget)
    assert runs(tmp_path / "runs")[list(SETTINGS)].to_numpy().tolist() == [before]


def test_a_field_that_is_not_at_its_default_is_a_setting_wherever_it_stands(studies):
    changes = [
        "grading.percent=true",
        "filter.near_duplicates=0.8",
        "teacher.slip_rate=0.25",
        "dataset.seed=1",
        "prompt.system=Think.",
        "engine.batch=8",
        "evaluation.benchmarks.sign_puzzle.samples=4",
    ]
    cells = [studies.one(["corruption=none", *change]) for change in ([], *([c] for c in changes))]
    seen = asked_runs(cells)[list(SETTINGS)].drop_duplicates()
    assert len(seen) == len(cells)


def test_a_record_whose_numbers_are_not_its_artifacts_is_an_error_in_every_table(
    make_run, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    path = make_run([], [True, False])
    record = json.loads(path.read_text())
    made = tmp_path / record["scores"]["sign_puzzle"]["path"] / "summary.json"
    made.write_text(json.dumps(record["scores"]["sign_puzzle"]["summary"]))
    assert len(runs(tmp_path / "runs")) == 1
    rewrite(path, lambda r: r["scores"]["sign_puzzle"]["summary"].update(accuracy=1.0))
    told = r"run\.json differs from its artifacts: sign_puzzle.accuracy is 1.0, in its artifact 0.5"
    with pytest.raises(ValueError, match=told):
        runs(tmp_path / "runs")
    for command in ("table", "report", "collect"):
        assert ablations([command, "smoke"]) == 1
        assert "sign_puzzle.accuracy is 1.0" in capsys.readouterr().err


@pytest.mark.parametrize("harm", [b"", b"PAR1", b"garbage" * 100])
def test_rows_that_were_changed_since_they_were_made_are_told_as_the_store_tells_it(
    make_run, tmp_path, harm
):
    record = json.loads(make_run([], [True, False]).read_text())
    folder = tmp_path / record["scores"]["sign_puzzle"]["path"]
    recipe = {"identity": {}, "key": "", "seconds": 1.0, "versions": {}}
    (folder / "recipe.json").write_text(json.dumps(recipe | {"files": {"samples.parquet": {}}}))
    (folder / "samples.parquet").write_bytes(harm)
    with pytest.raises(RuntimeError, match=r"is not what was made: samples\.parquet"):
        samples(tmp_path / "runs")
