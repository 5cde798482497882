"""Runs are compared only with runs that were trained and scored like them."""

import json
from functools import cache

import pandas as pd
import pytest

from ablations.findings import arms, design, methods, robust, sections, seed_spread, sizes, slopes
from ablations.findings.sections import with_bases
from ablations.findings.study import Request, read_study
from ablations.report.parts import parts
from ablations.results.records import RECORDED
from ablations.results.runs import asked_runs, runs, samples
from ablations.statistics import intervals
from distill.store.identity import CHECKOUT
from tests.ablations.conftest import as_planned, write_run

OTHERS = {
    "student": ["student=micro_seed1"],
    "prompt": ["prompt=plain"],
    "sampling": ["evaluation.sampling.temperature=0.6"],
}
"""What makes runs those of another section."""

APART = ("student", "sampling")
"""The same for a base, which a paper may ask by another prompt than its students."""

STUDY = {
    "training=none": "1000 0000",
    "corruption=none": "1110 1110",
    "corruption=none training.seed=1": "0000 0100",
    "corruption=random_digits corruption.fraction=0.5": "1100 1010",
    "corruption=random_digits corruption.fraction=1.0": "0100 1000",
    "corruption=shuffle_steps corruption.fraction=0.5": "0110 0000",
    "training=micro_lora": "1010 1010",
    "training=micro_lora corruption=shuffle_steps corruption.fraction=0.5": "0010 0000",
    "size.traces=32": "1010 1000",
}
"""Run -> right answers by problem."""

SECOND = "+benchmark@evaluation.benchmarks.second=aime25"


def right(answers):
    return [answer == "1" for answer in answers.replace(" ", "")]


def turned(answers):
    """As many answers, none of them like those given."""
    return [not answer for answer in right(answers)]


def otherwise(answers):
    """As many answers, with another accuracy and another scatter of seeds."""
    return [True, True, *right(answers)[:-2]]


@pytest.fixture(scope="module")
def made(studies, tmp_path_factory):
    """(what else was run, what the study's runs have besides) -> a folder of runs."""
    root = tmp_path_factory.mktemp("studies")

    def make(other=None, *, second=False):
        launched = root / f"{other}{second}"
        if launched.exists():
            return launched / "runs"
        both = [SECOND] if second else []
        for number, (overrides, answers) in enumerate(STUDY.items()):
            cell = studies.one(["study=smoke", *overrides.split(), *both])
            found = {"sign_puzzle": right(answers), "second": turned(answers)}
            write_run(launched, cell, found, f"{number}")
            if other:
                cell = studies.one(["study=smoke", *overrides.split(), *OTHERS[other]])
                write_run(launched, cell, otherwise(answers), f"{number}b")
        return launched / "runs"

    return make


@cache
def read(folder):
    return runs(folder), samples(folder)


@cache
def answers_of(question, folder):
    if question == "spread":
        return seed_spread.frame(folder / "smoke").drop(columns="folder")
    frame = {
        "arms": arms.frame,
        "slopes": slopes.frame,
        "robust": robust.frame,
        "methods": methods.frame,
        "sizes": sizes.frame,
        "whole gain": sizes.whole_gain,
    }[question]
    return frame(*read(folder))


QUESTIONS = ("arms", "slopes", "robust", "methods", "sizes", "whole gain", "spread")


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_found_of_a_section_does_not_depend_on_runs_of_another(made, question, other):
    alone, beside = answers_of(question, made()), answers_of(question, made(other))
    assert len(alone) and len(beside) == 2 * len(alone)
    if question == "spread":  # its name is all that it has of its section
        (mine,) = alone["seed_sd"]
        assert sum(beside["seed_sd"] == mine) == 1 and mine > 0.2
        return
    settings = [name for name in ("training_setting", "evaluation_setting") if name in alone]
    keys = alone[settings].fillna("").apply(tuple, axis=1)
    mine = beside[beside[settings].fillna("").apply(tuple, axis=1).isin(keys)]
    pd.testing.assert_frame_equal(mine.reset_index(drop=True), alone, check_dtype=False)


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_found_on_a_benchmark_does_not_depend_on_another(made, question):
    alone, beside = (answers_of(question, made(second=second)) for second in (False, True))
    names = beside["section"] if question == "spread" else beside["benchmark"]
    assert names.str.startswith("second").sum() == len(alone)
    mine = beside[names.str.startswith("sign_puzzle")].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, alone, check_dtype=False)
    if question == "arms":
        second = beside[names == "second"]
        assert second["accuracy"].tolist() == pytest.approx((1 - alone["accuracy"]).tolist())


@pytest.mark.parametrize("other", APART)
def test_a_base_of_another_student_or_sampling_stands_only_in_its_own_section(
    make_run, tmp_path, other
):
    make_run(["corruption=none"], right("1110"), "a")
    make_run([*OTHERS[other], "training=none"], right("1000"), "b")
    done, rows = runs(tmp_path / "runs"), samples(tmp_path / "runs")
    table = arms.frame(done, rows)
    found = table.groupby(["training", "evaluation_setting"], sort=False)["arm"].apply(list)
    assert found.tolist() == [["uncorrupted"], ["base"]] or found.tolist() == [
        ["base"],
        ["uncorrupted"],
    ]
    assert table["difference"].isna().all(), "the base is compared with nothing"
    assert sizes.frame(done, rows).empty, "nothing was gained over a base of another section"
    make_run(["training=none"], right("0000"), "c")
    table = arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))
    own = table.set_index(["training", "arm"]).loc[("micro_sft", "base")]
    assert own["accuracy"] == 0
    assert len(table) == 3


