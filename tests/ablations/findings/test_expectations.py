"""Verdicts on what a study expects, on scores with known differences and on the recorded table2."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablations.findings import arms
from ablations.findings.expectations import (
    FAILED,
    HELD,
    NOT_RUN,
    OPEN,
    expected,
    frame,
    grids,
    sentence,
    verdict,
)
from ablations.findings.expectations_design import power_table
from ablations.findings.robust import SLOPE
from ablations.findings.study import Request, read_study
from ablations.results.runs import asked_runs, runs, samples
from ablations.statistics.intervals import Estimate
from ablations.statistics.power import Assumptions, Design, equivalence_margin
from ablations.statistics.significance import holm
from distill.expectations import parse
from distill.store.identity import CHECKOUT

N = 200
"""Problems, of which an arm has the first ones right."""

ARMS = {
    "training=none": 20,
    "corruption=none": 180,
    "corruption=random_digits corruption.fraction=0.5": 176,
    "corruption=random_digits corruption.fraction=1.0": 100,
    "corruption=shuffle_steps corruption.fraction=0.5": 60,
    "corruption=delete_steps corruption.fraction=0.5": 64,
    "training=micro_lora corruption=none": 178,
    "corruption=none size.traces=32": 90,
}


@pytest.fixture
def judge(studies, make_run, tmp_path):
    """(expectations, runs left out, runs) -> frame of the runs."""

    def make(*texts, without=(), made=ARMS):
        expect = "study.expect=[" + ",".join(f'"{text}"' for text in texts) + "]"
        cells = [studies.one(["study=smoke", expect, *words.split()]) for words in made]
        for number, (words, right) in enumerate(made.items()):
            if words not in without:
                make_run(words.split(), [i < right for i in range(N)], f"{number}")
        done, rows = runs(tmp_path / "runs"), samples(tmp_path / "runs")
        table = arms.frame(done, rows, asked_runs(cells))
        return frame(expected(cells), table, done, rows)

    return make


def of_main(judged):
    """The rows of the section that all damaged arms are in; it names its size where sizes vary."""
    main = judged["section"].str.contains("micro_sft(?:, size 64)?$")
    return judged[main].set_index("expectation")


VERDICTS = {
    "shuffle_steps@0.5 < random_digits@0.5": (HELD, (60 - 176) / N),
    "shuffle_steps@0.5 > random_digits@0.5": (FAILED, (60 - 176) / N),
    "random_digits@0.5 > shuffle_steps@0.5": (HELD, (176 - 60) / N),
    "shuffle_steps@0.5 < random_digits@0.5 by 50": (HELD, (60 - 176) / N),
    "shuffle_steps@0.5 < random_digits@0.5 by 58": (OPEN, (60 - 176) / N),
    "shuffle_steps@0.5 < random_digits@0.5 by 70": (FAILED, (60 - 176) / N),
    "shuffle_steps@0.5 ~ delete_steps@0.5 within 10": (HELD, (60 - 64) / N),
    "shuffle_steps@0.5 ~ delete_steps@0.5 within 1": (OPEN, (60 - 64) / N),
    "shuffle_steps@0.5 ~ random_digits@0.5 within 5": (FAILED, (60 - 176) / N),
    "base < uncorrupted by 70": (HELD, (20 - 180) / N),
    "structure@0.5 < content@0.5": (HELD, ((60 + 64) / 2 - 176) / N),
    "structure < uncorrupted": (HELD, ((60 + 64) / 2 - 180) / N / 0.5),
    "uncorrupted - base > shuffle_steps@0.5 - base": (HELD, (180 - 60) / N),
    "uncorrupted - shuffle_steps@0.5 < random_digits@0.5 - base": (
        HELD,
        (180 - 60 - 176 + 20) / N,
    ),
}


def test_each_relation_has_the_verdict_and_the_difference_that_its_counts_give(judge):
    found = of_main(judge(*VERDICTS))
    assert found["verdict"].to_dict() == {text: verdict for text, (verdict, _) in VERDICTS.items()}
    values = {text: value for text, (_, value) in VERDICTS.items()}
    assert found["value"].to_dict() == pytest.approx(values)
    assert (found["seeds"] == 1).all() and (found["problems"] == N).all()


def test_all_rates_of_a_group_are_the_mean_slope_of_its_operators(judge):
    found = of_main(judge("structure < content")).iloc[0]
    digits = np.polyfit([0, 0.5, 1], np.array([180, 176, 100]) / N, 1)[0]
    structure = np.mean([(60 - 180) / N / 0.5, (64 - 180) / N / 0.5])
    assert found["value"] == pytest.approx(structure - digits)


def test_equivalence_is_judged_by_the_interval_of_90_per_cent(judge):
    row = of_main(judge("uncorrupted ~ random_digits@1.0 within 50")).iloc[0]
    error = (0.4 * 0.6 / (N - 1)) ** 0.5
    for level, low, high in ((0.95, "low", "high"), (0.9, "low_90", "high_90")):
        ends = stats.t.interval(level, N - 1, 0.4, error)
        assert row[[low, high]].tolist() == pytest.approx(ends, abs=0.006), level
    assert row["low"] < row["low_90"] and row["high_90"] < row["high"]


def test_fields_compare_students_across_sections(judge):
    found = judge(
        "uncorrupted[method=lora] ~ uncorrupted[method=sft] within 5",
        "uncorrupted[size=64] > uncorrupted[size=32]",
        "uncorrupted[size=32] > base",
    )
    done = found[found["verdict"] != NOT_RUN].set_index("expectation")
    assert done["value"].tolist() == pytest.approx([-2 / N, 90 / N, 70 / N])
    assert done["verdict"].tolist() == [HELD, HELD, HELD]
    assert "size" not in done["section"].iloc[1] and "training" not in done["section"].iloc[0]
    assert set(found.loc[found["verdict"] == NOT_RUN, "missing"].str[:11]) <= {"uncorrupted"}


def test_an_expectation_without_fields_is_judged_in_every_section(judge):
    found = judge("uncorrupted > base")
    assert found["section"].nunique() == len(found) == 3
    assert sorted(found["value"]) == pytest.approx([70 / N, 158 / N, 160 / N])


def test_an_arm_that_was_not_run_is_named_and_so_is_one_of_a_group(judge):
    left_out = "corruption=delete_steps corruption.fraction=0.5"
    texts = ("structure@0.5 < uncorrupted", "shuffle_steps@0.5 < uncorrupted")
    found = of_main(judge(*texts, without=[left_out]))
    assert found["verdict"].tolist() == [NOT_RUN, HELD]
    assert found["missing"].tolist() == ["steps deleted 50 %", ""]
    shown = grids(judge_rows := found.reset_index())[0].rows
    assert shown[0][1] == "not run: steps deleted 50 %"
    assert len({len(row) for row in shown}) == 1
    assert "1 held, 0 failed, 0 open, 1 not run" in sentence(judge_rows)


def test_a_group_of_the_one_arm_that_it_is_compared_with_is_not_judged(judge):
    made = {words: ARMS[words] for words in list(ARMS)[:5]}
    found = of_main(judge("structure@0.5 ~ shuffle_steps@0.5 within 5", made=made))
    assert found["verdict"].item() == NOT_RUN
    assert found["missing"].item() == "both sides are the same runs"


def test_a_study_without_any_run_has_all_its_expectations_not_run(tmp_path):
    study = read_study(Request("demo", [f"runs={tmp_path}/none"]))
    assert study.expectations["verdict"].tolist() == [NOT_RUN]
    assert "steps shuffled 67 %" in study.expectations["missing"].item()


def test_one_run_of_an_arm_makes_a_verdict_on_these_runs_and_two_of_each_do_not(judge):
    arms_of = ("corruption=none", "corruption=shuffle_steps corruption.fraction=0.5")
    made = {f"{arm} training.seed={seed}": 180 - 100 * ("sh" in arm) - seed for arm in arms_of
            for seed in (0, 1)}  # fmt: skip
    made |= {"training=none": 20, "corruption=delete_steps corruption.fraction=0.5": 64}
    found = of_main(
        judge(
            "shuffle_steps@0.5 < uncorrupted",
            "uncorrupted > base",
            "delete_steps@0.5 < uncorrupted",
            made=made,
        )
    )
    assert found["seeds"].tolist() == [2, 2, 1]
    shown = {row[0]: row[1] for row in grids(found.reset_index())[0].rows}
    assert list(shown.values()) == [HELD, HELD, f"{HELD}, these runs"]
    assert "1 of the verdicts are on these runs only" in sentence(found.reset_index())


def test_p_is_adjusted_over_all_expectations_that_have_one(judge):
    found = judge(
        "shuffle_steps@0.5 < delete_steps@0.5",
        "uncorrupted > random_digits@0.5",
        "uncorrupted ~ random_digits@0.5 within 5",
        "shuffle_steps@0.5 < random_digits@0.5 by 5",
        made={
            f"{words} training.seed={seed}": right - 3 * seed
            for words, right in list(ARMS.items())[1:6]
            for seed in (0, 1)
        },
    )
    mine = of_main(found)
    assert mine["p"].notna().tolist() == [True, True, False, False]
    assert found["p_holm"].tolist() == pytest.approx(holm(found["p"].astype(float)), nan_ok=True)
    assert (mine["p_holm"].dropna() > mine["p"].dropna()).any()


def test_whether_an_expectation_was_stated_before_the_runs_is_told(make_run, tmp_path):
    text = "shuffle_steps@1.0 < uncorrupted"
    expect = f'study.expect=["{text}"]'
    make_run([expect, "corruption=none"], [True] * 9 + [False], "a")
    path = make_run(
        [expect, "corruption=shuffle_steps", "corruption.fraction=1.0"], [False] * 10, "b"
    )
    read = lambda: read_study(Request("smoke", [expect], tmp_path / "runs")).expectations  # noqa: E731
    assert read()["stated"].tolist() == [True]
    record = json.loads(path.read_text())
    record["study"]["expect"] = []
    path.write_text(json.dumps(record))
    assert read()["stated"].tolist() == [False]
    assert "1 were written down after runs that judge them" in sentence(read())


@pytest.mark.parametrize(
    ("text", "low", "high", "low_90", "high_90", "told"),
    [
        ("structure < content", -0.2, -0.01, 0, 0, HELD),
        ("structure < content", -0.2, 0.0, 0, 0, OPEN),
        ("structure < content", 0.01, 0.2, 0, 0, FAILED),
        ("structure > content", 0.01, 0.2, 0, 0, HELD),
        ("structure > content", -0.2, -0.01, 0, 0, FAILED),
        ("structure > content by 10", 0.11, 0.2, 0, 0, HELD),
        ("structure > content by 10", 0.09, 0.2, 0, 0, OPEN),
        ("structure > content by 10", 0.01, 0.09, 0, 0, FAILED),
        ("structure ~ content within 5", -0.06, 0.04, -0.049, 0.03, HELD),
        ("structure ~ content within 5", -0.06, 0.04, -0.051, 0.03, OPEN),
        ("structure ~ content within 5", 0.049, 0.2, 0.06, 0.18, OPEN),
        ("structure ~ content within 5", 0.051, 0.2, 0.06, 0.18, FAILED),
        ("structure ~ content within 5", -0.2, -0.051, -0.18, -0.06, FAILED),
    ],
)
def test_the_intervals_decide(text, low, high, low_90, high_90, told):
    half = (high_90 - low_90) / 2
    estimate = Estimate((low_90 + high_90) / 2, low, high, 100, 3, half_90=half)
    assert verdict(parse(text), estimate) == told


@pytest.fixture(scope="module")
def table2():
    """The recorded study, and by base and arm the shares of problems (rows) and runs (columns)."""
    folder = CHECKOUT / "analysis" / "results" / "table2"
    shares: dict[tuple[str, str, float], list[pd.Series]] = {}
    for path in sorted(folder.glob("*/run.json")):
        config = json.loads(path.read_text())["config"]
        damage = config["corruption"]
        name = "base" if config["training"]["method"] == "none" else damage["name"]
        rows = pd.read_parquet(path.with_name("sign_puzzle.parquet"))
        right = rows["correct"].eq(True).astype(float).groupby(rows["problem_id"]).mean()
        key = (config["student"]["name"], name, damage["fraction"])
        shares.setdefault(key, []).append(right)
    return read_study(Request("table2", (), folder)), {
        key: pd.concat(parts, axis=1) for key, parts in shares.items()
    }


def _weights(side):
    """Arms of one side of table2's expectations, weighted by hand."""
    steps = ("shuffle_steps", "delete_steps", "insert_steps")
    rates = {
        "structure": {name: (0.33, 0.67, 1.0) for name in steps},
        "content": {
            "wrong_answers": (1.0,),
            "random_digits": (0.2, 0.5, 0.7, 1.0),
            "remove_keywords": (0.2, 0.5, 1.0),
        },
    }
    name, _, rate = side.partition("@")
    if name == "structure" and rate:
        return {(one, float(rate)): 1 / 3 for one in steps}
    if name not in rates:
        return {(name, float(rate)): 1.0}
    made = {}
    for one, doses in rates[name].items():
        x = np.array([0.0, *doses]) - np.mean([0.0, *doses])
        arms_of = [("none", 0.0), *((one, dose) for dose in doses)]
        for arm, weight in zip(arms_of, x / (x**2).sum() / len(rates[name]), strict=True):
            made[arm] = made.get(arm, 0) + weight
    return made


