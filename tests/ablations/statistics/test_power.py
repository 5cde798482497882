"""Power against published figures and simulation."""

from dataclasses import replace
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from ablations.findings import design as study_design
from ablations.findings import seed_spread
from ablations.statistics.power import (
    POWER,
    Assumptions,
    Design,
    detectable,
    equivalence_margin,
    measured,
    power,
    runs_for,
)
from distill.evaluation.variance import Spread, error_variance, pooled, run_variance
from tests.ablations.conftest import as_planned
from tests.bench.bench_intervals import runs_by, sums

SIMULATED = {
    30: (0.07, 0.18, 0.16, 0.87),
    40: (0.08, 0.23, 0.20, 0.94),
    198: (0.12, 0.72, 0.61, 1.0),
    500: (0.22, 0.98, 0.95, 1.0),
    674: (0.27, 1.0, 0.99, 1.0),
}
"""Problems -> power for 3.2 and 10 points with 1 and 16 samples, by simulation of a paired test on
AIME24, AMC23, GPQA-D, MATH-500 and OlympiadBench, difficulty shared by the arms."""


@pytest.mark.parametrize("problems", SIMULATED)
def test_power_is_that_of_a_simulated_paired_test_of_two_runs(problems):
    designs = [(gap, Design(problems, k)) for gap in (0.032, 0.1) for k in (1, 16)]
    found = [power(gap, design, Assumptions(seed_sd=0)) for gap, design in designs]
    assert found == pytest.approx(SIMULATED[problems], abs=0.06)


@pytest.mark.parametrize("seeds", [(1, 1), (3, 3), (5, 5), (1, 5)])
@pytest.mark.parametrize("problems", [30, 500])
def test_what_is_detectable_is_found_with_the_stated_power(problems, seeds):
    design = Design(problems, 4, seeds)
    assert power(detectable(design, Assumptions()), design, Assumptions()) == pytest.approx(
        POWER, abs=1e-3
    )


@pytest.mark.parametrize("arms", [0, 18])
@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_equal_arms_are_found_different_in_about_5_percent_or_less(seeds, arms):
    found = power(0, Design(30, 4, (seeds, seeds), arms), Assumptions())
    assert (0.025 if seeds < 5 else 0.04) <= found <= (0.06 if seeds == 2 and not arms else 0.0501)


def simulated(gap, design, assumed, studies, seed=12):
    """Share of studies whose test at 5 % finds two arms different; the others are only pooled.

    The spread of runs differs between studies as `Assumptions.seed_freedom` says.
    """
    rng, arms, many = np.random.default_rng(seed), max(design.arms, 2), (studies, 1, 1, 1)
    n, seeds = design.problems, design.seeds[0]
    ratio = rng.chisquare(assumed.seed_freedom, many) / assumed.seed_freedom
    skill = assumed.seed_sd / np.sqrt(ratio) * rng.standard_normal((studies, arms, 1, seeds))
    taste = assumed.interaction_sd / np.sqrt(2) * rng.standard_normal((studies, arms, n, 1))
    width = np.sqrt(12 * assumed.correlation * 0.25)
    difficulty = 0.5 + width * (rng.random((studies, 1, n, 1)) - 0.5)
    shift = np.zeros((1, arms, 1, 1))
    shift[0, :2, 0, 0] = gap / 2, -gap / 2
    chance = np.clip(difficulty + shift + taste + skill, 0, 1)
    shares = rng.binomial(design.samples, chance) / design.samples
    weights = np.array([1.0, -1.0] + [0.0] * (arms - 2))
    *_, p = sums("moderated", shares.mean(axis=3), weights, runs_by("moderated", shares))
    return (p < 0.05).mean()


@pytest.mark.parametrize("arms", [0, 12])
@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("seed_sd", [0.02, 0.06])
def test_power_is_that_of_the_test_where_the_spread_of_runs_is_not_known(seed_sd, seeds, arms):
    """Most of the variance is of problems at 2 points, of runs at 6."""
    design = Design(60, 4, (seeds, seeds), arms)
    assumed = Assumptions(correlation=0.1, interaction_sd=0.05, seed_sd=seed_sd)
    for gap in (0.1, 0.18):
        found = simulated(gap, design, assumed, 700)
        assert power(gap, design, assumed) == pytest.approx(found, abs=0.055)


