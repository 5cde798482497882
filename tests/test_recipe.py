"""The README's "Add a corruption" works as it stands: in a checkout, and in one's own folder."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from distill.store.identity import CHECKOUT
from distill.trace.records import read_traces
from distill.trace.steps import split

SECTION = (CHECKOUT / "README.md").read_text().partition("## Add a corruption")[2]
SECTION = SECTION.partition("\n## ")[0]
CODE, OPTION = (
    re.search(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)[1] for language in ("python", "yaml")
)
COMMANDS = re.findall(r"^python -m distill (.*?)(?: +#.*)?$", SECTION, re.MULTILINE)
TINY = ["tracking=none", "dataset.problems=60", "size.traces=24", "until=corrupt"]


def run(program, *words, here, source=CHECKOUT):
    """What a program prints, launched in `here`, with the code of `source`."""
    done = subprocess.run(
        [sys.executable, "-m", program, *words],
        cwd=here,
        env=os.environ | {"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def recorded(here):
    """The corruptions of the runs in `here`, and what they made."""
    found = [json.loads(path.read_text()) for path in sorted(here.glob("runs/*/*/run.json"))]
    return [(one["config"]["corruption"], one["stages"]["corrupt"]["summary"]) for one in found]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout in which the recipe was followed."""
    students = "distill/micro/students"
    for name in ("distill", "ablations", "conf"):
        ignored = shutil.ignore_patterns("students", "__pycache__")
        shutil.copytree(CHECKOUT / name, tmp_path / name, ignore=ignored)
    (tmp_path / students).symlink_to(CHECKOUT / students)
    (tmp_path / "distill/corruptions/operators/reverse_steps.py").write_text(CODE)
    (tmp_path / "conf/corruption/reverse_steps.yaml").write_text(OPTION)
    return tmp_path


def test_in_a_checkout_it_is_an_option_like_the_others(checkout):
    words = ["corruption=reverse_steps", "corruption.fraction=0.5", *TINY]
    code, printed = run("distill", *words, here=checkout, source=checkout)
    assert code == 0, printed
    ((corruption, summary),) = recorded(checkout)
    assert (corruption["target"], corruption["title"]) == ("structure", "steps reversed")
    assert corruption["source"] is None and summary["damaged"] > 0
    code, printed = run("ablations", "plan", "single", *words, here=checkout, source=checkout)
    assert code == 0 and "reverse_steps" in printed, printed


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder of one's own with the README's operator, as a package and as a file."""
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").touch()
    for name in ("my_package/my_module.py", "my_file.py"):
        (tmp_path / name).write_text(CODE)
    metadata = tmp_path / "mine-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    points = "[distill.corruptions]\nreverse_steps = my_package.my_module:reverse_steps\n"
    (metadata / "entry_points.txt").write_text(points)
    return tmp_path


def test_in_a_folder_of_ones_own_every_command_of_the_readme_runs(here):
    assert len(COMMANDS) == 3
    for command in COMMANDS:
        code, printed = run("distill", *command.split(), *TINY, here=here)
        assert code == 0, printed
    made = recorded(here)
    assert {corruption["kind"] for corruption, _ in made} == {"reverse_steps"}
    assert {corruption["title"] for corruption, _ in made} == {"steps reversed"}
    # The module is one by either name; the file is another.
    assert len({corruption["source"] for corruption, _ in made}) == len(made) == 2
    # The middle step of an odd number of steps stays where it is.
    for _, summary in made:
        assert 0 <= summary["units"] - summary["damaged"] <= 2 * summary["traces"]
        assert summary["damaged"] > 0.7 * summary["units"]
    before, *after = (
        list(read_traces(path))
        for stage in ("select_traces", "corrupt_traces")
        for path in here.glob(f"artifacts/{stage}/*/traces.jsonl")
    )
    for damaged in after:
        for old, new in zip(before, damaged, strict=True):
            steps = [split(trace.thought, "blank_line").steps for trace in (old, new)]
            assert steps[1] == steps[0][::-1] and (old.id, old.solution) == (new.id, new.solution)


def test_an_edit_and_the_same_command_make_another_artifact(here):
    words = ["corruption._target_=my_file.py", "corruption.fraction=0.5", *TINY]
    assert run("distill", *words, here=here)[0] == 0
    assert "done before" in run("distill", *words, here=here)[1]
    edited = CODE.replace("reversed(places)", "places[1:] + places[:1]")
    (here / "my_file.py").write_text(edited)
    code, printed = run("distill", *words, here=here)
    assert code == 0 and "making corrupt_traces" in printed, printed
    (here / "my_file.py").write_text("import not_there\n" + CODE)
    code, printed = run("distill", *words, here=here)
    assert code != 0
    assert printed.startswith("Nothing was run:"), printed
    assert (
        "corruption._target_=my_file.py cannot be imported: ModuleNotFoundError: No module named"
        in printed
    )
    # What was recorded is read without the code.
    (here / "my_file.py").unlink()
    assert len(recorded(here)) == 2
