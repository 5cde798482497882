"""Command lines: texts that Hydra's grammar cannot take, and requests that are mistakes."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from ablations.studies.cells import Studies
from distill.run.overrides import parse, quoted, several
from distill.run.sweep import expand
from distill.store.identity import CHECKOUT
from tests.run.test_fields import call_distill

ODD = [
    *("~/x.jsonl", "ünï.jsonl", "日本.jsonl", "a=b.jsonl", "a#b.jsonl", "a(1).jsonl", "it's.jsonl"),
    *('q"x', "{a}.jsonl", "[a].jsonl", "x[1]", "a;b", "a&b", "!x", "a^b", "a`b", "${x", " a", "a "),
    *("true", "1e3", "1_000", "[a]", "{a: b}", "a'b\"c", 'a\\"b', "a\nb", "\t", "'a", "a{b}"),
]
"""Values of a text field that Hydra refuses, or takes for something else."""

TAKEN = ["a b.jsonl", "50%", "$x", "a:b", "a@b", "a\\b", "1", "x/y-z_0.jsonl", "${runs}/x"]


def meant(word: str):
    """What a config holds of the value of a word that a shell has read."""
    return OmegaConf.create({"path": parse([word])[0].value()}).path


@pytest.mark.parametrize("value", ODD)
def test_case_43_an_odd_path_is_named_with_the_quoted_form_and_that_form_is_taken(value):
    with pytest.raises(ValueError) as refused:
        parse([f"teacher.path={value}"])
    form = quoted(f"teacher.path={value}")
    assert str(refused.value).endswith(form) and "\n" not in str(refused.value)
    command = ["bash", "-c", f"printf %s {form}"]
    word = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert meant(word) == value


@pytest.mark.parametrize("value", TAKEN)
def test_a_path_that_hydra_takes_stays_as_it_is(value):
    (override,) = parse([f"teacher.path={value}"])
    assert str(override.value()) == value


@given(st.text(alphabet="a\\\"'${} ,=~ü#[(:!", max_size=10))
def test_any_text_is_read_again_as_it_was_quoted(text):
    (word,) = shlex.split(quoted(f"teacher.path={text}"))
    assert meant(word) == text


@pytest.mark.parametrize("value", ["null", "", "a,b", '"1e3"', r"a\,b"])
def test_nothing_several_values_and_hydras_own_quotes_and_escapes_are_no_mistakes(value):
    assert parse([f"teacher.path={value}"])


def test_several_values_of_one_run_are_named_with_all_three_ways_of_writing_them():
    told = call_distill("teacher=recorded", "teacher.path=a,b.jsonl")
    assert told == f"Nothing was run: {several('teacher.path=a,b.jsonl')}"
    assert "-m" in told and """'teacher.path="a,b.jsonl"'""" in told


def test_a_line_of_a_grid_is_quoted_as_for_a_shell_and_an_odd_path_in_it_is_named():
    assert expand(["""'teacher.path="ü,b"'"""], []) == [['teacher.path="ü,b"']]
    with pytest.raises(ValueError, match="is read when quoted"):
        expand(["teacher.path=ü"], [])
    with pytest.raises(ValueError, match="grid line 'a=\"' cannot be read"):
        expand(['a="'], [])


def test_case_44_a_reference_to_no_field_is_one_line_with_the_escaped_form():
    words = ["teacher=recorded", "teacher.path=${x}", "until=verify"]
    told = ""
    for told in (call_distill(*words), refused(words)):
        assert "Interpolation key 'x' not found" in told and "\n" not in told
        assert told.endswith("""'teacher.path="\\${x}"'""")
    (form,) = shlex.split(told.rpartition("write ")[2])
    assert Studies().one(["teacher=recorded", form]).config.teacher.path == "${x}"


def refused(words: list[str]) -> str:
    with pytest.raises(ValueError) as stopped:
        Studies().one(words)
    return str(stopped.value)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["+"], "is no override"),
        (["=1"], "is no override"),
        (["training"], "is no override"),
        (["training.epochs 3"], "is no override"),
        (["training..epochs=3"], "is no override"),
        (["training.epochs='3"], "is no override"),
        (["training.epochs=3 # x"], "is no override"),
        (["💥=1"], "is no override"),
        (["teacher.path=\udcff"], "is not text in UTF-8"),
        (["training.epochs=abc"], "could not be converted to Float"),
        (["training.epochs=null"], "training.epochs"),
        (["training.seed=1.5"], "could not be converted to Integer"),
        (["training.seed=inf"], "training.seed"),
        (["training.dtype=int8"], "bfloat16"),
        (["training=null"], "training=null"),
        (["training="], "micro_sft"),
        (["training=nope"], "micro_sft"),
        (["++training=sft"], "++training=sft"),
        (["~training"], "training.name"),
        (["~nope"], "nope"),
        (["until=nope"], "evaluate"),
        (["teacher.engine.kind=vllm"], "teacher.engine.kind"),
        (["teacher.path=${teacher}"], "teacher.path"),
        (["hydra.mode=NOPE"], "MULTIRUN"),
        (["hydra/launcher=nope"], "basic"),
        (["hydra.launcher.nope=1"], "hydra.launcher.nope"),
        (["artifacts="], "path of a folder"),
        (["runs="], "path of a folder"),
        (["until=problems", "training=none"], "only stage is evaluate"),
        (["-m", "training.seed=range(1,0)"], "training.seed"),
        (["-m", "training.seed=interval(0,1)"], "training.seed"),
        (["-m", "training.seed=choice()"], "training.seed"),
        (["-m", "corruption=none,nope"], "shuffle_steps"),
        (["-m", "until=problems,corrupt", "training=none"], "only stage is evaluate"),
        (["-m", "study.name=a,b/c"], "study.name must be a name"),
        (["--config-dir", "/nowhere"], "/nowhere"),
        (["--resolve"], "--resolve"),
    ],
)
def test_a_mistaken_request_is_told_with_its_rule_and_never_by_a_traceback(
    words, told, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    message = call_distill(*words)
    assert message.startswith("Nothing was run: ") and told in message, message
    assert "Traceback" not in capfd.readouterr().err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_reader_that_leaves_early_gets_no_traceback(tmp_path):
    for program in ("distill", "ablations"):
        left = f"{sys.executable} -m {program} --help | true"
        done = subprocess.run(["bash", "-c", left], cwd=CHECKOUT, capture_output=True, text=True)
        assert done.stderr == ""


def test_a_home_folder_is_meant_by_a_tilde_in_every_path(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    words = ["teacher=recorded", 'teacher.path="~/t.jsonl"', 'student.model="~/m"']
    config = Studies().one([*words, 'artifacts="~/a"', 'runs="~/r"']).config
    home = Path("/home/somebody")
    paths = (config.teacher.path, config.student.model, config.artifacts, config.runs)
    assert [*map(Path, paths)] == [home / "t.jsonl", home / "m", home / "a", home / "r"]