def _moderated(shares, student):
    """Variance of a run's accuracy by arm and its degrees of freedom, by hand: 3 runs an arm."""
    own = {
        (name, rate): np.arcsin(np.sqrt(table.mean())).var(ddof=1)
        for (of, name, rate), table in shares.items()
        if of == student and table.shape[1] > 1
    }
    can = [s for arm, s in own.items() if 0.01 <= shares[student, *arm].to_numpy().mean() <= 0.99]
    pooled, freedom = np.mean(can), 2 * np.sum(can) ** 2 / np.sum(np.square(can))
    made = {}
    for arm, variance in own.items():
        mean = shares[student, *arm].to_numpy().mean()
        rest = [s for s in can if s != variance]
        among = 2 * np.sum(rest) ** 2 / np.sum(np.square(rest))
        apart = variance in can and variance / np.mean(rest) > stats.f.ppf(0.99, 2, among)
        if apart:
            made[arm] = shares[student, *arm].mean().var(), 2.0, True
        else:
            made[arm] = (3 * pooled + 2 * variance) / 5 * 4 * mean * (1 - mean), 5.0, False
    return made, freedom


def test_the_verdicts_on_the_recorded_table2_are_those_of_means_and_student_intervals(table2):
    """The spread of runs is the section's, moderated by hand; else that of the problems."""
    study, shares = table2
    judged = study.expectations
    assert len(judged) == 18
    students = judged["section"].str.extract(r"student (\w+),")[0]
    for student, (_, row) in zip(students, judged.iterrows(), strict=True):
        left, sign, right = row["expectation"].split(" ")
        weights = _weights(left)
        for arm, weight in _weights(right).items():
            weights[arm] = weights.get(arm, 0) - weight
        tables = {arm: shares[student, *arm] for arm in weights}
        value = sum(weight * tables[arm].to_numpy().mean() for arm, weight in weights.items())
        assert row["value"] == pytest.approx(value), row["expectation"]
        if tables[next(iter(tables))].shape[1] > 1:
            of_runs, most = _moderated(shares, student)
            parts = {arm: weight**2 * of_runs[arm][0] / 3 for arm, weight in weights.items()}
            error = sum(parts.values()) ** 0.5  # the variance of problems is nearly nothing here
            shared = [(parts[arm], of_runs[arm][1]) for arm in parts if not of_runs[arm][2]]
            squares = max(
                sum(part**2 / freedom for part, freedom in shared),
                sum(part for part, _ in shared) ** 2 / most,
            ) + sum(parts[arm] ** 2 / 2 for arm in parts if of_runs[arm][2])
            freedom = error**4 / squares
        else:
            delta = sum(w * tables[a].mean(axis=1) for a, w in weights.items())
            error, freedom = (delta.var() / len(delta)) ** 0.5, len(delta) - 1
        half = stats.t.ppf(0.975, freedom) * error
        sides = (value - half, value + half)
        low, high = sides if sign == "<" else (-sides[1], -sides[0])
        told = HELD if high < 0 else FAILED if low > 0 else OPEN
        if min(abs(low), abs(high)) > 0.005:  # it leaves out the problems and what is kept of them
            assert row["verdict"] == told, (student, row["expectation"], low, high)


