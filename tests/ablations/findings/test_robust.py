"""Structure against content, whichever damage is counted."""

import numpy as np
import pandas as pd
import pytest

from ablations.findings import robust
from ablations.findings.robust import AMOUNT, EQUAL_RATES, SLOPE
from ablations.results.arms import destroys_label
from ablations.results.responses import GRADED
from ablations.results.runs import runs, samples
from distill.store.identity import CHECKOUT

N = 100
ONCE = "In these runs, each trained once,"


@pytest.fixture
def made(make_run, tmp_path):
    """({operator and rate: right answers of N, or of each seed}) -> runs, samples."""

    def make(arms):
        for number, (named, right) in enumerate(arms.items()):
            corruption, fraction = named.split() if " " in named else (named, "")
            asked = [f"corruption={corruption}"]
            asked += [f"corruption.fraction={fraction}"] if fraction else []
            for seed, count in enumerate(right if isinstance(right, tuple) else (right,)):
                answers = [i < count for i in range(N)]
                make_run([*asked, f"training.seed={seed}"], answers, f"{number}f{seed}")
        return runs(tmp_path / "runs"), samples(tmp_path / "runs")

    return make


def values(rows, measure=SLOPE, destroyed=False):
    """Operator left out -> points."""
    mine = rows[(rows["measure"] == measure) & (rows["destroyed"].map(bool) == destroyed)]
    return dict(zip(mine["left_out"], (100 * mine["value"]).round(6), strict=True))


STABLE = {
    "none": 98,
    "random_digits 0.5": 90,
    "remove_keywords 0.5": 94,
    "shuffle_steps 0.5": 30,
    "delete_steps 0.5": 40,
}
TURNED = STABLE | {"random_digits 0.5": 8, "shuffle_steps 0.5": 40, "delete_steps 0.5": 42}


def test_every_operator_is_left_out_in_turn(made):
    rows = robust.frame(*made(STABLE))
    cost = {"random digits": 16, "keywords removed": 8, "steps shuffled": 136, "steps deleted": 116}
    kinds = (list(cost)[2:], list(cost)[:2])

    def contrast(out):
        structure, content = (np.mean([cost[n] for n in kind if n != out]) for kind in kinds)
        return pytest.approx(content - structure)

    assert values(rows) == {out: contrast(out) for out in ("", *cost)}
    assert values(rows, EQUAL_RATES) == {out: value / 2 for out, value in values(rows).items()}
    first = rows.iloc[0]
    assert (first["structure"], first["content"]) == kinds
    assert rows["doses"].tolist() == [[0.5]] * len(rows)


def test_a_difference_of_one_sign_whatever_is_left_out_is_said_plainly(made):
    rows = robust.frame(*made(STABLE))
    said, *rest = robust.sentences(rows, 5)
    assert robust.is_stable(rows)
    assert said.startswith(
        f"{ONCE} damage to the structure costs more than damage to the content, whichever damage "
        "is counted: from no to full damage -114.0 points of accuracy, 95 % interval ["
    )
    assert said.endswith(f"n = {N} problems, another seed may reverse it.")
    assert rest[0] == "It is -124.0 to -104.0 leaving out one operator at a time."
    assert rest[1].startswith("At equal corruption rates (50 %) structure minus content is -57.0 [")
    assert rest[2:] == ["How much of the text was changed is not known of these runs."]


def test_a_difference_that_one_operator_turns_depends_on_which_damage_is_counted(made):
    rows = robust.frame(*made(TURNED))
    assert not robust.is_stable(rows)
    assert values(rows) == pytest.approx(
        {
            "": -114 + 94,
            "random digits": -114 + 8,
            "keywords removed": -114 + 180,
            "steps shuffled": -112 + 94,
            "steps deleted": -116 + 94,
        }
    )
    said, rest, *_ = robust.sentences(rows, 5)
    assert said.startswith(
        f"{ONCE} whether damage to the structure costs more than damage to the content depends on "
        "which damage is counted: from no to full damage -20.0 points of accuracy"
    )
    assert "without keywords removed it costs less (+66.0 [" in said
    assert "without random digits" not in said
    assert rest == "It is -106.0 to +66.0 leaving out one operator at a time."