def test_a_spread_that_is_less_well_known_shows_less_and_arms_of_a_section_help():
    assumed = [Assumptions(seed_sd=0.06, seed_freedom=known) for known in (4, 14, np.inf)]
    found = [detectable(Design(500, 16, (3, 3), 10), one) for one in assumed]
    assert found == sorted(found, reverse=True) and found[0] > 1.05 * found[2]
    helped = [detectable(Design(500, 16, (3, 3), arms), assumed[1]) for arms in (0, 2, 4, 18)]
    assert helped[0] == helped[1] > helped[2] > helped[3]
    once = [detectable(Design(500, 16, (1, 1), arms), assumed[1]) for arms in (0, 18)]
    assert once[0] == once[1], "single runs have no spread to share"


def test_more_problems_samples_or_seeds_never_detect_less():
    sizes = [detectable(Design(n, 1), Assumptions()) for n in (30, 100, 500)]
    samples = [detectable(Design(30, k), Assumptions()) for k in (1, 4, 16)]
    seeds = [detectable(Design(500, 1, (s, s)), Assumptions()) for s in (2, 3, 5, 10)]
    assert all(sorted(values, reverse=True) == values for values in (sizes, samples, seeds))


@pytest.mark.parametrize("seeds", [(1, 1), (3, 3)])
def test_one_problem_shows_nothing(seeds):
    one = pd.DataFrame([[1.0] * seeds[0]])
    assert detectable(Design(1, 4, seeds), Assumptions()) == float("inf")
    assert equivalence_margin(Design(1, 4, seeds), Assumptions()) == float("inf")
    assert equivalence_margin(Design(2, 4, seeds), Assumptions()) < float("inf")
    assert measured(one, one, 4) == Assumptions()


@pytest.mark.parametrize(("samples", "seeds"), [(16, 5), (1, 5), (16, 1)])
def test_variances_are_measured_back_from_arms_that_have_them(samples, seeds):
    rng = np.random.default_rng(13)
    difficulty, arms = rng.uniform(0.2, 0.8, (4000, 1)), []
    for _ in range(2):
        chance = difficulty + rng.normal(0, 0.05, (4000, 1)) + rng.normal(0, 0.03, (1, seeds))
        arms.append(pd.DataFrame(rng.binomial(samples, np.clip(chance, 0, 1)) / samples))
    found = measured(*arms, samples)
    assert found.accuracy == pytest.approx(0.5, abs=0.05)
    assert found.answer_variance == pytest.approx(0.25 - 0.6**2 / 12 - 0.05**2, abs=0.01)
    assert found.interaction_sd == pytest.approx(0.05 * np.sqrt(2), abs=0.02)
    usual = Assumptions().seed_sd
    assert found.seed_sd == (usual if seeds == 1 else pytest.approx(0.03, abs=0.02))


@pytest.mark.parametrize("given", [None, Spread(0.02, 9.5, 0.001, frozenset())])
def test_the_spread_of_runs_is_by_hand_that_of_the_arms_that_have_several(given):
    rng = np.random.default_rng(17)
    arm, once = (pd.DataFrame((rng.random((50, s)) < 0.6) * 1.0) for s in (4, 1))
    for pair in ((arm, once), (once, arm), (arm, arm.iloc[:, :2].add_prefix("b"))):
        found = measured(*pair, 1, given)
        spread = given or pooled(list(pair))
        several = [one for one in pair if one.shape[1] > 1]
        of_runs = [
            run_variance(one, spread)[0] - error_variance(one.to_numpy()) / 50 for one in several
        ]
        assert found.seed_sd == pytest.approx(np.sqrt(max(0, np.mean(of_runs))))
        assert found.seed_freedom == spread.freedom
    single = measured(once, once[::-1].set_axis(once.index), 1, given)
    assert (single.seed_sd, single.seed_freedom) == (0.035, 14)


@pytest.fixture
def planned(studies):
    """(overrides) -> the cells of `smoke` as a plan has them; nothing is looked up on disk."""

    def make(*overrides):
        return as_planned(studies.cells("smoke", [*overrides]))

    return make


def printed(planned):
    console = Console(width=160, record=True, file=StringIO())
    console.print(study_design.power_table(planned))
    return console.export_text()


def test_seeds_of_an_arm_are_counted_and_the_base_has_one(planned):
    rows = study_design.frame(planned("training.seed=0,1,2"))
    seeds = {(row.trained, row.design.seeds) for row in rows.itertuples()}
    assert seeds == {(True, (3, 3)), (False, (1, 3))}


