"""What the README shows is what there is."""

import re
import shlex

import pytest

from ablations.__main__ import main
from ablations.studies.cells import Studies
from distill.store.identity import CHECKOUT

README = (CHECKOUT / "README.md").read_text()
NO_CELLS = {"--help", "--cfg", "job", "-m"}
"""Words of a command that are no override of a run."""


def commands(program):
    """The arguments of every command, continued lines joined, comments and `[...]` left out."""
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```", README, re.DOTALL | re.MULTILINE))
    lines = blocks.replace("\\\n", " ").splitlines()
    found = [line for line in lines if line.startswith(f"python -m {program} ")]
    return [shlex.split(line, comments=True)[3:] for line in found]


@pytest.mark.parametrize("words", commands("distill"), ids=" ".join)
def test_every_command_of_the_readme_composes(words):
    overrides = [word for word in words if word not in NO_CELLS]
    study = next((word.partition("=")[2] for word in overrides if word.startswith("study=")), None)
    rest = [word for word in overrides if not word.startswith("study=")]
    assert Studies().cells(study or "single", rest)


def test_the_readme_shows_the_table_of_the_recorded_runs(capsys):
    shown = README[README.index("<!-- table2 -->") : README.index("<!-- /table2 -->")]
    main(["table", "table2", "--arms", "--runs", str(CHECKOUT / "analysis/results/table2")])
    printed = capsys.readouterr().out
    table = [line for line in shown.splitlines() if line.startswith("|")]
    note = shown[shown.index("n: problems") : shown.index("![")].strip()
    assert len(table) == 21
    assert "\n".join(table) in printed
    assert note in printed
