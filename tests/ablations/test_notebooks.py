"""The notebooks in `analysis/` run as scripts."""

import ast
import re
import runpy
import shutil

import pytest

from distill.store.identity import CHECKOUT

NOTEBOOKS = sorted((CHECKOUT / "analysis").glob("*.py"))

NAMES = re.compile(r"`[^`]*`|arXiv:[\d.]+|(Table|Figure|Section) \d+|DeepSeek-R1")
"""What may hold digits that are no result."""

TABLE2 = [
    "training=none",
    "corruption=none",
    "corruption=wrong_answers",
    "corruption=random_digits corruption.fraction=0.67",
    "corruption=shuffle_steps corruption.fraction=0.33",
    "corruption=delete_steps corruption.fraction=0.67",
]


def share(right, n=20):
    return [True] * right + [False] * (n - right)


@pytest.fixture
def checkout(tmp_path):
    """An empty checkout; runs of the study `smoke` are made in it."""
    (tmp_path / "checkout" / "analysis").mkdir(parents=True)
    return tmp_path / "checkout"


@pytest.fixture
def narrate(checkout, capsys, monkeypatch):
    """(notebook) -> what it prints, run as a kernel runs it: in its folder, without a file."""

    def run(name):
        monkeypatch.chdir(checkout / "analysis")
        code = (CHECKOUT / "analysis" / f"{name}.py").read_text()
        exec(compile(code, name, "exec"), {"__name__": "__main__"})
        return capsys.readouterr().out

    return run


@pytest.fixture
def study(make_run, tmp_path, checkout):
    """(name, {overrides: right answers of 20}) -> the study's runs in the checkout."""

    def make(name, arms):
        for number, (overrides, right) in enumerate(arms.items()):
            make_run(overrides.split(), share(right), f"{number}")
        (tmp_path / "artifacts").rename(checkout / "artifacts")
        (checkout / "runs").mkdir()
        (tmp_path / "runs" / "smoke").rename(checkout / "runs" / name)

    return make


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_narrates_and_calls_but_defines_nothing(notebook):
    tree = ast.parse(notebook.read_text())
    definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
    assert not [node for node in ast.walk(tree) if isinstance(node, definitions)]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_number_is_typed_neither_in_code_nor_in_prose(notebook):
    text = notebook.read_text()
    constants = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
    numbers = {n for n in constants if isinstance(n, int | float) and not isinstance(n, bool)}
    assert numbers <= {0, 1, 100}, "0 and 1 are places, 100 makes points of shares"
    prose = " ".join(line for line in text.splitlines() if line.startswith("#"))
    assert not re.findall(r"\d+", NAMES.sub("", prose))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_opens_with_its_question_and_ends_with_its_answer(notebook):
    cells = notebook.read_text().split("# %%")[1:]
    assert re.match(r" \[markdown\]\n# # .*\?\n", cells[0])
    assert cells[-2].strip() == "[markdown]\n# ## The answer"
    assert "print(" in cells[-1]


def test_structure_vs_content_draws_every_student_and_ends_with_its_answer(
    study, narrate, checkout
):
    study("table2", dict(zip(TABLE2, (8, 19, 17, 15, 6, 4), strict=True)))
    told = narrate("01_structure_vs_content").splitlines()
    assert told[0] == "6 runs in runs/table2"
    assert "In these runs, each trained once, damage to the structure costs more" in told[-2]
    assert "n = 20 problems, another seed may reverse it" in told[-2]
    assert told[-1].endswith(
        "for 1 of 1 students; damage to the structure costs more for 1 of these."
    )
    drawn = sorted(path.name for path in (checkout / "analysis" / "figures").iterdir())
    assert drawn == [f"01_{kind}_micro_micro_sft_64_sign_puzzle.svg" for kind in ("dose", "forest")]


