"""Flags and overrides in any order; flags that are mistakes are told in one line."""

import pytest

from distill.run.flags import arranged
from tests.run.test_fields import call_distill


@pytest.mark.parametrize(
    ("words", "put"),
    [
        (["a=1", "-m", "b=2"], ["-m", "a=1", "b=2"]),
        (["a=1", "-c", "job", "b=2", "-p", "training", "c=3"], "-c job -p training a=1 b=2 c=3"),
        (["-m", "a=1"], ["-m", "a=1"]),
        (["a=1", "--", "b=2"], ["--", "a=1", "b=2"]),
        (["~a", "--info", "config", "+b=-1"], ["--info", "config", "~a", "+b=-1"]),
        ([], []),
    ],
)
def test_overrides_stand_anywhere_and_keep_their_order(words, put):
    made, asked = arranged(words)
    assert made == (put.split() if isinstance(put, str) else put)
    assert asked.overrides == [word for word in words if "=" in word or word == "~a"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["training.seed=0", "-m", "training.sed=1"], "training.sed=1: no config has training.sed"),
        (["--multirum"], "there is no flag --multirum; nearest: --multirun"),
        (["-m", "--zzzz=1", "training.seed=0"], "there is no flag --zzzz; nearest: --help"),
        (["--cfg"], "--cfg/-c: expected one argument"),
        (["--cfg", "nope"], "--cfg/-c: invalid choice: 'nope' (choose from 'job', 'hydra', 'all')"),
        (["--multirun=1"], "--multirun/-m: ignored explicit argument '1'"),
        (["--package", "training"], "--package=training says what --cfg is to show; add --cfg job"),
        (
            ["--cfg", "job", "-p", "train"],
            "--package=train: no config has train; nearest: training",
        ),
        (["--experimental-rerun", "x"], "--experimental-rerun reads what Hydra has pickled"),
        (["-sc", "query=bash"], "query=bash answers a shell that completes a word"),
    ],
)
def test_a_mistaken_flag_is_told_in_one_line(words, told, monkeypatch, capfd):
    monkeypatch.delenv("COMP_LINE", raising=False)
    message = call_distill(*words)
    assert message.startswith("Nothing was run: ") and told in message
    assert "\n" not in message and "usage:" not in capfd.readouterr().err
