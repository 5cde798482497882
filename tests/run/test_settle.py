"""Settling makes the seeds that intervals of a stated width take, by Stein's two stages."""

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hydra.errors import HydraException
from scipy.stats import t

from ablations.studies.cells import Studies
from distill.evaluation.variance import SHARED, error_variance, pooled
from distill.run import settle
from distill.run.settle import FIRST, MOST, Need, arms, first_stage, needed
from distill.store.identity import CHECKOUT


def table(means, name, problems=20_000, wave=0.2):
    """Shares that vary alike over problems in every run, so that only runs and the arms differ."""
    difficulty = wave * np.sin(np.linspace(0, 40 * np.pi, problems))[:, None]
    shares = np.asarray(means)[None, :] + difficulty
    return pd.DataFrame(shares, columns=[f"{name}{at}" for at in range(len(means))])


def variance_of_runs(*means):
    """Of each arm's runs, moderated by hand."""
    angles = np.array([np.arcsin(np.sqrt(own)).var(ddof=1) for own in means])
    own = [len(one) - 1 for one in means]
    return [
        (SHARED * angles.mean() + freedom * angle)
        / (SHARED + freedom)
        * 4
        * np.mean(one)
        * (1 - np.mean(one))
        for angle, freedom, one in zip(angles, own, means, strict=True)
    ]


def half_width(variances, counts, first):
    total = [variance / count for variance, count in zip(variances, counts, strict=True)]
    freedom = [SHARED + runs - 1 for runs in first]
    df = sum(total) ** 2 / sum(v**2 / f for v, f in zip(total, freedom, strict=True))
    return 100 * t.ppf(0.975, max(df, min(freedom))) * math.sqrt(sum(total))


ARM, CLEAN = [0.50, 0.56, 0.47], [0.60, 0.63, 0.58]


@pytest.mark.parametrize("points", [4.0, 6.0, 12.0])
def test_where_only_runs_vary_the_runs_needed_are_the_fewest_by_hand(points):
    tables = {"arm": table(ARM, "a"), "clean": table(CLEAN, "c")}
    found = needed(tables, "clean", points)
    variances = variance_of_runs(ARM, CLEAN)
    plans = [
        (one + other, one, other)
        for other in range(3, MOST + 1)
        for one in range(3, MOST + 1)
        if half_width(variances, (one, other), (3, 3)) <= points
    ]
    assert found["arm"].runs + found["clean"].runs == min(plans)[0]
    reached = half_width(variances, (found["arm"].runs, found["clean"].runs), (3, 3))
    assert found["arm"].reached == pytest.approx(reached, rel=1e-3) and reached <= points


def test_a_reference_of_many_arms_gets_more_runs_than_they_do():
    tables = {f"arm{at}": table(ARM, f"a{at}") for at in range(8)} | {"clean": table(ARM, "c")}
    found = needed(tables, "clean", 8.0)
    assert found["clean"].runs > max(found[f"arm{at}"].runs for at in range(8)) >= FIRST


def test_arms_that_are_known_well_enough_need_no_more():
    tables = {"arm": table([0.5, 0.5, 0.5], "a"), "clean": table([0.6, 0.6, 0.6], "c")}
    assert {need.runs for need in needed(tables, "clean", 1.0).values()} == {3}


def test_what_problems_alone_leave_open_no_seed_can_settle():
    rng = np.random.default_rng(1)
    few = {
        name: pd.DataFrame(rng.random((12, 3)).round(), columns=list(name))
        for name in ("abc", "xyz")
    }
    found = needed(few, "xyz", 2.0)["abc"]
    assert found.runs == 0 and found.reached > 2
    assert needed({"alone": few["abc"]}, None, 2.0)["alone"].runs == 0