def test_the_plan_says_what_it_could_show_and_that_greedy_samples_repeat(planned):
    text = printed(planned())
    design = Design(32, 1)
    assert f"{100 * detectable(design, Assumptions(seed_sd=0)):.1f}" in text
    assert "more samples gain nothing" in text
    drawn = printed(planned("evaluation.sampling.temperature=0.6"))
    assert "more samples gain nothing" not in drawn


def test_the_scatter_of_seeds_is_measured_where_it_is_recorded_and_stands_in_the_plan(
    make_run, planned, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert "as measured" not in printed(planned())
    rng, seed_sd = np.random.default_rng(14), 0.06
    chance = rng.uniform(0.3, 0.7, 1500)
    arms = ["corruption=none", *(f"corruption=delete_steps corruption.fraction={f}" for f in "1")]
    shifts = rng.normal(0, seed_sd, (len(arms), 8))
    for at, arm in enumerate(arms):
        for seed, shift in enumerate(shifts[at]):
            right = (rng.random(1500) < chance + shift).tolist()
            make_run([*arm.split(), f"training.seed={seed}"], right, f"{at}{seed}")
    (spread,) = seed_spread.frame(tmp_path / "runs" / "smoke").itertuples()
    assert (spread.arms, spread.fewest_seeds, spread.most_seeds) == (2, 8, 8)
    true = float(np.sqrt(shifts.var(axis=1, ddof=1).mean()))
    assert spread.seed_sd == pytest.approx(true, abs=0.02)
    assert f"as measured: {100 * spread.seed_sd:.1f} in sign_puzzle, micro" in printed(planned())


def test_without_a_correct_arm_nothing_is_promised(planned):
    rows = study_design.frame([one for one in planned() if "corruption=none" not in one.cell.label])
    assert rows["design"].tolist() == [None] * len(rows) and len(rows)
    assert "?" in printed([one for one in planned() if "corruption=none" not in one.cell.label])


def test_recipes_trained_once_differ_by_as_much_as_their_seeds_scatter_by():
    """Single runs of two equal recipes, simulated: 2.8 of their standard deviations are found."""
    rng, found = np.random.default_rng(15), []
    assumed = Assumptions(0.5, 0.4**2 / 12 / 0.25, 0.05, seed_sd=0.06, seed_freedom=np.inf)
    for _ in range(3000):
        difficulty = rng.uniform(0.3, 0.7, 400)
        likes = rng.normal(0, assumed.interaction_sd / np.sqrt(2), (2, 400))
        skill = rng.normal(0, assumed.seed_sd, (2, 1))
        right = rng.random((2, 400)) < np.clip(difficulty + likes + skill, 0, 1)
        found.append(np.subtract(*right.mean(axis=1)))
    apart = detectable(Design(400, 1), assumed)
    assert apart / np.std(found) == pytest.approx(1.96 + 0.84, rel=0.05)
    assert detectable(Design(400, 1), replace(assumed, seed_sd=0.0)) < 0.6 * apart


def test_more_seeds_help_where_seeds_scatter_and_more_samples_do_not():
    assumed = Assumptions(seed_sd=0.1)
    few, more_seeds, more_samples = (
        detectable(design, assumed)
        for design in (Design(500, 1, (3, 3)), Design(500, 1, (6, 6)), Design(500, 16, (3, 3)))
    )
    assert more_seeds < 0.7 * few
    assert more_samples > 0.9 * few


@pytest.mark.parametrize("problems", [4, 12])
def test_where_only_problems_vary_any_number_of_seeds_has_their_degrees_of_freedom(problems):
    assumed = Assumptions(seed_sd=0.0)
    once, often = (
        detectable(Design(problems, 10**6, seeds), assumed) for seeds in ((1, 1), (50, 50))
    )
    assert often == pytest.approx(once, rel=3e-3)


def test_where_only_runs_vary_by_a_known_spread_and_are_many_the_test_is_normal():
    assumed = Assumptions(seed_sd=0.02, interaction_sd=0.0, seed_freedom=np.inf)
    found = detectable(Design(10**6, 10**6, (200, 200), 50), assumed)
    assert found / (0.02 * np.sqrt(2 / 200)) == pytest.approx(1.96 + 0.8416, rel=0.01)
    beside = detectable(Design(10**6, 10**6, (1, 200), 50), assumed)
    assert beside == pytest.approx(found / np.sqrt(2), rel=0.01), "one run next to several"


def test_an_effect_that_no_two_arms_could_have_is_more_than_100_points():
    design = Design(2, 1)
    assert 1 < detectable(design, Assumptions()) < float("inf")
    assert study_design.detectable_effects(design, Assumptions(), False, True)[1] == "> 100"
    assert study_design.detectable_effects(Design(1, 1), Assumptions(), False, True)[1] == "> 100"


@pytest.mark.parametrize("greedy", [True, False])
@pytest.mark.parametrize("seeds", [(1, 1), (1, 3), (3, 3), (5, 5), (5, 3)])
def test_what_more_seeds_and_samples_would_show_stands_only_where_it_is_more(seeds, greedy):
    assumed, trained = Assumptions(), seeds[0] >= seeds[1]
    design = Design(100, 4, seeds)
    told = study_design.detectable_effects(design, assumed, greedy, trained)

    def points(seeds, samples=4, assumed=assumed):
        return f"{100 * detectable(Design(100, samples, seeds), assumed):.1f}"

    fixed = replace(assumed, seed_sd=0.0)
    assert told[0] == (f"{seeds[0]}" if seeds[0] == seeds[1] else f"{seeds[0]} to {seeds[1]}")
    assert told[1] == points(seeds, assumed=fixed)
    assert told[2] == ("" if seeds == (1, 1) else points(seeds))
    for text, more in zip(told[3:5], (3, 5), strict=True):
        asked = (more if trained else 1, more)
        has = seeds[0] >= asked[0] and seeds[1] >= asked[1]
        assert text == ("" if has else points(asked)), more
    recipes = fixed if seeds == (1, 1) else assumed
    assert told[5] == ("" if greedy else points(seeds, 16, recipes))
    assert (
        study_design.detectable_effects(replace(design, samples=16), assumed, greedy, trained)[5]
        == ""
    )


def test_two_equal_arms_are_shown_to_be_equal_as_often_as_the_margin_promises():
    assumed = Assumptions(seed_sd=0.0)
    margin = equivalence_margin(Design(400, 4), assumed)
    freedom = 399
    error = np.sqrt((0.1**2 + 2 * (2 / 3) * 0.25 / 4) / 400)
    draws = np.random.default_rng(0)
    value = error * draws.standard_normal(100_000)
    estimated = error * np.sqrt(draws.chisquare(freedom, 100_000) / freedom)
    shown = np.abs(value) + stats.t.ppf(0.95, freedom) * estimated < margin
    assert shown.mean() == pytest.approx(POWER, abs=0.02)


@pytest.mark.parametrize("points", [4, 6])
def test_the_runs_for_a_half_width_are_the_fewest_by_the_t_interval_of_two_groups(points):
    """Only runs vary, and two arms alone tell how much."""
    assumed = Assumptions(interaction_sd=0.0, seed_sd=0.03, seed_freedom=np.inf)
    design = Design(10**6, 10**6)
    found = runs_for(points / 100, design, assumed, 50)

    def half(runs):
        t = stats.t.ppf(0.975, 2 * (runs - 1))
        median = stats.chi2.ppf(0.5, 2 * (runs - 1)) / (2 * (runs - 1))
        return 100 * t * np.sqrt(2 * 0.03**2 / runs * median)

    expected = next(runs for runs in range(2, 50) if half(runs) <= points)
    assert abs(found - expected) <= 1
    assert runs_for(1e-4, design, assumed, 20) == 21
    assert runs_for(points / 100, Design(10**6, 10**6, arms=18), assumed, 50) <= found


@pytest.mark.parametrize("seed", range(20))
def test_the_detectable_difference_is_that_of_a_plain_bisection(seed):
    rng = np.random.default_rng([20261128, seed])
    seeds = tuple(int(one) for one in rng.choice([1, 2, 3, 5], 2))
    design = Design(int(rng.choice([2, 30, 400])), int(rng.choice([1, 16])), seeds, 5)
    accuracy, seed_sd = float(rng.choice([0.02, 0.5])), float(rng.choice([0.0, 0.001, 0.2]))
    assumed = Assumptions(
        accuracy, seed_sd=seed_sd, seed_freedom=float(rng.choice([1, 14, np.inf]))
    )
    least, most = 0.0, 1.0
    while power(most, design, assumed) < POWER:
        least, most = most, 2 * most
    while most - least > 1e-5 * most:
        middle = (least + most) / 2
        found = power(middle, design, assumed) < POWER
        least, most = (middle, most) if found else (least, middle)
    assert detectable(design, assumed) == most