CHANGED = {"random_digits": 0.01, "remove_keywords": 0.01, "shuffle_steps": 0.8, "delete_steps": 1}


def test_equal_amounts_of_text_can_reverse_what_equal_rates_say(made):
    done, rows = made(STABLE)
    found = robust.frame(done.assign(changed=done["corruption"].map(CHANGED)), rows)
    slopes = {name: (98 - STABLE[f"{name} 0.5"]) / share for name, share in CHANGED.items()}
    structure, content = np.reshape([*slopes.values()], (2, 2))[::-1].mean(axis=1)
    assert values(found, AMOUNT)[""] == pytest.approx((content - structure) / 10)
    assert values(found, AMOUNT)[""] == pytest.approx(52.85)
    assert values(found) == values(robust.frame(done, rows))
    said, *_, last = robust.sentences(found, 5)
    assert "depends on which damage is counted" in said
    assert "; per 10 % of the text changed it costs less (+52.8 [" in said
    assert last.startswith("Per 10 % of the text changed structure minus content is +52.8 [")


def test_where_the_amount_of_one_arm_is_not_known_no_number_is_made_up(made):
    done, rows = made(STABLE)
    known = done.assign(changed=done["corruption"].map(CHANGED | {"delete_steps": float("nan")}))
    found = robust.frame(known, rows)
    assert AMOUNT not in set(found["measure"])
    assert robust.sentences(found, 5)[-1].startswith("How much of the text was changed is not")


def test_an_amount_is_the_dose_of_every_arm_of_a_line_and_one_of_nothing_is_no_dose(made):
    right = {"none": 90, "random_digits 0.2": 85, "random_digits 0.5": 80, "random_digits 0.7": 70}
    right |= {"shuffle_steps 0.5": 60, "delete_steps 0.5": 90}
    amounts = {0.2: 0.1, 0.5: 0.3, 0.7: 0.3}
    done, rows = made(right)
    changed = [
        {"random_digits": amounts.get(rate), "shuffle_steps": 0.2, "delete_steps": 0.0}.get(name)
        for name, rate in zip(done["corruption"], done["fraction"], strict=True)
    ]
    found = robust.frame(done.assign(changed=changed), rows)
    digits = np.polyfit([0, 0.1, 0.3, 0.3], [90, 85, 80, 70], 1)[0]
    assert values(found, AMOUNT)[""] == pytest.approx((-30 / 0.2 - digits) / 10)


def test_arms_without_a_right_answer_to_learn_from_are_apart(made):
    right = STABLE | {"random_digits 1.0": 0}
    found = robust.frame(*made(right))
    digits = [np.polyfit([0, 0.5], [98, 90], 1)[0], np.polyfit([0, 0.5, 1], [98, 90, 0], 1)[0]]
    expected = [-126 - (slope - 8) / 2 for slope in digits]
    for destroyed, value in zip((False, True), expected, strict=True):
        assert values(found, destroyed=destroyed)[""] == pytest.approx(value)
        assert "random digits" in values(found, destroyed=destroyed)
    assert found.iloc[0]["destroyed"] == []
    assert robust.sentences(found, 5)[-1].startswith(
        "With random digits 100 % counted, too, where no right answer is left to learn from, "
        f"structure minus content is {expected[1]:+.1f} ["
    )
    header, row = robust.grid(found).header, robust.grid(found).rows[0]
    assert [*header[1:4:2]] == [
        "structure minus content, points [95 %]",
        "with random digits 100 %",
    ]
    assert row[0] == "all, from no to full damage"
    assert [text.split()[0] for text in row[1:4:2]] == [f"{value:+.1f}" for value in expected]


def test_where_nothing_else_is_left_such_arms_are_counted_and_it_is_said(made):
    found = robust.frame(*made({"none": 98, "random_digits 1.0": 0, "shuffle_steps 1.0": 30}))
    assert values(found, destroyed=True)[""] == -68 + 98
    assert "(random digits alone)" in robust.sentence(found, 5)
    assert "without which there is nothing to compare" in robust.sentences(found, 5)[-1]