@pytest.mark.parametrize("other", OTHERS)
def test_bases_that_nothing_trained_is_scored_like_are_a_section_each(make_run, tmp_path, other):
    make_run(["training=none"], right("1100"), "a")
    make_run([*OTHERS[other], "training=none"], right("1000"), "b")
    table = arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))
    assert sorted(table["accuracy"]) == [0.25, 0.5]
    assert table["evaluation_setting"].nunique() == 2


@pytest.mark.parametrize("other", APART)
def test_a_plan_compares_with_no_base_of_another_section(studies, other):
    asked = ["study=smoke"]
    cells = [
        studies.one([*asked, "corruption=none"]),
        studies.one([*asked, "corruption=shuffle_steps"]),
        studies.one([*asked, "training=none", *OTHERS[other]]),
    ]
    assert design.frame(as_planned(cells))["trained"].tolist() == [True]
    cells.append(studies.one([*asked, "training=none"]))
    assert design.frame(as_planned(cells))["trained"].tolist() == [True, False]


def test_the_responses_of_a_section_are_those_of_its_own_runs(made):
    study = read_study(Request("smoke", folder=made("student")))
    assert len(study.scored) == 6
    for section in study.scored:
        assert section.rows["evaluation_setting"].nunique() == 1
        for _, arm in section.done.iterrows():
            assert section.shares(arm).to_numpy().mean() == pytest.approx(arm["accuracy"])


def test_a_section_of_one_arm_and_one_of_the_base_alone_are_read_and_shown(make_run, tmp_path):
    make_run(["corruption=none"], right("1110"), "a")
    make_run(["training=none", "student=micro_seed1"], right("1000"), "b")
    study = read_study(Request("smoke", ["training.epochs=7"], folder=tmp_path / "runs"))
    done = {section.done["arm"].item(): section for section in study.scored}
    assert set(done) == {"base", "uncorrupted"}
    titles = [grid.title for grid in arms.grids(study.arms)]
    assert any("micro_seed1" in title for title in titles)
    for name, section in done.items():
        assert section.rows["cell"].nunique() == 1, name


@pytest.mark.parametrize("temperature", [0.0, 0.6, 1.0])
def test_answers_are_greedy_where_their_temperature_is_0(make_run, tmp_path, temperature):
    sampled = [f"evaluation.sampling.temperature={temperature}"]
    make_run(["corruption=none", *sampled], right("1110"), "a")
    make_run(["corruption=delete_steps", *sampled], right("1100"), "b")
    path = make_run(["corruption=none", *sampled], right("1010"), "c")
    record = json.loads(path.read_text())
    evaluation = record["config"]["evaluation"]
    own = evaluation["sampling"] | {"temperature": 0.0 if temperature else 1.0}
    evaluation["benchmarks"]["sign_puzzle"]["sampling"] = own
    path.write_text(json.dumps(record))
    study = read_study(Request("smoke", folder=tmp_path / "runs"))
    accuracies = {round(s.done["accuracy"].iloc[0], 2): s.greedy for s in study.scored}
    assert accuracies == {0.75: temperature == 0, 0.5: temperature != 0}


def test_a_base_of_its_own_prompt_stands_beside_students_who_have_no_other(studies):
    def arms_of(*runs):
        cells = [studies.one(["study=smoke", *overrides.split()]) for overrides in runs]
        made = arms.frame(asked_runs(cells), pd.DataFrame())
        return made, [row[0] for grid in arms.grids(made) for row in grid.rows]

    trained, base, own = "corruption=none", "training=none prompt=plain", "training=none"
    made, names = arms_of(trained, base)
    assert made["prompt"].tolist() == ["plain", ""] and made["evaluation_setting"].nunique() == 1
    assert names == ["base, prompt plain", "uncorrupted"]
    made, names = arms_of(trained, base, own)
    assert set(made["prompt"]) == {""} and made["evaluation_setting"].nunique() == 2
    assert sorted(names) == ["base", "base", "uncorrupted"]
    _, names = arms_of(trained, "training=none prompt=plain evaluation.sampling.max_new_tokens=9")
    assert names.count("base") == 1  # scored otherwise than by its prompt alone: apart


def test_a_base_keeps_its_prompt_when_its_section_is_looked_for_again(studies):
    cells = [studies.one(["study=smoke", *more.split()]) for more in
             ("corruption=none", "training=none prompt=plain")]  # fmt: skip
    once = with_bases(asked_runs(cells))
    pd.testing.assert_frame_equal(with_bases(once), once)
    alone = with_bases(once[once["method"] == "none"], asked_runs(cells))
    assert alone["base_prompt"].tolist() == ["plain"]


def test_a_report_groups_the_responses_of_a_benchmark_once_and_tests_what_it_shows(monkeypatch):
    grouped, flipped = [], []
    by_run, sign_flip = sections.by_run, intervals.sign_flip
    monkeypatch.setattr(sections, "by_run", lambda rows: grouped.append(0) or by_run(rows))
    monkeypatch.setattr(intervals, "sign_flip", lambda delta: flipped.append(0) or sign_flip(delta))
    study = read_study(Request("sft_vs_lora", (), CHECKOUT / RECORDED / "sft_vs_lora"))
    assert parts(study)
    assert len(grouped) == 1
    assert not flipped, "no p of one run is shown"


def test_shares_of_an_arm_are_those_of_its_rows_alone():
    study = read_study(Request("sft_vs_lora", (), CHECKOUT / RECORDED / "sft_vs_lora"))
    for section in study.scored:
        for _, runs_of in section.runs.groupby("arm"):
            own = study.samples["cell"].isin(runs_of["cell"])
            expected = intervals.by_seed(study.samples[own])
            found = pd.DataFrame(sections.arm_shares(runs_of, study.samples))
            pd.testing.assert_frame_equal(found[expected.columns], expected, check_names=False)