def test_an_arm_that_is_compared_with_nothing_settles_its_own_accuracy():
    own = table(ARM, "a", wave=0.0)
    found = needed({"arm": own}, None, 5.0)["arm"]
    variance = float(np.var(ARM, ddof=1))
    (count,) = [
        count
        for count in range(3, MOST)
        if 100 * t.ppf(0.975, SHARED + 2) * math.sqrt(_moderated(own) / count) <= 5.0
        and 100 * t.ppf(0.975, SHARED + 2) * math.sqrt(_moderated(own) / (count - 1)) > 5.0
    ]
    assert found.runs == count
    assert _moderated(own) == pytest.approx(variance, rel=0.02)


def _moderated(own):
    spread = pooled([own])
    mean = own.to_numpy().mean()
    return spread.variance * 4 * mean * (1 - mean)


def test_noise_of_single_answers_is_averaged_away_by_runs_and_is_not_counted_twice():
    rng = np.random.default_rng(2)
    chance = rng.uniform(0.2, 0.8, (4000, 1))
    arm, clean = (
        pd.DataFrame(rng.binomial(1, chance + shift, (4000, 3)).astype(float), columns=list(name))
        for shift, name in ((0.0, "abc"), (0.1, "xyz"))
    )
    pair = settle._Pair(arm, clean, pooled([arm, clean]))
    delta = arm.mean(axis=1) - clean.mean(axis=1)
    noise = [error_variance(one.to_numpy()) / 3 / 4000 for one in (arm, clean)]
    assert pair.problems == pytest.approx(max(0, delta.var(ddof=1) / 4000 - sum(noise)))
    assert pair.problems < 0.2 * delta.var(ddof=1) / 4000


@pytest.fixture(scope="module")
def studies():
    return Studies()


@pytest.fixture
def compose(studies):
    return studies.config


def asked(studies, study, *overrides):
    return [(list(cell.overrides), cell.config) for cell in studies.cells(study, overrides)]


@pytest.mark.parametrize(
    "words", [["until=corrupt", "corruption=none"], ["training=none"], ["~evaluation.benchmarks"]]
)
def test_a_study_without_a_trained_and_scored_arm_settles_nothing(studies, words):
    if words[0].startswith("~"):
        config = studies.one(["corruption=none"]).config
        config.evaluation.benchmarks = {}
    else:
        config = studies.one(words).config
    with pytest.raises(ValueError, match="needs an arm that is trained and scored"):
        arms([(words, config)], studies.config)


def test_one_problem_settles_nothing():
    one = {name: pd.DataFrame([[1.0, 0.0, 1.0]], columns=list(name)) for name in ("abc", "xyz")}
    assert {need.runs for need in needed(one, "xyz", 5.0).values()} == {0}


def test_the_first_stage_is_three_runs_of_every_trained_arm(studies, compose):
    runs = asked(studies, "smoke")
    found = arms(runs, compose)
    assert [len(arm.first) for arm in found] == [FIRST, FIRST]
    assert [arm.uncorrupted for arm in found] == [True, False]
    clean, damaged = ([config for _, config in arm.first] for arm in found)
    assert [one.training.seed for one in clean] == [0, 1, 2]
    seeds = [(one.training.seed, one.corruption.seed) for one in damaged]
    assert seeds == [(0, 0), (1, 1), (2, 2)]
    every = first_stage(runs, found)
    assert every[: len(runs)] == runs and len(every) == len(runs) + 4
    assert sum(config.training.method == "none" for _, config in every) == 1


def test_seeds_that_a_study_asks_for_are_kept_and_the_next_ones_follow(studies, compose):
    runs = asked(studies, "smoke", "training.seed=1,4")
    found = arms(runs, compose)
    assert [[one.training.seed for _, one in arm.first] for arm in found] == [[1, 4, 0]] * 2
    more = asked(studies, "smoke", "training.seed=0,1,2,3")
    assert [len(arm.first) for arm in arms(more, compose)] == [4, 4]
    assert first_stage(more, arms(more, compose)) == more


def test_arms_of_two_students_are_settled_apart(studies, compose):
    runs = asked(studies, "smoke", "student=micro,micro_seed1")
    found = arms(runs, compose)
    assert len(found) == 4 and len({arm.section for arm in found}) == 2
    assert len({arm.label for arm in found}) == 4


