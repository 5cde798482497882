"""Published numbers, and our arms beside them."""

import re

import pandas as pd
import pytest

from ablations.findings.arms import frame
from ablations.papers import tables
from ablations.papers.comparison import AVERAGE, AVERAGED, COMPARISON
from ablations.papers.grids import paper_grids
from ablations.papers.tables import PAPERS
from ablations.reference import FOLDER, problem_counts, published, title
from ablations.results.responses import GRADED
from ablations.results.runs import asked_runs, runs, samples
from distill.corruptions.locate import OPERATORS
from distill.data import problem_formats, trace_formats
from distill.data.problems import as_problem
from distill.store.identity import CHECKOUT
from distill.training.config import Method

SHARED = CHECKOUT.parent / "shared" / "data" / "published.csv"


def arms_of(*cells):
    """Arms of `ablations.findings.arms.frame` without any run, from configs."""
    return frame(asked_runs(cells), pd.DataFrame())


def done(arms, **scores):
    """The same arms as if they had been run, each with these columns."""
    counts = {"state": "done", "problems": 500, "samples": 1, "runs": 1}
    return arms.assign(**counts, **scores)


@pytest.fixture(scope="module")
def table2_cells(request):
    """Configs of the study `table2`."""
    return request.getfixturevalue("studies").cells("table2")


@pytest.mark.parametrize("name", PAPERS)
def test_without_a_run_every_published_number_is_there_and_ours_is_missing(name):
    comparison = PAPERS[name][0](arms_of())
    numbers = published(name)
    assert list(comparison.columns) == list(COMPARISON)
    accuracies = comparison[comparison["metric"] != "change"]
    assert sorted(accuracies["published"]) == sorted(numbers["value"])
    assert set(comparison["state"]) == {"not run"} and comparison["ours"].isna().all()
    grids, _ = paper_grids(comparison, name)
    assert all(row[1] == "not run" for grid in grids for row in grid.rows)


def test_the_misprinted_average_is_noted_and_both_are_shown():
    rows = published("table2")
    base = rows[(rows["method"] == "none")].set_index("benchmark")
    assert base.loc["average", "value"] == 0.567
    assert base.loc[AVERAGE, "value"] == pytest.approx(base.loc[list(AVERAGED), "value"].mean())
    (grid, *_), note = paper_grids(tables.table2(arms_of()), "Table 2")
    shown = dict(zip(grid.header, grid.rows[0], strict=True))
    assert shown["Average (printed), published"] == "56.7*"
    assert shown["Average of the four, published"] == "54.15"
    assert "misprint" in note and "54.15" in note


def test_every_other_printed_average_is_the_mean_of_its_four_columns():
    wide = published("table2").assign(
        row=lambda rows: rows["method"] + rows["corruption"] + rows["fraction"].astype(str)
    )
    wide = wide.pivot(index="row", columns="benchmark", values="value")
    off = (wide["average"] - wide[list(AVERAGED)].mean(axis=1)).abs()
    assert off[off > 0.0006].index.tolist() == ["nonenone0.0"]


def test_names_are_those_of_the_configs():
    everything = pd.concat([published(name) for name in (*PAPERS, "figure2", "figure4")])
    assert set(everything["corruption"]) <= set(OPERATORS)
    assert set(everything["method"]) <= {*Method, "rl", "other"}
    ours = everything[everything["method"] != "other"]
    known = {path.stem for path in (CHECKOUT / "conf" / "student").glob("*.yaml")}
    assert set(ours["student"]) <= known
    assert all(title(name) != name for name in {*everything["benchmark"], *everything["student"]})


def test_the_study_of_table_2_has_every_arm_of_the_paper(table2_cells):
    comparison = tables.table2(arms_of(*table2_cells))
    theirs = comparison[comparison["benchmark"] == "math500"]
    assert len(set(theirs["row"])) == 19
    assert set(theirs["row"]) == set(arms_of(*table2_cells)["arm"])


@pytest.mark.parametrize(("name", "not_ours"), [("table3", {"QwQ-32B-Preview"}), ("table4", set())])
def test_a_study_of_a_papers_table_has_its_arms_and_benchmarks_and_no_other(
    studies, name, not_ours
):
    function, study = PAPERS[name]
    cells = studies.cells(study)
    theirs, ours = function(arms_of()), arms_of(*cells)
    assert set(function(ours)["row"]) == set(theirs["row"])
    assert set(function(ours)["state"]) == {"not run"}
    run = function(done(ours, accuracy=0.5, low=0.4, high=0.6, tokens=1, keywords=1))
    both = run[run["ours"].notna() & run["published"].notna()]
    assert set(theirs["row"]) - set(both["row"]) == not_ours
    assert set(theirs["benchmark"]) == set(both["benchmark"])
    paper = [cell.config for cell in studies.cells(study, ["world=paper"])]
    assert paper == [cell.config for cell in cells]


