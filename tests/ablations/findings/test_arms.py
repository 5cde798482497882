"""From runs to the table of a study."""

import numpy as np
import pandas as pd
import pytest

from ablations.findings import arms
from ablations.findings.sections import in_sections
from ablations.render import grid
from ablations.results.runs import asked_runs, runs, samples
from ablations.statistics import intervals
from ablations.statistics.significance import holm, mcnemar
from distill.evaluation.variance import pooled

DEMO = {
    "training=none": 0.4,
    "corruption=none": 0.95,
    "corruption=random_digits corruption.fraction=0.67": 0.75,
    "corruption=remove_keywords corruption.fraction=0.67": 0.9,
    "corruption=shuffle_steps corruption.fraction=0.67": 0.2,
    "corruption=delete_steps corruption.fraction=0.67": 0.3,
}


def answers(accuracy, n=60, seed=0):
    """Right and wrong answers of n problems, about this share right."""
    return [bool(x) for x in np.random.default_rng(seed).random(n) < accuracy]


def markdown(table):
    """What a terminal shows of a table of arms."""
    return grid.markdown(arms.grids(table), arms.NOTE)


@pytest.fixture
def demo(make_run, tmp_path):
    """(runs, samples) of the demo's six arms, scores invented."""
    for number, (overrides, accuracy) in enumerate(DEMO.items()):
        make_run(overrides.split(), answers(accuracy, seed=number), f"{number}")
    return runs(tmp_path / "runs"), samples(tmp_path / "runs")


def test_every_arm_is_a_row_in_the_papers_order(demo):
    table = arms.frame(*demo)
    assert table["arm"].tolist() == [
        "base",
        "uncorrupted",
        "random digits 67 %",
        "keywords removed 67 %",
        "steps shuffled 67 %",
        "steps deleted 67 %",
    ]
    assert table["kind"].tolist() == ["base", "uncorrupted", *["content"] * 2, *["structure"] * 2]
    assert (table["problems"] == 60).all()


def test_scores_differences_and_p_are_those_of_the_rows(demo):
    table = arms.frame(*demo).set_index("arm")
    shuffled, correct = (pd.Series(answers(list(DEMO.values())[i], seed=i)) for i in (4, 1))
    arm = table.loc["steps shuffled 67 %"]
    assert arm["accuracy"] == shuffled.mean()
    assert arm["difference"] == pytest.approx(shuffled.mean() - correct.mean())
    expected = intervals.difference(shuffled.astype(float), correct.astype(float))
    ends = arm["difference_low"], arm["difference_high"]
    assert ends == pytest.approx((expected.low, expected.high))
    assert expected.p == mcnemar(shuffled.astype(float), correct.astype(float)) < 0.05
    assert table["p"].isna().all(), "one run says nothing of its recipe"
    assert table["equivalent"].fillna(False).eq(False).all()
    assert pd.isna(table.loc["uncorrupted", "difference"])


def test_seeds_of_one_arm_are_one_row_averaged_by_problem(make_run, tmp_path):
    for seed in range(3):
        make_run([f"training.seed={seed}"], [seed == 0, True], f"{seed}")
    (arm,) = arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs")).to_dict("records")
    assert (arm["problems"], arm["samples"], arm["runs"]) == (2, 1, 3)
    assert arm["accuracy"] == pytest.approx((1 / 3 + 1) / 2)


def test_what_is_trained_otherwise_is_a_section_of_its_own_with_the_base_in_each(
    make_run, tmp_path
):
    make_run(["training=none"], [True, False], "base")
    for name, traces in (("a", 100), ("b", 64)):
        make_run(["corruption=none", f"size.traces={traces}"], [True, True], name)
    table = arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))
    assert table[["size", "arm"]].to_numpy().tolist() == [
        [64, "base"], [64, "uncorrupted"], [100, "base"], [100, "uncorrupted"],
    ]  # fmt: skip
    text = markdown(table)
    assert 0 < text.index("size 64") < text.index("size 100")


def test_sections_that_differ_in_no_column_are_told_apart_by_their_settings(make_run, tmp_path):
    make_run(["training.epochs=1"], [True, True], "a")
    make_run(["training.epochs=2"], [True, False], "b")
    table = arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))
    assert len(table) == 2
    assert markdown(table).count("training_setting") == 2


def test_a_base_alone_is_a_section(make_run, tmp_path):
    make_run(["training=none"], [True, False])
    (arm,) = arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs")).to_dict("records")
    assert arm["arm"] == "base"