def test_the_second_stage_is_what_the_first_says_and_the_same_each_time(
    studies, compose, monkeypatch
):
    runs = asked(studies, "smoke")
    monkeypatch.setattr(
        settle,
        "_table",
        lambda first, _: pd.DataFrame({config.training.seed: [0.5] for _, config in first}),
    )
    monkeypatch.setattr(
        settle,
        "needed",
        lambda tables, reference, points: {
            label: Need(7 if label == reference else 5, points) for label in tables
        },
    )
    for _ in range(2):
        found = arms(runs, compose)
        settle.second_stage(found, 5.0, compose)
        seeds = [[one.training.seed for _, one in arm.further] for arm in found]
        assert seeds == [[3, 4, 5, 6], [3, 4]]


def test_the_differences_of_all_runs_are_printed_with_the_half_widths_of_the_first_stage(
    studies, compose, monkeypatch, capsys
):
    found = arms(asked(studies, "smoke"), compose)
    for arm in found:
        arm.further = arm.first[:1]
    monkeypatch.setattr(
        settle,
        "_table",
        lambda runs, _: pd.DataFrame(
            {
                at: [0.25 if config.corruption.kind == "none" else 0.5]
                for at, (_, config) in enumerate(runs)
            }
        ),
    )
    settle.print_settled(found, {arm.label: [Need(4, 3.21)] for arm in found})
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "sign_puzzle" in line]
    assert line.endswith("sign_puzzle: +25.0 ± 3.2") and "shuffle_steps" in line


@pytest.mark.slow
@pytest.mark.parametrize("spreads", [(0.04,) * 4, (0.03, 0.03, 0.06, 0.04)])
def test_settled_intervals_are_as_wide_as_asked_and_cover(spreads):
    """Of differences of 10 points on 400 problems, settled to ±6 after three runs of each arm."""
    rng, points, covered, narrow = np.random.default_rng(5), 6.0, [], []
    for _ in range(400):
        difficulty, every = rng.uniform(0.2, 0.8, (400, 1)), {}
        for at, spread in enumerate(spreads):
            likes = rng.normal(0, 0.05, (400, 1)) - 0.1 * (at > 0)
            chance = np.clip(difficulty + likes + rng.normal(0, spread, (1, MOST)), 0, 1)
            names = [f"{at}-{run}" for run in range(MOST)]
            every[f"{at}"] = pd.DataFrame(rng.binomial(1, chance).astype(float), columns=names)
        needs = needed({name: one.iloc[:, :3] for name, one in every.items()}, "0", points)
        if any(not need.runs for need in needs.values()):
            continue
        means = {
            name: one.iloc[:, : needs[name].runs].to_numpy().mean() for name, one in every.items()
        }
        for name in list(every)[1:]:
            reached = needs[name].reached
            covered.append(abs(100 * (means[name] - means["0"]) + 10) <= reached)
            narrow.append(reached <= points)
    assert all(narrow) and len(narrow) > 1000
    assert 0.93 <= np.mean(covered) <= 0.97


def test_how_far_a_study_settles_is_in_no_label(studies):
    cells = studies.cells("smoke", ["settle=5"])
    assert len(cells) == 7
    assert not any("settle" in cell.label for cell in cells)
    assert {cell.config.study.settle for cell in cells} == {5.0}
    assert {cell.config.study.settle for cell in studies.cells("smoke")} == {None}


@pytest.mark.parametrize("value", ["0", "-3", "nan", "inf", "much"])
def test_a_width_that_is_none_is_refused(studies, value):
    with pytest.raises((ValueError, HydraException), match=r"study\.settle"):
        studies.cells("smoke", [f"settle={value}"])


def test_one_run_settles_nothing(tmp_path):
    command = [sys.executable, "-m", "distill", "settle=5", "until=problems"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "settle=5 makes further seeds of a sweep" in done.stderr