@pytest.mark.parametrize(
    ("corruption", "fraction", "destroys"),
    [
        ("random_digits", 1.0, True),
        ("random_digits", 0.7, False),
        ("random_digits_consistent", 1.0, True),
        ("random_digits_released", 1.0, True),
        ("random_digits_thought", 1.0, False),
        ("wrong_answers", 1.0, False),
        ("delete_steps", 1.0, False),
        ("none", 0.0, False),
    ],
)
def test_damage_to_all_units_of_the_whole_response_leaves_no_answer_as_it_was(
    make_run, tmp_path, corruption, fraction, destroys
):
    make_run([f"corruption={corruption}", f"corruption.fraction={fraction}"], [True], "a")
    assert destroys_label(runs(tmp_path / "runs").iloc[0]) is destroys


def test_one_operator_of_a_kind_is_named_and_no_claim_is_made_of_others(made):
    right = {name: STABLE[name] for name in ("none", "random_digits 0.5", "shuffle_steps 0.5")}
    rows = robust.frame(*made(right))
    assert set(rows["left_out"]) == {""}
    said = robust.sentence(rows, 5)
    assert "structure (steps shuffled alone) costs more than damage to the content (random" in said
    assert "whichever" not in said


def test_all_variants_of_an_operator_are_left_out_together(made):
    right = STABLE | {"random_digits_thought 0.5": 96, "insert_steps 0.5": 50}
    rows = robust.frame(*made(right))
    assert values(rows)["random digits"] == pytest.approx(-(136 + 116 + 96) / 3 + 8)
    assert values(rows)[""] == pytest.approx(-(136 + 116 + 96) / 3 + (16 + 4 + 8) / 3)


def test_a_claim_of_recipes_needs_several_runs_of_every_arm(made):
    several = {name: (right, right + 1, right - 1) for name, right in STABLE.items()}
    rows = robust.frame(*made(several))
    assert robust.sentence(rows, 5).startswith("Damage to the structure costs more than damage")
    assert robust.sentence(rows, 5).endswith(f"n = {N} problems, 3 runs an arm.")
    assert rows["p"].notna().all()


def test_with_one_arm_trained_once_it_is_said_of_these_runs_without_p(made):
    several = {name: (right, right + 1) for name, right in STABLE.items()}
    rows = robust.frame(*made(several | {"random_digits 0.5": 90}))
    with_it = rows["left_out"] != "random digits"
    assert rows["p"].isna().tolist() == with_it.tolist()
    assert robust.sentence(rows, 5).startswith("In these runs, some trained once, damage to the")
    assert robust.grid(rows).rows[0][2] == ""


@pytest.mark.parametrize(("counts", "equal"), [((98, 97, 98), True), ((98, 60, 90), False)])
def test_equality_is_shown_by_two_one_sided_tests_and_not_by_a_large_p(made, counts, equal):
    rows = robust.frame(*made(dict.fromkeys(STABLE, counts)))
    assert (rows["low"] <= 0).all() and (rows["high"] >= 0).all() and (rows["p"] > 0.5).all()
    said = robust.sentence(rows, 30)
    assert ("costs as much (within ±30 points, two one-sided tests) as" in said) is equal
    assert ("cannot be told apart from damage to the content" in said) is not equal
    assert "cannot be told apart" in robust.sentence(rows, 0.1)


def test_equal_rates_count_alike_whatever_else_one_kind_has(made):
    right = {
        "shuffle_steps 0.5": 20,
        "shuffle_steps 1.0": 10,
        "delete_steps 0.5": 40,
        "insert_steps 0.2": 0,
        "random_digits_thought 0.5": 90,
        "random_digits_thought 1.0": 50,
        "remove_keywords 0.5": 80,
    }
    rows = robust.frame(*made(right))
    assert set(rows["measure"]) == {EQUAL_RATES}, "there is no uncorrupted arm"
    at_half, at_full = (20 + 40) / 2 - (90 + 80) / 2, 10 - 50
    assert values(rows, EQUAL_RATES)[""] == pytest.approx((at_half + at_full) / 2)
    assert rows.iloc[0]["doses"] == [0.5, 1.0]
    assert rows.iloc[0]["structure"] == ["steps shuffled", "steps deleted"]
    assert "at equal corruption rates -47.5 points of accuracy" in robust.sentence(rows, 5)