def test_a_notebook_runs_as_a_script_from_anywhere_on_the_study_that_the_environment_names(
    study, checkout, monkeypatch, capsys
):
    study("mine", dict(zip(TABLE2, (8, 19, 17, 15, 6, 4), strict=True)))
    monkeypatch.setenv("STUDY", "mine")
    name = "01_structure_vs_content.py"
    runpy.run_path(str(shutil.copy(CHECKOUT / "analysis" / name, checkout / "analysis")))
    assert "6 runs in runs/mine" in capsys.readouterr().out


def test_dataset_size_takes_the_sizes_there_are_and_names_those_missing(study, narrate):
    right = {250: 12, 500: 16, 1000: 17}
    sizes = {f"dataset.problems=1000 size.traces={size}": n for size, n in right.items()}
    study("size", {"training=none": 4} | sizes)
    told = narrate("02_dataset_size").splitlines()
    assert told[0] == "4 runs in runs/size; sizes not run: 2,000, 4,000"
    said = "In these runs, each trained once, the gain from 0 to 1,000 traces is +65.0"
    assert f"training micro_sft: {said}" in told[-1]
    assert "Share of it reached: 62 % at 250, 92 % at 500." in told[-1]
    assert "the last doubling cannot be told apart from the first: -15.0 points" in told[-1]


def test_sft_vs_lora_sets_both_methods_against_each_other_arm_by_arm(study, narrate):
    damaged = "corruption=shuffle_steps corruption.fraction=0.67"
    study(
        "sft_vs_lora",
        {
            "training=none": 4,
            "training=micro_sft": 19,
            "training=micro_lora": 18,
            f"training=micro_sft {damaged}": 15,
            f"training=micro_lora {damaged}": 2,
        },
    )
    told = narrate("03_sft_vs_lora").splitlines()
    assert "LoRA cannot be told apart from full fine-tuning: -5.0 points" in told[-1]
    assert "of 1 damaged arms, damage costs LoRA more than full fine-tuning in 1" in told[-1]
    assert told[-2].startswith("Published, points, average of four")


def test_the_paper_is_read_again_without_the_authors_outputs(narrate):
    told = narrate("04_paper_reread")
    assert "Skipped: there is no skythought_ablation_outputs.jsonl" in told
    assert "AIME24 alone, n = 30 problems, finds a difference of 3.2 points with power 0.06" in told
    last = told.splitlines()[-1]
    assert last.startswith("Of 68 published changes")
    assert "5 are as large as what these runs could show" in last


SHARED = CHECKOUT.parent / "shared"


@pytest.mark.skipif(not (SHARED / "data" / "traces").is_dir(), reason="../shared/data is not here")
def test_the_authors_own_arms_cannot_be_told_apart(narrate, tmp_path):
    (tmp_path / "shared").symlink_to(SHARED, target_is_directory=True)
    last = narrate("04_paper_reread").splitlines()[-1]
    assert last.startswith("In the authors' own outputs: Of 10 pairs of runs 0 differ")
    assert "In 6 of 6 runs responses were truncated" in last


@pytest.mark.slow
def test_what_damage_does_counts_the_traces_of_table_2(study, narrate):
    study("table2", dict(zip(TABLE2, (8, 19, 17, 15, 6, 4), strict=True)))
    told = narrate("05_what_damage_does").splitlines()
    assert "Skipped: there is no deepseek_r1_aime24.jsonl in ../shared/data/traces." in told
    assert told[-2].startswith("scripted teacher: Equal corruption rates are not equal")
    assert "(steps shuffled 33 %)" in told[-2]
    assert "rank correlation" in told[-1] and "(micro)" in told[-1]


@pytest.mark.parametrize(
    ("notebook", "study"),
    [
        ("01_structure_vs_content", "table2"),
        ("02_dataset_size", "size"),
        ("03_sft_vs_lora", "sft_vs_lora"),
    ],
)
def test_without_runs_a_notebook_says_which_command_makes_them(notebook, study, narrate):
    with pytest.raises(FileNotFoundError, match=rf"python -m distill study={study}$"):
        narrate(notebook)
