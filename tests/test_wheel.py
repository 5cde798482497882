"""What `pip install` puts into an environment runs there, far from any checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from distill.run.compose import PAPERS
from distill.store.identity import CHECKOUT

CONF = CHECKOUT / "conf"
SOURCES = ("conf", "distill", "ablations", "pyproject.toml", "setup.py", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, since setuptools leaves `build/` behind where it builds."""
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        place = CHECKOUT / name
        if place.is_dir():
            shutil.copytree(place, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(place, source)
    folder = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    (made,) = folder.glob("distill-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The commands of a new environment: the wheel, and the packages of this environment.

    The latter is a plain folder on its path, so that an editable `distill` in it has no effect.
    """
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, symlinks=True)
    _pip("--python", str(environment / "bin" / "python"), "install", str(wheel))
    (own,) = environment.glob("lib/python*/site-packages")
    paths = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (own / "dependencies.pth").write_text("\n".join(paths))
    return environment / "bin"


def _pip(*words: str) -> None:
    form = ("--quiet", "--disable-pip-version-check", "--no-input")
    command, *rest = words if words[0] != "--python" else words[2:]
    where = words[:2] if words[0] == "--python" else ()
    pip = [sys.executable, "-m", "pip", *where, command, *form, "--no-index", "--no-deps", *rest]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def run(installed: Path, folder: Path, command: str) -> str:
    """What a shell prints that finds the environment's commands first, in a folder."""
    alone = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    path = {"PATH": f"{installed}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=alone | path | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_wheel_holds_the_options_and_the_data_and_nothing_of_the_checkout_besides(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    options = {path.relative_to(CHECKOUT).as_posix() for path in CONF.rglob("*.yaml")}
    assert {name.removeprefix("distill/") for name in names if "/conf/" in name} == options
    code = [*(CHECKOUT / "distill").rglob("*"), *(CHECKOUT / "ablations").rglob("*")]
    files = {p.relative_to(CHECKOUT).as_posix() for p in code if p.is_file() and p.suffix != ".pyc"}
    assert files - names == {"distill/README.md"}
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"distill", "ablations"}


def test_a_study_is_run_planned_and_tabulated_in_an_empty_folder(installed, tmp_path, tiny_run):
    words = [word for word in tiny_run if not word.startswith("student.model")]
    done = run(installed, tmp_path, f"distill study=smoke {' '.join(words)}")
    assert done.count("n=12×1") == 2 * 3  # as each is made, and in the table
    assert "3 done" in run(installed, tmp_path, f"ablations plan smoke {' '.join(words)}")
    table = run(installed, tmp_path, "ablations table smoke")
    assert all(f"| {arm} " in table for arm in ("base", "steps shuffled 100 %"))
    assert {path.name for path in tmp_path.iterdir()} == {"artifacts", "runs"}


def test_help_and_version_are_those_of_the_program(installed, tmp_path):
    page = run(installed, tmp_path, "distill --help")
    for group in (folder for folder in CONF.glob("*/") if folder.name != PAPERS):
        assert f"{group.name}: {', '.join(sorted(p.stem for p in group.glob('*.yaml')))}" in page
    versions = run(installed, tmp_path, "distill --version; ablations --version").splitlines()
    (name,) = {path.name for path in installed.parent.glob("lib/*/site-packages/distill-*")}
    number = name.removeprefix("distill-").removesuffix(".dist-info")
    assert versions == [f"distill {number}", f"ablations {number}"]


def test_a_run_of_an_installed_program_names_no_commit_of_the_repository_around_it(
    installed, tmp_path
):
    script = "from distill.run.record import commit; print(commit())"
    git = f"git -c user.name=a -c user.email=a@b -C {installed.parent}"
    run(installed, tmp_path, f"{git} init -q && {git} commit -q -m a --allow-empty")
    made = run(installed, tmp_path, f"python -c '{script}'")
    assert made.strip() == "None"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("distill corruption=shuffle_steps_", {"corruption=shuffle_steps_model"}),
        ("distill corruption=none training.learning_r", {"training.learning_rate="}),
    ],
)
def test_bash_completes_groups_options_and_fields(installed, tmp_path, typed, offered):
    script = f"""
    eval "$(distill -sc install=bash)"
    COMP_LINE="{typed}" COMP_POINT={len(typed)} COMP_WORDS=({typed})
    COMP_CWORD={len(typed.split()) - 1}
    hydra_bash_completion
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    assert set(run(installed, tmp_path, script).split()) == offered
