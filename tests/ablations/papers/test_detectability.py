"""Which published differences could be shown."""

import pytest

from ablations.papers import detectability
from ablations.papers.comparison import AVERAGE
from ablations.reference import published
from ablations.statistics.power import Assumptions


@pytest.fixture(scope="module")
def changes():
    return detectability.frame()


def test_every_damaged_arm_stands_on_four_benchmarks_and_their_average(changes):
    assert len(changes) == 17 * 5
    assert changes.groupby("row").size().eq(5).all()
    assert set(changes["kind"]) == {"content", "structure"}


def test_changes_are_those_of_the_published_scores(changes):
    wrong = changes[changes["row"] == "wrong answers 100 %"].set_index("benchmark")["change"]
    assert wrong["aime24"] == pytest.approx(0.300 - 0.400)
    assert wrong[AVERAGE] == pytest.approx(wrong.drop(AVERAGE).mean())
    theirs = published("table2")
    printed = theirs[theirs["benchmark"] == AVERAGE]
    correct = printed[(printed["method"] != "none") & (printed["corruption"] == "none")]["value"]
    ours = printed[printed["corruption"] == "wrong_answers"]["value"].item() - correct.item()
    assert wrong[AVERAGE] == pytest.approx(ours, abs=1e-4)


def test_more_problems_show_less_and_other_seeds_cost_power(changes):
    by_benchmark = changes.groupby("benchmark")["detectable"].mean()
    assert by_benchmark["olympiadbench"] < by_benchmark["amc23"] < by_benchmark["aime24"]
    assert (changes["detectable_recipes"] > changes["detectable"]).all()
    single = changes[changes["benchmark"] != AVERAGE]
    moved = single[(single["change"].abs() > 0.001) & (single["power"] < 0.999)]
    assert len(moved) > 40 and (moved["power_recipes"] < moved["power"]).all()


def test_a_change_that_is_as_large_as_detectable_has_the_power_it_is_named_for(changes):
    single = changes[changes["benchmark"] != AVERAGE]
    larger = single["change"].abs() >= single["detectable"]
    assert (single["power"] >= 0.8).eq(larger).all()
    assert 0 < larger.sum() < len(single)


def test_the_least_p_is_the_smallest_that_any_arrangement_of_the_answers_has(changes):
    import pandas as pd

    from ablations.statistics.significance import mcnemar

    aime = changes[changes["benchmark"] == "aime24"].set_index("row")
    one = aime.loc["random digits 50 %"]
    assert round(30 * one["change"]) == -1
    arms = [pd.Series([float(i < n) for i in range(30)]) for n in (11, 12)]
    apart = pd.Series([float(i >= 19) for i in range(30)])
    assert one["least_p"] == mcnemar(*arms)
    assert mcnemar(apart, arms[1]) > one["least_p"]


def test_without_scatter_of_seeds_the_recipes_are_these_runs():
    found = detectability.frame(Assumptions(seed_sd=0.0))
    assert found["detectable_recipes"].tolist() == pytest.approx(found["detectable"].tolist())


def test_the_average_over_more_problems_shows_less_than_its_smallest_benchmark(changes):
    by_benchmark = changes.groupby("benchmark")["detectable"].mean()
    assert by_benchmark[AVERAGE] < by_benchmark["amc23"]


def test_texts_are_in_points_with_one_digit(changes):
    one = changes[changes["benchmark"] == "math500"].reset_index(drop=True)
    header, rows = (made := detectability.grid(one, "x")).header, made.rows
    columns = {
        "published change": ("change", "{:+.1f}"),
        "detectable, these runs": ("detectable", "{:.1f}"),
        "detectable, the recipes": ("detectable_recipes", "{:.1f}"),
    }
    for title, (column, form) in columns.items():
        texts = [row[header.index(title)] for row in rows]
        assert texts == [form.format(100 * value) for value in one[column]]
        assert len(set(texts)) > 1 or column != "change"


def test_texts_and_figure_tell_the_same_arms_in_the_tables_order(changes):
    average = changes[changes["benchmark"] == AVERAGE]
    rows = [row[0] for row in detectability.grid(average, "average").rows]
    assert rows[:4] == ["wrong answers 100 %", *(f"random digits {n} %" for n in (20, 50, 70))]
    assert "least p" not in detectability.grid(average, "average").header
    aime = detectability.grid(changes[changes["benchmark"] == "aime24"], "AIME24")
    assert dict(zip(aime.header, aime.rows[2], strict=True))["published change"] == "-3.3"
    assert aime.header[-1] == "least p"
    axis = detectability.figure(average).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == rows[::-1]
    told = detectability.sentence(changes)
    assert told.startswith("Of 68 published changes")
    assert "Of 8 changes of the average by damage to content" in told
