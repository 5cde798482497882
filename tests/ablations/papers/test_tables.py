"""Arms made by hand find their rows in the papers' tables, and the numbers there are theirs."""

import math

import pandas as pd
import pytest

from ablations.papers import tables
from ablations.papers.comparison import AVERAGE, AVERAGED, STANDS_IN
from ablations.papers.tables import PAPERS, paper_title
from ablations.reference import published
from ablations.results.arms import ARM, arm_name

RUN = {"state": "done", "accuracy": 0.5, "low": 0.4, "high": 0.7, "tokens": 300, "keywords": 7,
       "majority": 0.6, "accuracy_boxed": 0.45, "undecided": 0.01, "problems": 30, "samples": 4,
       "runs": 2, "difference": -0.1, "difference_low": -0.3, "difference_high": 0.05}  # fmt: skip


def arm(**told):
    """A finished arm of the columns that a comparison reads, except for what is told."""
    named = {"benchmark": "aime24", "student": "qwen2_5_7b", "training": "sft", "size": 17_000}
    named |= {"teacher": "qwq_32b_preview", "method": "sft", "corruption": "none", "fraction": 0.0}
    return dict.fromkeys(ARM) | named | RUN | told


def damaged(kind, fraction, **told):
    plain = {"mode": None, "unit": None, "scope": None, "steps": None}
    (theirs,) = (
        row
        for _, row in published("table2").drop_duplicates(["corruption", "fraction"]).iterrows()
        if (row["corruption"], row["fraction"]) == (kind, fraction)
    )
    return arm(corruption=kind, fraction=fraction, **{n: theirs[n] for n in plain}, **told)


def ours(table, *arms):
    """Rows of our finished arms."""
    made = PAPERS[table][0](pd.DataFrame(arms))
    return made[made["state"] == "done"]


def rows_of(table, *told):
    """The row of each arm."""
    arms = [arm(**one, accuracy=at / 64) for at, one in enumerate(told)]
    made = ours(table, *arms).query("metric == 'accuracy'")
    rows = dict(zip(made["ours"], made["row"], strict=True))
    return [rows[one["accuracy"]] for one in arms]


def test_a_row_of_table_1_is_method_and_size_as_the_paper_rounds_it():
    sizes = {1000: "1k", 4618: "4.6k", 950: "0.95k", 16_710: "17k", 114_000: "110k"}
    rows = rows_of("table1", *({"size": size} for size in sizes))
    assert rows == [f"full fine-tuning, {shown} traces" for shown in sizes.values()]
    others = {"method": "none", "size": None}, {"method": "other", "student": "o1_preview"}
    assert rows_of("table1", {"method": "lora"}, others[0]) == ["LoRA, 17k traces", "base"]
    assert rows_of("table1", others[1]) == ["o1-preview"]


def test_a_row_of_table_3_has_the_teacher_before_what_table_1_has():
    rows = rows_of("table3", {}, {"teacher": "deepseek_r1"}, {"method": "none"})
    trained = "full fine-tuning, 17k traces"
    assert rows == [f"QwQ-32B-Preview, {trained}", f"DeepSeek-R1, {trained}", "base"]
    assert rows_of("table3", {"method": "other", "student": "o1_mini"}) == ["OpenAI-o1-mini"]


def test_traces_of_table_4_are_short_if_they_are_of_numina_cot_and_of_nobody_else():
    numina, others = ("numina_cot", "AI-MO/NuminaMath-CoT"), ("a", "deepseek_r1", "qwq_32b_preview")
    for teachers, row in ((numina, "short traces"), (others, "long traces")):
        assert set(ours("table4", *(arm(teacher=one) for one in teachers))["row"]) == {row}
    untrained = (arm(teacher=one, method="none") for one in (*numina, *others))
    assert set(ours("table4", *untrained)["row"]) == {"base"}


@pytest.mark.parametrize("table", ["r1_table5", "r1_table6"])
def test_a_row_of_the_r1_paper_is_the_student_and_how_it_was_made(table):
    made = {"none": "untrained", "sft": "distilled", "lora": "lora", "rl": "reinforcement learning"}
    rows = [*(f"Qwen2.5-7B, {words}" for words in made.values()), "Qwen2.5-7B"]
    assert rows_of(table, *({"method": method} for method in (*made, "other"))) == rows