@pytest.mark.parametrize(
    ("study", "name"), [(study, name) for study, names in tables.ALSO.items() for name in names]
)
def test_a_study_as_in_the_paper_has_every_row_of_its_tables(studies, study, name):
    ours = arms_of(*studies.cells(study))
    run = PAPERS[name][0](done(ours, accuracy=0.5, low=0.4, high=0.6, tokens=1, keywords=1))
    both = run[run["ours"].notna() & run["published"].notna()]
    assert set(run["row"]) - set(both["row"]) <= {"QwQ-32B-Preview", "o1-preview"}
    assert set(both["benchmark"]) >= {"math500", "aime24", "amc23", "olympiadbench"}


def test_steps_of_a_model_are_the_published_ones_only_where_there_are_no_others(studies):
    plain, model = (
        studies.one(["world=paper", f"corruption=shuffle_steps{variant}"])
        for variant in ("", "_model")
    )
    rows = [set(tables.table7(arms_of(*cells))["row"]) for cells in ([model], [plain, model])]
    published = set(tables.table7(arms_of())["row"])
    assert rows[0] == published and len(rows[1] - published) == 1


def test_short_traces_are_of_the_problems_of_the_long_ones(studies):
    row = {"problem": " p ", "solution": r"So \boxed{\frac{1}{2}}.", "source": "olympiads"}
    short, long = (
        studies.one(["study=table4", *more]).config
        for more in (["teacher=numina_cot", "dataset=recorded"], [])
    )
    assert short.dataset.where == long.dataset.where
    taught = trace_formats.as_problem(trace_formats.reader(short.teacher)(row), short.teacher)
    assert taught.id == as_problem(problem_formats.reader(long.dataset)(row), long.dataset).id


def test_what_was_not_run_is_next_to_its_published_number_and_is_not_dropped(table2_cells):
    arms = arms_of(*table2_cells)
    run = arms["arm"].isin(["base", "uncorrupted"])
    arms.loc[run, ["state", "accuracy", "low", "high"]] = ["done", 0.5, 0.4, 0.6]
    arms.loc[run, ["problems", "samples", "runs"]] = [400, 1, 1]
    comparison = tables.table2(arms)
    own = comparison[(comparison["benchmark"] == "sign_puzzle")].query("metric == 'accuracy'")
    assert own["state"].value_counts().to_dict() == {"not run": 17, "done": 2}
    (grid, *_), _ = paper_grids(comparison, "Table 2")
    assert [row[1] for row in grid.rows].count("not run") == 17
    assert grid.rows[0][1] == "50.0 [40.0, 60.0] n=400×1×1"


def test_on_a_benchmark_of_the_paper_the_difference_is_ours_minus_published(studies):
    cells = [
        studies.one(["world=paper", "size=4_6k", f"training={name}", "tracking=none"])
        for name in ("none", "sft")
    ]
    arms = done(arms_of(*cells), accuracy=0.6, low=0.5, high=0.7)
    comparison = tables.table2(arms).query("metric == 'accuracy'")
    at = comparison.set_index(["row", "benchmark"])
    assert at.loc[("uncorrupted", "aime24"), "difference"] == pytest.approx(0.6 - 0.4)
    assert at.loc[("base", AVERAGE), "ours"] == pytest.approx(0.6)
    assert at.loc[("base", AVERAGE), "difference"] == pytest.approx(0.6 - 0.5415)
    assert pd.isna(at.loc[("base", "average"), "ours"])
    half = at.loc[("base", AVERAGE), "high"] - 0.6
    assert half == pytest.approx((4 * 0.1**2) ** 0.5 / 4)