def test_arms_that_were_not_run_are_rows_that_say_so(studies, make_run, tmp_path):
    make_run(["corruption=none"], [True, False])
    planned = asked_runs(studies.cells("smoke", ["training.seed=0,1"]))
    table = arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"), planned)
    states = dict(zip(table["arm"], table["state"], strict=True))
    assert states == {"base": "not run", "uncorrupted": "done", "steps shuffled 100 %": "not run"}
    assert markdown(table).count("not run") == 2


def test_variants_and_doses_are_arms_of_their_own(make_run, tmp_path):
    for number, overrides in enumerate(
        (
            "corruption=random_digits corruption.fraction=1.0",
            "corruption=random_digits corruption.fraction=0.2",
            "corruption=random_digits_thought corruption.fraction=0.2",
            "corruption=delete_steps_prefix corruption.fraction=0.2",
        )
    ):
        make_run(overrides.split(), [True, False], f"{number}")
    assert arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))["arm"].tolist() == [
        "random digits 20 %",
        "random digits 100 %",
        "random digits 20 %, thought",
        "steps deleted 20 %, prefix",
    ]


def test_no_number_is_printed_without_its_n_and_interval(demo):
    text = markdown(arms.frame(*demo))
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == len(DEMO)
    for row in rows:
        assert row[2].strip() == "60×1×1"
        assert "[" in row[3]
    assert text.rstrip("\n").endswith(arms.NOTE)


@pytest.fixture
def seeds(make_run, tmp_path):
    """Three runs of each of three trained arms, and the base."""
    make_run(["training=none"], answers(0.3, n=200, seed=99), "base")
    corruptions = ("none", "shuffle_steps corruption.fraction=1.0", "remove_keywords")
    for at, (corruption, share) in enumerate(zip(corruptions, (0.9, 0.2, 0.88), strict=True)):
        words = f"corruption={corruption}".split()
        for seed in range(3):
            made = answers(share - 0.02 * seed, n=200, seed=seed + 10 * at)
            make_run([*words, f"training.seed={seed}"], made, f"{at}{seed}")
    return runs(tmp_path / "runs"), samples(tmp_path / "runs")


def test_p_is_adjusted_for_every_comparison_of_the_section(seeds):
    table = arms.frame(*seeds)
    compared = table[table["p"].notna()]
    assert compared["p_holm"].tolist() == pytest.approx(list(holm(compared["p"])))
    assert (compared["p_holm"] >= compared["p"]).all()
    assert compared["kind"].tolist() == ["base", "content", "structure"]


def test_the_section_s_runs_tell_together_how_much_an_arm_varies(seeds):
    table, (done, rows) = arms.frame(*seeds).set_index("kind"), seeds
    trained = done[done["method"] != "none"]
    shares = {
        kind: intervals.by_seed(rows[rows["cell"].isin(part["cell"])])
        for kind, part in trained.groupby("corruption")
    }
    spread = pooled(shares.values())
    expected = intervals.difference(shares["shuffle_steps"], shares["none"], spread)
    row = table.loc["structure"]
    found = row[["difference", "difference_low", "difference_high", "p"]].tolist()
    assert found == pytest.approx([expected.value, expected.low, expected.high, expected.p])
    alone = intervals.difference(shares["shuffle_steps"], shares["none"])
    assert (alone.low, alone.high) != pytest.approx((expected.low, expected.high), rel=1e-3)
    own = intervals.accuracy(shares["none"], spread)
    assert table.loc["uncorrupted", ["low", "high"]].tolist() == pytest.approx([own.low, own.high])


def test_each_run_stands_in_the_order_of_its_seed_and_the_note_says_which_seeds_varied(seeds):
    table = arms.frame(*seeds)
    each = table.set_index("kind").loc["uncorrupted", "each_run"]
    done = seeds[0]
    clean = done[(done["corruption"] == "none") & (done["method"] != "none")]
    assert list(each) == pytest.approx(clean.sort_values("training_seed")["accuracy"].tolist())
    shown = ", ".join(f"{100 * share:.1f}" for share in each)
    assert f"| {shown} " in markdown(table)
    note = " ".join(arms.note(table).split())
    assert "differ in their training seed; the corruption was drawn once" in note
    assert "trained once" not in note


@pytest.mark.parametrize(
    ("training", "corruption", "said"),
    [
        ((3, 3), (1, 3), "in their training seed and in their corruption seed"),
        ((3, 3), (1, 1), "the corruption was drawn once"),
        ((1, 1), (1, 3), "all were trained with one seed"),
        ((3, 3), (1, 2), "their training seed, their corruption seed or both"),
    ],
)
def test_which_seeds_runs_differ_in_is_said(training, corruption, said):
    rows = pd.DataFrame(
        {
            "kind": ["uncorrupted", "structure"],
            "runs": [3, 3],
            "training_seeds": training,
            "corruption_seeds": corruption,
        }
    )
    assert said in arms.seeds_varied(rows)
    assert arms.seeds_varied(rows.assign(runs=1)) == ""


