"""Command lines: texts that Hydra's grammar cannot take, and requests that are mistakes."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from ablations.studies.cells import Studies
from distill.config import Config
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
        (["training.seed=0,"], "is no override (it ends too early); write GROUP=OPTION"),
        (["training.epochs==3"], "is no override ('=' cannot stand there)"),
        (["training.epochs=\x01"], r"is no override ('\x01' cannot stand there)"),
        (["💥=1"], "is no override"),
        (["teacher.path=\udcff"], "is not text in UTF-8"),
        (["training.epochs=abc"], "training.epochs must be a number > 0; got 'abc'"),
        (["training.epochs=null"], "training.epochs"),
        (["training.seed=1.5"], "training.seed must be a whole number in [0, 4294967295]; got 1.5"),
        (["training.seed=inf"], "training.seed"),
        (["training.dtype=int8"], "bfloat16"),
        (["training=null"], "training=null: training takes the name of one option"),
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
        (["artifacts="], "artifacts must be a path"),
        (["runs="], "runs must be a path"),
        (["until=problems", "training=none"], "only stage is evaluate"),
        (["runs=/dev/null"], "runs=/dev/null: /dev/null is no folder"),
        (["teacher.engine={kind:vllm}"], "+engine@teacher.engine=OPTION"),
        (["-m", "runs=", "training.seed=0,1"], "runs must be a path"),
        (["-m", "training.seed=range(1,0)"], "training.seed"),
        (["-m", "training.seed=interval(0,1)"], "training.seed"),
        (["-m", "training.seed=choice()"], "training.seed"),
        (["-m", "corruption=none,nope"], "shuffle_steps"),
        (["-m", "until=problems,corrupt", "training=none"], "only stage is evaluate"),
        (["-m", "study.name=a,b/c"], "study.name must be a name"),
        (["--config-dir", "/nowhere"], "--config-dir: there is no folder /nowhere"),
        (["--config-name", "nope"], "--config-name=nope: there is no nope.yaml in conf/"),
        (["--config-path", "nope"], "--config-path=nope: there is no such folder"),
        (["--resolve"], "--resolve"),
        (["hydra.mode=nope"], "hydra.mode must be one of RUN, MULTIRUN or null; got 'nope'"),
        (["hydra.mod=RUN"], "no config has hydra.mod; nearest: hydra.mode"),
        (["++hydra.x=1"], "no config has hydra.x; nearest: hydra.run"),
        (["hydra.sweeper.grids=x"], "hydra.sweeper.grids must be a list, [VALUE,...]; got 'x'"),
        (["hydra.sweeper.grid=x"], "there is no hydra.sweeper.grid"),
        (["hydra/nope=x"], "Hydra has no group hydra/nope; it has hydra/env, "),
        (["hydra/launcher=null"], "hydra/launcher takes the name of one option"),
        (["hydra/launcher="], "hydra/launcher=: there is no such option; choose from basic, "),
        (["hydra.searchpath=[x]"], "hydra.searchpath: there is no folder x"),
        (["-m", "training.seed=0,1", "study=demo,smoke"], "study=demo,smoke: a sweep makes the"),
        (["corruption.fraction=0.5"], "no corruption is chosen; say corruption=NAME for one of"),
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


MISTAKES = [
    ("training.seed=null", "training.seed must be a whole number in [0, 4294967295]; got null"),
    ("training.seed=-1", "training.seed must be in [0, 4294967295]; got -1"),
    (
        f"training.batch={10**20}",
        f"training.batch must be a whole number of at most 64 bits; got 1{'0' * 20}",
    ),
    ("training.method=x", "training.method must be one of none, sft, lora; got 'x'"),
    ("training.autocast=2", "training.autocast must be true or false; got 2"),
    ("training.autocast=maybe", "training.autocast must be true or false; got 'maybe'"),
    ("training.union=x", "training.union must be a list, [VALUE,...]; got 'x'"),
    ("training.union=[1]", "training.union.0 must be fields, as in {FIELD: VALUE}; got 1"),
    ("training.lora_targets=", "all-linear, or names of modules separated by commas; got ''"),
    ("teacher.columns=x", "teacher.columns must be a dictionary, {NAME: VALUE}; got 'x'"),
    ("teacher.engine={kind:x}", "teacher.engine must be an option, as in +engine@teacher.engine="),
    ("teacher.prompt=x", "+prompt@teacher.prompt=OPTION, or fields, as in {FIELD: VALUE} or null"),
    ("teacher.sampling={x:1}", "no config has teacher.sampling.x; nearest: teacher.sampling.seed"),
    ("filter.bounds={a:1}", "there is no filter.bounds.a; +filter.bounds={a:1} adds it"),
    ("student.model=???", "student.model has no value; it must be a text"),
    ("artifacts=${artifacts}", "artifacts: Recursive interpolation detected"),
    ("training={}", "training={}: training takes the name of one option, as in training=OPTION"),
    ("training=5", "training takes the name of one option"),
    ("world=null", "world takes the name of one option"),
    ("training=", "training=: there is no such option; choose from lora, micro_lora, micro_sft"),
    ("teacher=../x", "teacher=../x: there is no such option; choose from "),
    ("+training=sft", "training has an option; write training=OPTION, without +"),
    ("++training=sft", "++training=sft: training takes an option; write training=OPTION"),
    ("~training=sft", "there is no training=sft to take out"),
    ("~evaluation.benchmarks.x", "there is no evaluation.benchmarks.x to take out"),
    ("+training.epochs=2", "training.epochs has a value; write training.epochs=VALUE, without +"),
    ("prompt@teacher.prompt=think", "teacher.prompt has no option of prompt; write +prompt@"),
    ("+ask@teacher=judge", "such as ask/judge cannot stand there, which has no field user"),
    ("+ask@teacher.convert=null", "takes the name of one option, as in +ask@teacher.convert=OPT"),
    ("teacher.engine.batch=3", "teacher.engine is null, so teacher.engine.batch cannot be set; +e"),
    ("+evaluation.benchmarks.x={samples:2}", "+benchmark@evaluation.benchmarks.x=OPTION adds it"),
    ("+evaluation.benchmarks.x.samples=2", "+benchmark@evaluation.benchmarks.x=OPTION adds it"),
    ("+filter.bounds.math=x", "filter.bounds.math must be a list, [VALUE,...]; got x"),
    ("training.union.0.kind=x", "write the whole list, training.union=[{FIELD: VALUE},...]"),
    ("training.union.x.kind=x", "x is no place in a list, which are 0, 1, ..."),
    ("training.seed=interval(0,1)", "an interval has no end of values; list some"),
    ("prompt.thought_close=", "prompt.thought_close must be a text that is not empty, for the"),
    (
        "training.epochs=${oc.env:NO_X}",
        "training.epochs: \"Environment variable 'NO_X' not found\"",
    ),
    ("TRAINING.EPOCHS=1", "no config has TRAINING.EPOCHS; nearest: training.epochs"),
    ("+dataset.columns.answer=", "columns.answer must be a text that is not blank; got ''"),
    ("engine={kind:openai}", "engine takes the name of one option"),
    (
        "corruption.steps=x",
        "corruption.steps must be one of blank_line, reflection, model; got 'x'",
    ),
    ("training/epochs=1", "a field is written with dots, training.epochs"),
    ("corruption=glob(*)", "corruption=glob(*) is not read; list the options"),
    ("~", "is no override"),
    ("~x", "no config has x"),
    ("~training.epochs", "training.epochs cannot be taken out"),
    ("tracking.project=", "tracking.project must be a text that is not blank; got ''"),
]


@pytest.mark.parametrize(("word", "told"), MISTAKES)
def test_a_mistaken_value_is_told_in_the_words_of_the_field(word, told):
    with pytest.raises(ValueError) as stopped:
        Studies().cells("single", [word])
    text = str(stopped.value)
    assert told in text and not re.search("full_key|object_type|Config search path", text)


def test_an_address_that_is_none_is_told_with_an_example():
    with pytest.raises(ValueError, match=r"engine.base_url must be .*http://localhost.*; got 'x'"):
        Studies().one(["engine=openai", "engine.base_url=x"])


@pytest.mark.parametrize(
    "words",
    [
        ["corruption=none,shuffle_steps", "corruption.fraction=0.33"],
        ["corruption=none", "corruption.steps=reflection"],
        ["training=none", "corruption.fraction=0.33"],
        ["corruption.kind=none", "corruption.fraction=0.33"],
        ["corruption.seed=1", "corruption.fraction=0"],
    ],
)
def test_the_uncorrupted_arm_of_a_grid_may_have_the_fields_of_the_others(words):
    assert Studies().cells("single", words)[0].config.corruption == Config().corruption


def test_a_fraction_of_no_corruption_is_a_mistake_in_a_study_that_chooses_none():
    with pytest.raises(ValueError, match=r"corruption.fraction=0.33 damages nothing, .*none"):
        Studies().cells("size", ["corruption.fraction=0.33"])
    assert len(Studies().cells("demo", ["corruption.fraction=0.33"])) == 6


PATHS = [
    *("artifacts", "runs", "dataset.path", "teacher.path", "teacher.model", "student.model"),
    *("verification.reward_model", "evaluation.benchmarks.sign_puzzle.dataset.path"),
]


@pytest.mark.parametrize("field", PATHS)
@pytest.mark.parametrize("value", ["''", "' '", "/", '"~no body/x"'])
def test_a_path_that_names_no_place_is_refused_with_the_name_of_its_field(field, value):
    with pytest.raises(
        ValueError,
        match=rf"{field.removeprefix('evaluation.benchmarks.sign_puzzle.')} must be a path",
    ):
        Studies().cells("single", [f"{field}={value}"])