def test_without_a_rate_that_both_kinds_have_only_the_slopes_are_compared(made):
    rows = robust.frame(*made({"none": 98, "shuffle_steps 0.33": 50, "random_digits 0.2": 90}))
    assert set(rows["measure"]) == {SLOPE}
    assert "No corruption rate was run with damage of both kinds." in robust.sentences(rows, 5)


def test_without_operators_of_both_kinds_nothing_is_compared(made):
    rows = robust.frame(*made({"none": 98, "random_digits 0.5": 90}))
    assert rows.empty
    assert "cannot be compared" in robust.sentence(rows, 5)


def test_every_section_has_its_own_answer(make_run, tmp_path):
    for number, name in enumerate(("shuffle_steps", "random_digits")):
        for epochs, right in ((1, [True, True]), (2, [number == 0, True])):
            asked = [f"corruption={name}", "corruption.fraction=0.5", f"training.epochs={epochs}"]
            make_run(asked, right, f"{number}{epochs}")
    found = robust.frame(runs(tmp_path / "runs"), samples(tmp_path / "runs"))
    assert sorted(found["value"]) == pytest.approx([0, 0.5])


RECORDED = CHECKOUT / "analysis" / "results" / "table2"


@pytest.fixture(scope="module")
def recorded():
    done, rows = runs(RECORDED), samples(RECORDED, GRADED)
    return done.drop(columns="changed", errors="ignore"), rows


KINDS = {
    "content": {
        "wrong answers": "wrong_answers",
        "random digits": "random_digits",
        "keywords removed": "remove_keywords",
    },
    "structure": {
        "steps shuffled": "shuffle_steps",
        "steps deleted": "delete_steps",
        "steps inserted": "insert_steps",
    },
}


@pytest.mark.parametrize("destroyed", [False, True])
@pytest.mark.parametrize("student", ["micro", "micro_clean", "micro_seed1"])
def test_recorded_runs_leave_one_operator_out_as_plain_means_of_their_rows(
    recorded, student, destroyed
):
    done, rows = recorded
    mine = rows[(rows["student"] == student) & (rows["method"] != "none")]
    right = mine["correct"].eq(True).groupby([mine["corruption"], mine["fraction"]]).mean()

    def slope(operator):
        arms = right[operator]
        if operator == "random_digits" and not destroyed:
            arms = arms[arms.index < 1]
        return 100 * np.polyfit([0, *arms.index], [right["none"].item(), *arms], 1)[0]

    def mean(kind, out):
        return np.mean([slope(name) for title, name in KINDS[kind].items() if title != out])

    found = robust.frame(done[done["student"] == student], rows)
    names = ["", *KINDS["content"], *KINDS["structure"]]
    assert values(found, destroyed=destroyed) == pytest.approx(
        {out: mean("structure", out) - mean("content", out) for out in names}, abs=1e-5
    )


def test_of_the_recorded_bases_one_has_an_answer_and_two_trained_once_depend(recorded):
    found = robust.frame(*recorded)
    said = {student: robust.sentence(part, 5) for student, part in found.groupby("student")}
    assert said["micro"].startswith("Damage to the structure costs more than damage to the content")
    assert "whichever damage is counted" in said["micro"]
    for student in ("micro_clean", "micro_seed1"):
        assert said[student].startswith(f"{ONCE} whether damage to the structure costs more")
        assert "without keywords removed" in said[student]
    without = found[(found["left_out"] == "keywords removed") & (found["measure"] == SLOPE)]
    counted = without[without["destroyed"].map(bool)].set_index("student")
    ends = (100 * counted[["value", "low", "high"]]).round(1)
    assert ends.loc["micro_clean"].tolist() == [3.3, 0.6, 6.0]
    assert ends.loc["micro_seed1", "value"] == 7.0 and ends.loc["micro_seed1", "low"] > 0


def test_rows_of_a_frame_have_every_column_of_its_contract(recorded):
    done, rows = recorded
    empty = robust.frame(done[done["method"] == "none"], rows)
    assert empty.empty and isinstance(empty, pd.DataFrame)
    assert list(empty) == list(robust.frame(done[done["student"] == "micro"], rows))