def test_a_difference_within_the_margin_is_marked_as_equivalent_and_a_large_p_is_not(
    make_run, tmp_path
):
    same = answers(0.9, n=400, seed=1)
    few = [not right if at % 40 == 0 else right for at, right in enumerate(same)]
    far = answers(0.7, n=400, seed=2)
    for name, made in (("none", same), ("remove_keywords", few), ("shuffle_steps", far)):
        for seed in range(3):
            make_run([f"corruption={name}", f"training.seed={seed}"], made, f"{name}{seed}")
    table = arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))
    found = table.set_index("kind")["equivalent"]
    assert found["content"] is True and found["structure"] is False
    note = " ".join(arms.note(table).split())
    assert " ≈ " in markdown(table) and "within ±5 points" in note
    tight = arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"), margin=0.5)
    assert not tight["equivalent"].eq(True).any()


def test_the_margin_of_equivalence_is_in_points(make_run, tmp_path, monkeypatch):
    for name in ("none", "shuffle_steps"):
        for seed in range(2):
            right = answers(0.5, n=40, seed=seed)
            make_run([f"corruption={name}", f"training.seed={seed}"], right, f"{name}{seed}")
    done, margins = (runs(tmp_path / "runs"), samples(tmp_path / "runs")), []
    monkeypatch.setattr(arms.intervals, "equivalent", lambda _, margin: margins.append(margin))
    arms.frame(*done, margin=8)
    assert margins == [0.08]


def test_an_arm_whose_runs_vary_by_far_more_is_marked_and_keeps_its_own_interval(
    make_run, tmp_path
):
    names = ("none", "wrong_answers", "random_digits", "remove_keywords", "delete_steps")
    for at, name in enumerate(names):
        for seed in range(3):
            share = (0.1, 0.5, 0.9)[seed] if name == "delete_steps" else 0.6 + 0.01 * seed
            made = [i < share * 300 for i in range(300)]
            make_run([f"corruption={name}", f"training.seed={seed}"], made, f"{at}{seed}")
    table = arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs")).set_index("kind")
    assert table["apart"].tolist() == [False] * 4 + [True]
    assert "10.0, 50.0, 90.0 ‡" in markdown(table.reset_index())
    assert "vary by more" in " ".join(arms.note(table.reset_index()).split())
    assert table.loc["structure", "high"] - table.loc["structure", "low"] > 0.8


def test_an_interval_over_seeds_is_wider_than_one_that_cannot_see_them(make_run, tmp_path):
    for seed, accuracy in enumerate((0.3, 0.6, 0.9)):
        make_run([f"training.seed={seed}"], answers(accuracy, n=200, seed=9), f"{seed}")
    finished, rows = runs(tmp_path / "runs"), samples(tmp_path / "runs")
    (arm,) = arms.frame(finished, rows).to_dict("records")
    blind = intervals.accuracy(intervals.by_seed(rows).mean(axis=1))
    assert arm["high"] - arm["low"] > 2 * (blind.high - blind.low)


def test_recorded_runs_keep_their_sections_and_gain_the_arms_that_are_missing(
    studies, make_run, tmp_path
):
    overrides = ["training.epochs=2", "student=micro_clean"]
    make_run([*overrides, "corruption=none"], [True, False], "a")
    make_run([*overrides, "training=none"], [True, True], "b")
    done = runs(tmp_path / "runs")
    asked = in_sections(asked_runs(studies.cells("smoke")), done)
    table = arms.frame(done, samples(tmp_path / "runs"), asked)
    assert table["arm"].tolist() == ["base", "uncorrupted", "steps shuffled 100 %"]
    assert table["state"].tolist() == ["done", "done", "not run"]
    assert set(table["student"]) == {"micro_clean"}


def test_arms_in_several_recorded_sections_are_rows_of_their_own(studies, make_run, tmp_path):
    for student in ("micro", "micro_clean"):
        make_run([f"student={student}", "corruption=none"], [True, False], student)
    asked = in_sections(asked_runs(studies.cells("smoke")), runs(tmp_path / "runs"))
    assert set(asked["student"]) == {"micro", "micro_clean"}
    assert asked.index.tolist() == [*range(len(asked))]