def test_a_change_on_our_own_benchmark_is_next_to_that_of_the_papers_average(table2_cells):
    arms = done(arms_of(*table2_cells), accuracy=0.5, low=0.4, high=0.6, difference=-0.2)
    arms = arms.assign(difference_low=-0.3, difference_high=-0.1)
    change = tables.table2(arms).query("metric == 'change' and benchmark == 'sign_puzzle'")
    shuffled = change.set_index("row").loc["steps shuffled 67 %"]
    assert shuffled["published"] == pytest.approx(0.572 - 0.663)
    assert shuffled["difference"] == pytest.approx(-0.2 - (0.572 - 0.663))
    _, note = paper_grids(tables.table2(arms), "Table 2")
    assert "The paper does not have this benchmark" in note


def test_sizes_and_methods_of_ours_that_the_paper_has_not_are_rows_too(studies):
    arms = done(arms_of(*studies.cells("table1")), accuracy=0.5, low=0.4, high=0.6)
    comparison = tables.table1(arms)
    rows = list(dict.fromkeys(comparison["row"]))
    assert rows[:2] == ["base", "QwQ-32B-Preview"]
    assert rows[-4:] == [
        "LoRA, 1k traces",
        "LoRA, 2k traces",
        "full fine-tuning, 1k traces",
        "full fine-tuning, 2k traces",
    ]
    assert len(comparison[comparison["row"] == "base"].query("benchmark == 'sign_puzzle'")) == 1


def test_two_arms_for_one_place_are_refused(studies):
    cells = [studies.one([f"training.epochs={epochs}"]) for epochs in (1, 2)]
    arms = done(arms_of(*cells), accuracy=[0.5, 0.6], low=0.4, high=0.7)
    with pytest.raises(ValueError, match="several arms for one place"):
        tables.table1(arms)


def test_unknown_tables_are_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"no published numbers of 'table9'; known: table1, "):
        published("table9")


def test_tokens_and_keywords_of_real_rows_stand_in_table_5(make_run, tmp_path):
    make_run(["corruption=none"], [True, False], "a")
    make_run(["corruption=delete_steps", "corruption.fraction=0.67"], [True, False], "b")
    make_run(["corruption=shuffle_steps"], [True, False], "c")
    arms = frame(runs(tmp_path / "runs"), samples(tmp_path / "runs", GRADED))
    ours = tables.table5(arms).query("state == 'done'")
    assert ours["row"].tolist() == [*["uncorrupted"] * 2, *["steps deleted 67 %"] * 2]
    assert dict(zip(ours["metric"], ours["ours"], strict=True)) == {"tokens": 12.0, "keywords": 2.0}


def test_every_number_is_that_of_the_shared_collection():
    if not SHARED.is_file():
        pytest.skip(f"no {SHARED}")
    theirs = pd.read_csv(SHARED)
    papers_of = {"Li2025 arXiv:2502.07374": "li2025.csv", "DeepSeek-R1 paper": "deepseek_r1.csv"}
    for source, file in papers_of.items():
        there = theirs[theirs["source"].str.startswith(source)]
        numbers = [float(v) for v in there["value"] if re.fullmatch(r"-?[\d.]+", str(v))]
        ranges = [re.fullmatch(r"(\d+)-(\d+)", str(v)) for v in there["value"]]
        numbers += [float(end) for both in ranges if both for end in both.groups()]
        ours = pd.read_csv(FOLDER / file).query("table != 'r1_readme'")["value"]
        assert not ours[~ours.isin(numbers)].tolist()
        for number in (1, 2, 3, 4, 5, 6, 7) if file == "li2025.csv" else (5, 6):
            name = f"table{number}" if file == "li2025.csv" else f"r1_table{number}"
            one = sorted(there[there["table"] == f"Table {number}"]["value"].astype(float))
            mine = pd.read_csv(FOLDER / file)
            mine = mine[(mine["table"] == name) & (mine["benchmark"] != AVERAGE)]
            assert sorted(mine["value"]) == one


def test_every_table_names_its_source():
    text = (FOLDER / "SOURCES.md").read_text()
    for name in (
        "table1",
        "table7",
        "figure2",
        "figure4",
        "figure5",
        "r1_table5",
        "r1_table6",
        "r1_readme",
    ):
        assert f"`{name}`" in text


@pytest.mark.parametrize("benchmark", ["math500", "aime24", "amc23"])
def test_published_scores_are_whole_answers_to_the_number_of_problems(benchmark):
    scores = published("table2").query("metric == 'accuracy'")
    n = problem_counts()[benchmark]
    right = n * scores[scores["benchmark"] == benchmark]["value"]
    assert ((right - right.round()).abs() <= 0.0005 * n + 1e-9).all()
    assert set(problem_counts()) >= set(AVERAGED)
