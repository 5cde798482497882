"""What the README and the pages it leads to show is what there is."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from ablations.__main__ import main
from ablations.papers.tables import PAPERS
from ablations.studies.cells import Studies
from distill.store.identity import CHECKOUT

README = (CHECKOUT / "README.md").read_text()
PAGES = ("README.md", "CONTRIBUTING.md", *(f"{room}/README.md" for room in ("conf", "distill")))
PAGES = (*PAGES, "analysis/results/README.md")
"""With commands that are meant to be repeated, unlike those in a log."""

RECORDED = CHECKOUT / "analysis" / "results"
NO_CELLS = {"--help", "--cfg", "job", "-m"}
"""Words of a command that are no override of a run."""

MEANT = {"STUDY": "table2", "NAME": "demo"}
"""Words in capitals of a command -> one that they stand for."""

TINY = ["dataset.problems=60", "size.traces=24"]
"""Enough for `show`."""


def commands(program):
    """The arguments of every command, each once, those within a sentence included.

    Continued lines are joined; comments are left out.
    """
    found = {}
    for page in PAGES:
        text = (CHECKOUT / page).read_text()
        blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
        lines = [line for line in lines if line.startswith(f"python -m {program} ")]
        prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        for line in [*lines, *re.findall(rf"`(python -m {program}\s[^`]+)`", prose)]:
            for word, meant in MEANT.items():
                line = re.sub(rf"\b{word}\b", meant, line)
            words = shlex.split(line, comments=True)[3:]
            found[" ".join(words)] = words
    return list(found.values())


def test_commands_are_found_in_blocks_in_sentences_and_on_every_page():
    asked = [" ".join(words) for words in commands("ablations")]
    assert len(asked) >= 13 and "plan demo" in asked and "plan table2_paper" in asked
    assert "table table2 --runs analysis/results/table2" in asked
    rooms = {words[0] for words in commands("ablations")}
    told = (CHECKOUT / "ablations" / "commands").glob("[!_]*.py")
    names = {path.stem.replace("_", "-").strip("-") for path in told} - {"arguments"}
    assert rooms == names, "the README shows every command"
    assert len(commands("distill")) >= 20


RECIPE = ("corruption._target_=", "corruption.kind=reverse_steps")
"""In the commands for an operator of one's own, which `test_recipe.py` runs."""


@pytest.mark.parametrize(
    "words",
    [words for words in commands("distill") if not words[0].startswith(RECIPE)],
    ids=" ".join,
)
def test_every_command_of_the_readme_composes(words):
    overrides = [word for word in words if word not in NO_CELLS]
    study = next((word.partition("=")[2] for word in overrides if word.startswith("study=")), None)
    rest = [word for word in overrides if not word.startswith("study=")]
    assert Studies().cells(study or "single", rest)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """The working directory: a checkout in which table2 was run on `micro` with one seed."""
    for path in sorted((RECORDED / "table2").glob("*/run.json")):
        config = json.loads(path.read_text())["config"]
        if config["student"]["name"] == "micro" and config["training"]["seed"] == 0:
            shutil.copytree(path.parent, tmp_path / "runs" / "table2" / path.parent.name)
    (tmp_path / "analysis" / "results").mkdir(parents=True)
    (tmp_path / "analysis" / "results" / "table2").symlink_to(tmp_path / "runs" / "table2")
    row = {"problem": "1+1?", "gold": "2", "text": "It is \\boxed{2}."}
    (tmp_path / "answers.jsonl").write_text(json.dumps(row))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words", commands("ablations"), ids=" ".join)
def test_every_question_of_the_readme_is_answered(words, checkout, capsys):
    if words[0] == "collect" and "--runs" not in words:  # it writes what it would otherwise read
        (checkout / "analysis" / "results" / "table2").unlink()
    more = {"show": TINY, "import": ["compute.workers=1"]}.get(words[0], [])
    try:
        code = main([*words, *more])
    except SystemExit as ended:
        code = ended.code
    told = capsys.readouterr()
    assert code == (words[0] == "status"), told.err  # 1: not every run of today's is there
    assert told.out.strip()


def test_make_tables_writes_every_table_of_a_paper():
    asked = re.findall(r"ablations table (\w+,[\w,]+)", (CHECKOUT / "Makefile").read_text())
    assert sorted(",".join(asked).split(",")) == sorted(PAPERS)


def test_the_rows_of_the_walk_are_those_that_its_command_makes(tmp_path):
    page = (CHECKOUT / "distill" / "README.md").read_text()
    command = re.search(r"^python -m (distill .*?)\n```", page, re.DOTALL | re.MULTILINE)[1]
    words = command.replace("\\\n", " ").split()
    subprocess.run(
        [sys.executable, "-m", *words, "until=corrupt", "tracking=none", "compute.progress=false"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        check=True,
    )
    files = re.findall(r"`(\w+)/KEY/(\w+\.jsonl)`:\n\n```json\n(.*?)\n```", page, re.DOTALL)
    assert [stage for stage, *_ in files] == [
        "load_problems",
        "sample_traces",
        "verify_traces",
        "corrupt_traces",
    ]
    for stage, name, text in files:
        (made,) = (tmp_path / "artifacts" / stage).glob(f"*/{name}")
        rows = {row["id"]: row for row in map(json.loads, made.read_text().splitlines())}
        shown = json.loads(text)
        assert shown.items() <= rows[shown["id"]].items()