def test_what_is_asked_of_a_training_that_no_recorded_run_has_is_a_section_of_its_own(
    studies, make_run, tmp_path
):
    make_run(["corruption=none"], [True, False], "a")
    done = runs(tmp_path / "runs")
    cells = studies.cells("smoke", ["training=micro_lora"])
    table = arms.frame(done, samples(tmp_path / "runs"), in_sections(asked_runs(cells), done))
    states = table.groupby(["training", "arm"])["state"].first().to_dict()
    assert states[("micro_sft", "uncorrupted")] == "done"
    assert states[("micro_lora", "uncorrupted")] == "not run"


def test_runs_of_one_arm_with_different_truncation_are_averaged_and_their_spread_is_kept(
    make_run, tmp_path
):
    right = [True, True, False, False, True, False, True, False]
    for seed, (truncated, shift) in enumerate([(0, 0), (4, 1), (8, 2)]):
        make_run([f"training.seed={seed}"], right[shift:] + right[:shift], f"{seed}", 1, truncated)
    make_run(["corruption=delete_steps"], right, "other", 1, 2)
    finished, rows = runs(tmp_path / "runs"), samples(tmp_path / "runs")
    table = arms.frame(finished, rows).set_index("kind")
    assert table["truncated"].to_dict() == {"uncorrupted": 0.5, "structure": 0.25}
    assert table["runs"].to_dict() == {"uncorrupted": 3, "structure": 1}
    cells = {arms_of: part["cell"].unique() for arms_of, part in rows.groupby("training_seed")}
    assert rows.groupby("training_seed")["truncated"].mean().to_dict() != {0: 0.5, 1: 0.5, 2: 0.5}
    assert sorted(map(len, cells.values())) == [1, 1, 2]


def test_several_samples_of_a_problem_are_one_share_of_it(make_run, tmp_path):
    first = [[True, False, False], [True, True, True], [False] * 3, [True, True, False]]
    second = [[False] * 3, [True, True, False], [False] * 3, [None, True, False]]
    make_run(["corruption=none"], first, "a")
    make_run(["corruption=delete_steps"], second, "b")
    table = arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs")).set_index("kind")
    reference = pd.Series([1 / 3, 1, 0, 2 / 3])
    damaged = pd.Series([0, 2 / 3, 0, 1 / 3])
    assert (table["samples"] == 3).all() and (table["problems"] == 4).all()
    assert table["accuracy"].tolist() == pytest.approx([reference.mean(), damaged.mean()])
    expected = intervals.difference(damaged.to_frame(), reference.to_frame())
    row = table.loc["structure"]
    assert row["difference"] == pytest.approx(expected.value) and pd.isna(row["p"])
    ends = row["difference_low"], row["difference_high"]
    assert ends == pytest.approx((expected.low, expected.high))
    assert "4×3×1" in markdown(table.reset_index())


def test_which_operators_damage_content_and_which_structure(make_run, tmp_path):
    operators = {
        "wrong_answers": "content",
        "random_digits": "content",
        "remove_keywords": "content",
        "shuffle_steps": "structure",
        "delete_steps": "structure",
        "insert_steps": "structure",
    }
    for number, name in enumerate(operators):
        make_run([f"corruption={name}", "corruption.fraction=1.0"], [True, False], f"{number}")
    make_run(["corruption=none"], [True, False], "none")
    make_run(["training=none"], [True, False], "base")
    table = arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))
    found = dict(zip(table["corruption"], table["kind"], strict=True))
    base = table[table["method"] == "none"]
    assert base["kind"].tolist() == ["base"]
    assert found == operators | {"none": "uncorrupted"}


def test_seeds_with_other_answers_widen_what_their_mean_would_have(make_run, tmp_path):
    for seed in range(2):
        make_run([f"training.seed={seed}"], [seed == 0] * 30, f"{seed}")
    make_run(["corruption=delete_steps"], [True] * 10 + [False] * 20, "d")
    table = arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs")).set_index("kind")
    shares = pd.DataFrame({0: [1.0] * 30, 1: [0.0] * 30})
    expected = intervals.accuracy(shares, pooled([shares]))
    row = table.loc["uncorrupted"]
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))
    assert row["high"] - row["low"] > 0.9


@pytest.mark.parametrize("training", ["micro_sft", "micro_lora"])
def test_the_base_comes_first_whatever_method_trained_the_others(make_run, tmp_path, training):
    make_run([f"training={training}"], [True, False], "a")
    make_run([f"training={training}", "corruption=delete_steps"], [True, False], "b")
    make_run(["training=none"], [True, False], "c")
    table = arms.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))
    assert table["kind"].tolist() == ["base", "uncorrupted", "structure"]
