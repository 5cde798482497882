"""Do 95 % intervals cover 95 %, and do tests raise 5 % of false alarms?

Sections of 18 arms are simulated whose truth is known: problems of unequal difficulty, arms and
runs that like some problems better than others do, right answers at random, and runs that vary
equally, as unequally as recorded, or not at all; see `tests.bench.bench_intervals`, which prints
what the rules side by side give. With several runs the truth is the recipe's accuracy, with one
that of this run.
"""

import numpy as np
import pandas as pd
import pytest

from ablations.statistics import dose, intervals, significance
from distill.evaluation.variance import pooled
from tests.bench import bench_intervals
from tests.bench.bench_intervals import (
    AS_RECORDED,
    GRID,
    Setting,
    asked_sums,
    judged,
    runs_by,
    sections,
    table,
)

LIKE_IN_USE = [
    Setting(30, 1, 3, None, "unequal"),
    Setting(60, 16, 5, None, "unequal"),
    Setting(30, 16, 2, 0.02, "unequal"),
    Setting(30, 1, 5, 0.98, "none"),
    Setting(30, 1, 3, 0.5, "unequal", 2),
    Setting(40, 1, 1, 0.5, "equal"),
    Setting(40, 16, 1, 0.02, "none"),
]


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    monkeypatch.setattr(significance, "DRAWS", bench_intervals.DRAWS)


def frames(shares):
    """The arms of one section as the functions in use take them."""
    return [
        pd.DataFrame(arm, columns=[f"{at}-{run}" for run in range(arm.shape[1])])
        for at, arm in enumerate(shares)
    ]


@pytest.mark.parametrize("setting", LIKE_IN_USE, ids=str)
def test_what_is_simulated_is_what_the_functions_in_use_say(setting):
    shares, _ = sections(np.random.default_rng(LIKE_IN_USE.index(setting)), setting, 3)
    runs = None if setting.seeds == 1 else runs_by("moderated", shares)
    means = shares.mean(axis=3)
    for at, section in enumerate(shares):
        arms = frames(section)
        spread = pooled(arms)
        for place, arm in enumerate(arms):
            made = intervals.accuracy(arm, spread)
            low, high = bench_intervals.accuracies("moderated", means, place, runs)
            assert (made.low, made.high) == pytest.approx((low[at], high[at]), abs=1e-9)
        for kind, asked in asked_sums(len(arms)).items():
            for weights in asked:
                used = np.flatnonzero(weights)
                some = [arms[place] for place in used]
                made = intervals.contrast(some, list(weights[used]), spread)
                if kind == "difference":
                    made = intervals.difference(*some, spread)
                low, high, p = bench_intervals.sums("moderated", means, weights, runs)
                if setting.seeds > 1 or kind == "difference":
                    assert (made.low, made.high) == pytest.approx((low[at], high[at]), abs=1e-9)
                if setting.seeds > 1:
                    assert made.p == pytest.approx(p[at], abs=1e-9)


def test_slopes_and_contrasts_are_simulated_with_the_weights_in_use():
    shares, _ = sections(np.random.default_rng(0), Setting(30, 4, 3, 0.5, "equal"), 1)
    a, b, c, d = arms = frames(shares[0])[:4]
    made = {
        "slope": dose.slope(a, dict(zip(bench_intervals.DOSES[1:], (b, c, d), strict=True))),
        "slope_contrast": dose.slope_contrast(a, [{1.0: b}, {0.5: d}], [{0.5: c}]),
        "structure_minus_content": dose.structure_minus_content(
            [{1.0: a}, {1.0: b}], [{1.0: c}, {1.0: d}]
        )[0],
    }
    means = np.array([arm.to_numpy().mean() for arm in arms])
    for kind, one in made.items():
        weights = asked_sums(18)[kind][0]
        assert np.flatnonzero(weights).max() < 4
        assert one.value == pytest.approx(weights[:4] @ means)


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("problems", [30, 500])
def test_intervals_of_a_section_like_the_recorded_one_cover_the_truth(problems, seeds):
    rows = judged([Setting(problems, 16, seeds, None, "unequal")], 150_000, ["moderated"])
    found = table(rows, ["kind"])
    assert found["covers"]["accuracy"] >= 93
    assert found["covers"]["difference"] >= 93


def within(found, column, least, most=100.0):
    """Fail with the rows of a table that are outside."""
    outside = found[~found[column].between(least, most)]
    assert outside.empty, f"{column} outside {least} to {most}\n{outside.round(1).to_string()}"


@pytest.mark.slow
def test_over_108_settings_intervals_cover_and_false_alarms_are_few():
    """Coverage is 95 to 98 %, false alarms 1.5 to 4 %: moderated variances err to the safe side.

    Least is covered with 16 samples of 30 problems at 2 and 98 %, where a handful of problems makes
    the variance, and that of the draw is not shown: about 90 %.
    """
    rows = judged(GRID, rules=["own", "moderated"])
    moderated = rows[rows["rule"] == "moderated"]
    accuracies = moderated[moderated["kind"] == "accuracy"]
    sums = moderated[moderated["kind"] != "accuracy"]
    within(table(accuracies, ["scatter", "seeds"]), "covers", 93.5, 98.5)
    within(table(accuracies, ["scatter", "seeds"]), "worst", 89)
    within(table(accuracies[accuracies["seeds"] > 1], ["accuracy", "samples"]), "covers", 90)
    within(table(sums, ["kind", "scatter", "seeds"]), "covers", 94)
    within(table(sums, ["kind", "scatter", "seeds"]), "worst", 90)
    several = sums[sums["seeds"] > 1]
    within(table(several, ["kind", "scatter", "seeds"]), "alarms", 0.8, 5)
    within(table(several, ["kind"]), "alarms", 1.5, 4)
    equal = rows.query("scatter == 'equal' and seeds == 3 and kind == 'difference'")
    own, ours = table(equal, ["rule"])["mean_half"][["own", "moderated"]]
    assert own > 1.12 * ours, "the section helps where arms vary alike"


@pytest.mark.slow
def test_in_a_section_like_the_recorded_one_an_arm_that_varies_widely_is_covered_too():
    rows = judged(AS_RECORDED, 400_000, ["own", "pooled", "moderated"])
    found = table(rows, ["rule", "seeds", "kind"])
    within(found.loc[("moderated", slice(None), ["accuracy", "difference"]), :], "covers", 92.5)
    within(found.loc[("moderated", [3, 5], "accuracy"), :], "worst", 84)
    within(found.loc[("pooled", [2, 3, 5], "accuracy"), :], "worst", 55, 80)
    two = found.loc[(["own", "moderated"], 2, "accuracy"), "mean_half"]
    assert two.iloc[0] > 1.08 * two.iloc[1], "two seeds tell least, and gain most from the others"


@pytest.mark.slow
@pytest.mark.parametrize("samples", [1, 16])
@pytest.mark.parametrize("problems", [30, 500])
def test_equal_single_runs_are_told_apart_in_5_of_100_studies(problems, samples):
    setting = Setting(problems, samples, 1, 0.5, "none")
    shares, _ = sections(np.random.default_rng(1), setting, 100)
    p = []
    for section in shares:
        arms = frames(section)
        p += [intervals.difference(arms[at], arms[at + 9], of_runs=True).p for at in range(9)]
    assert 0.03 <= np.mean(np.array(p) <= 0.05) <= 0.07