def test_structure_against_content_is_the_contrast_of_slopes_of_the_report(table2):
    study, _ = table2
    mine = study.expectations[study.expectations["expectation"] == "structure < content"]
    for section, value in zip(study.scored, mine["value"], strict=True):
        rows = section.robust
        every = rows[
            rows["measure"].eq(SLOPE) & rows["left_out"].eq("") & rows["destroyed"].map(bool)
        ]
        assert every["value"].item() == pytest.approx(value)


def test_a_plan_says_what_can_be_shown_of_two_arms_and_how_many_seeds_are_enough(studies):
    expect = 'study.expect=["uncorrupted > base","uncorrupted ~ shuffle_steps@1.0 within 20"]'
    cells = studies.cells("smoke", [expect])
    table = power_table(cells).renderables[1]
    texts = [str(cell) for column in table.columns for cell in column.cells]
    alone = Design(32, 1, (1, 1))
    least = equivalence_margin(alone, Assumptions(seed_sd=0.0))
    assert f"no: within {100 * least:.1f} points, of these runs; " in " ".join(texts)
    enough = next(
        seeds
        for seeds in range(2, 31)
        if equivalence_margin(Design(32, 1, (seeds, seeds)), Assumptions()) <= 0.2
    )
    assert f"{enough} seeds are enough" in " ".join(texts)
