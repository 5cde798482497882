"""What the README and the pages it leads to show is what there is."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from math import ceil
from pathlib import Path

import pandas as pd
import pytest

from ablations.__main__ import main
from ablations.findings import arms as findings
from ablations.results.runs import runs, samples
from ablations.statistics.intervals import difference
from ablations.statistics.significance import holm
from ablations.studies.cells import Studies
from distill.store.identity import CHECKOUT

README = (CHECKOUT / "README.md").read_text()
RECORDED = CHECKOUT / "analysis" / "results"
NO_CELLS = {"--help", "--cfg", "job", "-m"}
"""Words of a command that are no override of a run."""

TINY = ["dataset.problems=60", "size.traces=24"]
"""Enough for `show`."""


def commands(program):
    """The arguments of every command, continued lines joined, comments and `[...]` left out."""
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```", README, re.DOTALL | re.MULTILINE))
    lines = blocks.replace("\\\n", " ").splitlines()
    found = [line for line in lines if line.startswith(f"python -m {program} ")]
    return [shlex.split(line, comments=True)[3:] for line in found]


def between(page, name):
    """The text between `<!-- name -->` and `<!-- /name -->`."""
    return page[page.index(f"<!-- {name} -->") : page.index(f"<!-- /{name} -->")]


@pytest.mark.parametrize("words", commands("distill"), ids=" ".join)
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
    if words[0] == "collect":  # it writes what it would otherwise read
        (checkout / "analysis" / "results" / "table2").unlink()
    more = {"show": TINY, "import": ["compute.workers=1"]}.get(words[0], [])
    try:
        code = main([*words, *more])
    except SystemExit as ended:
        code = ended.code
    told = capsys.readouterr()
    assert code == (words[0] == "status"), told.err  # 1: not every run of today's is there
    assert told.out.strip()


def test_the_pages_show_the_table_of_the_recorded_runs(capsys):
    main(["table", "table2", "--arms", "--runs", str(RECORDED / "table2")])
    printed = capsys.readouterr().out
    page = between((RECORDED / "README.md").read_text(), "table2")
    shown = [line for line in page.splitlines() if line.startswith("|")]
    assert len(shown) == 21
    assert "\n".join(shown) in printed
    assert page[page.index("n: problems") :].strip() in printed
    short = [line for line in between(README, "short").splitlines() if line.startswith("|")]
    assert len(short) == 8
    assert [line for line in shown if line in short] == short


@cache
def recorded():
    """Runs, sample rows, and the arms of all bases, in per cent and points."""
    done, rows = runs(RECORDED / "table2"), samples(RECORDED / "table2")
    arms = findings.frame(done, rows)
    numbers = ["accuracy", "low", "high", "difference"]
    return done, rows, arms.assign(**100 * arms[numbers])


def shares(student, corruption, fraction):
    """Share of right samples by problem and training seed."""
    done, rows, _ = recorded()
    asked = {"student": student, "corruption": corruption, "fraction": fraction}
    chosen = done[(done[list(asked)] == pd.Series(asked)).all(axis=1) & done["method"].ne("none")]
    made = findings.arm_shares(chosen, rows)
    return made.rename(columns=chosen.set_index("cell")["training_seed"]).sort_index(axis=1)


def arm(student, corruption, fraction):
    """Its row of the table."""
    _, _, arms = recorded()
    asked = {"student": student, "corruption": corruption, "fraction": fraction}
    (row,) = arms[(arms[list(asked)] == pd.Series(asked)).all(axis=1)].to_dict("records")
    return row


def cost(*which):
    """Points below uncorrupted traces."""
    return -arm(*which)["difference"]


STEPS = ("delete_steps", "insert_steps", "shuffle_steps")


def at_two_thirds():
    digits = shares("micro", "random_digits", 0.7)
    assert digits.shape == (400, 3)
    found = [difference(digits, shares("micro", name, 0.67)) for name in STEPS]
    gaps = [100 * each.value for each in found]
    p = max(each.p for each in found)
    assert max(holm([each.p for each in found])) == p
    return (
        "At two thirds the paper's ordering is reproduced on `micro`: with 70 % of the digits "
        f"random, the student scores {min(gaps):.0f} to {max(gaps):.0f} points higher than with "
        "67 % of the steps deleted, inserted or shuffled (paired by problem, three training seeds, "
        f"p ≤ {ceil(1000 * p) / 1000}, also after Holm's adjustment)."
    )


def at_one_third():
    content = [("random_digits", 0.2), ("remove_keywords", 1.0)]
    small = max(abs(cost("micro", *which)) for which in content)
    steps = [cost("micro", name, 0.33) for name in STEPS]
    return (
        "A fifth of the digits random, or all keywords removed, changes accuracy by less than "
        f"{ceil(small)} points; a third of the steps shuffled, deleted or inserted costs "
        f"{min(steps):.0f} to {max(steps):.0f} points."
    )


def at_full_corruption():
    digits, deleted = (
        arm("micro", name, 1.0)["accuracy"] for name in ("random_digits", "delete_steps")
    )
    return (
        f"At 100 % the ordering does not hold: random digits leave {digits:.1f} %, deleted steps "
        f"{deleted:.1f} %."
    )


def of_wrong_answers():
    costs = [cost(name, "wrong_answers", 1.0) for name in ("micro", "micro_seed1", "micro_clean")]
    return (
        f"Wrong answers cost {costs[0]:.0f} points on `micro`, and {costs[1]:.0f} and "
        f"{costs[2]:.0f} on the two control bases."
    )


def of_the_clean_base():
    digits = cost("micro_clean", "random_digits", 0.2)
    assert digits > max(cost("micro_clean", name, 0.33) for name in STEPS)
    return (
        "On the control that never saw noisy digits (`micro_clean`), a fifth of the digits random "
        f"costs {digits:.0f} points, more than a third of the steps corrupted in any way."
    )


def of_the_seeds():
    low, high = (arm("micro", "insert_steps", 0.33)[name] for name in ("low", "high"))
    return (
        "Training seeds scatter: the interval of *steps inserted 33 %* reaches from "
        f"{low:.1f} to {high:.1f}."
    )


def with_three_epochs():
    """The recorded side of what more epochs give; the other side is in no record."""
    inserted, shuffled = (
        (100 * shares("micro", name, 0.33).mean()).to_dict()
        for name in ("insert_steps", "shuffle_steps")
    )
    assert list(inserted) == list(shuffled) == [0, 1, 2]
    return (
        f"With 3 epochs, *steps inserted 33 %* scores {_listed(inserted)} at seeds 0, 1 and 2, and "
        f"*steps shuffled 33 %* {_listed(shuffled)}."
    )


def _listed(scores):
    *first, last = (f"{score:.1f}" for score in scores.values())
    return f"{', '.join(first)} and {last}"


@pytest.mark.parametrize(
    "claim",
    [
        with_three_epochs,
        at_two_thirds,
        at_one_third,
        at_full_corruption,
        of_wrong_answers,
        of_the_clean_base,
        of_the_seeds,
    ],
)
def test_what_the_readme_says_of_the_recorded_runs_is_computed(claim):
    assert claim() in " ".join(between(README, "claims").split())


def test_a_corruption_is_added_as_the_readme_says(tmp_path):
    text = README[README.index("## Add a corruption") :]
    for name in ("distill", "conf", "ablations"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / name, tmp_path / name, ignore=ignored)
    for path in (
        "distill/corruptions/operators/reverse_steps.py",
        "conf/corruption/reverse_steps.yaml",
    ):
        after = text[text.index(f"`{path}`:") :]
        (tmp_path / path).write_text(re.search(r"```\w+\n(.*?)```", after, re.DOTALL)[1])
    choices = tmp_path / "distill" / "corruptions" / "config.py"
    (line,) = re.findall(r'^    "reverse_steps": .*\n', text, re.MULTILINE)
    first = '    "none": {},\n'
    assert first in choices.read_text()
    choices.write_text(choices.read_text().replace(first, first + line))
    for command in ("distill until=corrupt tracking=none", "ablations show"):
        done = subprocess.run(
            [sys.executable, "-m", *command.split(), "corruption=reverse_steps", *TINY],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert re.search("damaged|reverse_steps", done.stdout)
    (made,) = Path(tmp_path, "artifacts", "corrupt_traces").glob("*/summary.json")
    counts = json.loads(made.read_text())
    assert counts["damaged"] == counts["units"] > 0


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