@pytest.mark.parametrize("table", ["table1", "table3", "table4", "r1_table5", "r1_table6"])
def test_damaged_arms_are_in_no_table_but_those_of_damage(table):
    both = ours(table, arm(), damaged("delete_steps", 0.67, accuracy=0.1))
    assert set(both.query("metric == 'accuracy'")["ours"]) == {0.5}


@pytest.mark.parametrize(
    ("table", "kind"),
    [("table5", "delete_steps"), ("table6", "insert_steps"), ("table7", "shuffle_steps")],
)
def test_tables_of_lengths_have_their_operator_and_trained_uncorrupted_traces(table, kind):
    kinds = ("delete_steps", "insert_steps", "shuffle_steps", "random_digits")
    others = [damaged(one, 1.0 if one != "random_digits" else 0.7) for one in kinds if one != kind]
    made = ours(table, arm(), arm(method="none"), damaged(kind, 0.67), *others)
    assert set(made["row"]) == {"uncorrupted", arm_name(damaged(kind, 0.67))}
    for _, row in made.groupby("row"):
        assert dict(zip(row["metric"], row["ours"], strict=True)) == {"tokens": 300, "keywords": 7}


def test_rows_are_in_the_papers_order_and_those_that_only_we_have_follow():
    mine = arm(size=500), arm(size=7_000), arm(size=300)
    rows = list(dict.fromkeys(tables.table1(pd.DataFrame(mine))["row"]))
    theirs = list(dict.fromkeys(tables.table1(pd.DataFrame([arm()]))["row"]))
    assert rows == [
        *theirs[:-4],
        *theirs[-4:],
        "full fine-tuning, 0.5k traces",
        "full fine-tuning, 0.3k traces",
    ]
    benchmarks = tables.table1(pd.DataFrame([arm(benchmark="x"), arm(benchmark="amc23")]))
    assert list(dict.fromkeys(benchmarks.query("row == 'full fine-tuning, 17k traces'")[
        "benchmark"])) == ["x", "amc23", *(b for b in published("table1")["benchmark"].unique()
                                           if b != "amc23")]  # fmt: skip


def test_damage_is_in_the_order_of_table_2_wherever_our_arms_stand():
    made = tables.table2(pd.DataFrame([damaged("insert_steps", 1.0), arm(), arm(method="none")]))
    rows = list(dict.fromkeys(made["row"]))
    assert rows[:3] == ["base", "uncorrupted", "wrong answers 100 %"] and len(rows) == 19
    assert rows[-1].startswith("steps inserted 100 %")


def test_an_accuracy_has_its_interval_n_and_reading_and_other_numbers_have_none_of_another():
    made = ours("table4", arm()).set_index("metric")
    accuracy = made.loc["accuracy"]
    assert (accuracy["ours"], accuracy["low"], accuracy["high"]) == (0.5, 0.4, 0.7)
    assert (accuracy["boxed"], accuracy["undecided"], accuracy["n"]) == (0.45, 0.01, "30×4×2")
    assert made.loc["tokens", ["low", "high", "boxed", "undecided"]].isna().all()
    assert (made.loc["tokens", "ours"], made.loc["keywords", "ours"]) == (300, 7)
    change = ours("table2", arm()).set_index("metric").loc["change"]
    assert (change["ours"], change["low"], change["high"]) == (-0.1, -0.3, 0.05)
    assert pd.isna(change["boxed"])


def test_the_average_of_the_four_is_there_only_where_all_four_were_run():
    values = dict(zip(AVERAGED, (0.2, 0.3, 0.4, 0.7), strict=True))
    widths = dict(zip(AVERAGED, (0.03, 0.04, 0.12, 0.08), strict=True))
    arms = [
        arm(benchmark=name, accuracy=value, low=value - widths[name], high=value + 2 * widths[name],
            difference=value - 1, difference_low=value - 1 - widths[name],
            difference_high=value - 1 + widths[name])
        for name, value in values.items()
    ]  # fmt: skip
    made = ours("table2", *arms, arm(benchmark="livecodebench", accuracy=0.9))
    average = made[made["benchmark"] == AVERAGE].set_index("metric")
    assert list(average.index) == ["accuracy", "change"]
    half = math.sqrt(0.03**2 + 0.04**2 + 0.12**2 + 0.08**2) / 4
    accuracy, change = average.loc["accuracy"], average.loc["change"]
    assert accuracy["ours"] == pytest.approx(0.4) and change["ours"] == pytest.approx(-0.6)
    assert (accuracy["low"], accuracy["high"]) == pytest.approx((0.4 - half, 0.4 + 2 * half))
    assert (change["low"], change["high"]) == pytest.approx((-0.6 - half, -0.6 + half))
    assert accuracy["n"] == " + ".join(["30×4×2"] * 4)
    assert not ours("table2", *arms[:3])["benchmark"].eq(AVERAGE).any()
    arms[0]["difference"] = None
    unknown = ours("table2", *arms)
    assert unknown[unknown["benchmark"] == AVERAGE]["metric"].tolist() == ["accuracy"]


def test_the_published_change_is_accuracy_minus_that_of_uncorrupted_traces_and_has_no_printed_one():
    theirs = published("table2")
    on_amc = theirs[theirs["benchmark"].eq("amc23") & theirs["method"].ne("none")]
    scores = on_amc.set_index(["corruption", "fraction"])["value"]
    made = tables.table2(pd.DataFrame([damaged("delete_steps", 0.67, benchmark="amc23")]))
    change = made[made["metric"] == "change"].set_index(["row", "benchmark"])
    wanted = scores["delete_steps", 0.67] - scores["none", 0.0]
    row = change.loc[("steps deleted 67 %", "amc23")]
    assert row["published"] == pytest.approx(wanted)
    assert row["difference"] == pytest.approx(-0.1 - wanted)
    assert "average" not in change.reset_index()["benchmark"].unique()
    assert "uncorrupted" not in change.reset_index()["row"].unique()
    assert not made["note"].eq(STANDS_IN).any()


def test_on_a_benchmark_of_ours_the_papers_average_stands_in_for_changes_alone():
    made = tables.table2(pd.DataFrame([damaged("delete_steps", 0.67, benchmark="sign_puzzle")]))
    mine = made[made["benchmark"] == "sign_puzzle"]
    assert mine.loc[mine["metric"] == "accuracy", "published"].isna().all()
    change = mine[mine["metric"] == "change"].set_index("row")
    average = made[made["metric"].eq("change") & made["benchmark"].eq(AVERAGE)].set_index("row")
    assert set(change["note"]) == {STANDS_IN}
    assert change["published"].to_dict() == average["published"].to_dict()


def test_of_arms_of_one_place_the_finished_one_is_shown_and_one_that_was_not_run_is_once():
    waiting = arm(state="not run", accuracy=None)
    made = tables.table1(pd.DataFrame([waiting, arm(), arm(size=1000, state="not run"),
                                       arm(size=1004, state="not run")]))  # fmt: skip
    at = made[made["benchmark"] == "aime24"].set_index("row")
    assert at.loc["full fine-tuning, 17k traces", "state"] == "done"
    assert at.loc["full fine-tuning, 1k traces", "state"] == "not run"
    assert at.index.is_unique


def test_two_finished_arms_of_one_place_are_refused_and_those_that_agree_are_one():
    with pytest.raises(ValueError, match=r"several arms for one place.*select fewer runs"):
        tables.table1(pd.DataFrame([arm(), arm(size=17_004, accuracy=0.6)]))
    assert len(ours("table1", arm(), arm(size=17_004))) == 1


def test_sections_are_compared_each_with_all_of_the_paper():
    made = tables.table1(pd.DataFrame([arm(), arm(student="llama_3_1_8b", accuracy=0.6)]))
    by_student = made.groupby("student", sort=False)
    assert list(by_student.groups) == ["qwen2_5_7b", "llama_3_1_8b"]
    assert by_student["published"].count().tolist() == [len(published("table1"))] * 2
    assert [one["ours"].dropna().tolist() for _, one in by_student] == [[0.5], [0.6]]
    assert made["training"].isna().all()
    whole = tables.table2(pd.DataFrame([arm()]))
    assert whole[["student", "training", "size"]].drop_duplicates().to_numpy().tolist() == [
        ["qwen2_5_7b", "sft", 17_000]
    ]


@pytest.mark.parametrize("name", PAPERS)
def test_the_title_of_a_table_says_what_it_is_of_and_ends_with_its_source(name):
    title = paper_title(name)
    assert title in (PAPERS[name][0].__doc__ or "") and "\n" not in title
    number = name.removeprefix("r1_table").removeprefix("table")
    paper = "2501.12948" if name.startswith("r1") else "2502.07374"
    assert title.endswith(f"(arXiv:{paper}, Table {number})")
