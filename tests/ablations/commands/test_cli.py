"""The command line: answers, errors, nothing heavy."""

import os
import re
import subprocess
import sys

import pytest

from ablations.__main__ import main
from ablations.findings import study
from distill.store.identity import CHECKOUT, version

FRAMES = {"pandas", "pyarrow", "matplotlib", "scipy"}
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "wandb", "vllm"} | FRAMES
COMPUTING = {"plan": FRAMES - {"matplotlib"}, "table": FRAMES - {"matplotlib"}}
"""Commands that compute something of many runs, and what they compute it with."""

RUNS = {
    "plan": ["smoke"],
    "status": ["smoke"],
    "table": ["smoke"],
    "show": ["corruption=shuffle_steps", "dataset.problems=20", "size.traces=5"],
    "explain": ["training.seed=0", "training.seed=1"],
    "deviations": ["world=paper"],
}
IMPORT = ["import", "ablations/reference/names.csv", "--run", "a", "--benchmark", "b"]
COMMANDS = [*RUNS, "report", "import", "collect", "wandb-report", "wandb-sweep"]


def python(*arguments):
    """What `python ARGUMENTS` prints, 80 columns wide in a pipe."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
    )


def loaded(done):
    """Modules that a process with `-X importtime` imported."""
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


@pytest.mark.parametrize("command", RUNS)
def test_no_command_loads_what_trains(command, make_run, tmp_path):
    make_run(["corruption=none"], [True, False])
    places = [f"artifacts={tmp_path}/artifacts", f"runs={tmp_path}/runs"]
    arguments = [*RUNS[command], *(places if command != "explain" else [])]
    done = python("-X", "importtime", "-m", "ablations", command, *arguments)
    assert done.returncode == (command == "status"), done.stderr[-2000:]
    assert "distill.pipeline" in loaded(done)
    heavy = HEAVY - COMPUTING.get(command, set())
    assert not heavy & {name.partition(".")[0] for name in loaded(done)}


def test_help_names_every_command_in_a_sentence_and_loads_nothing_heavy():
    done = python("-X", "importtime", "-m", "ablations", "--help")
    told = re.findall(r"^  ([a-z-]+)  +\w(?:.|\n {5,})*\.$", done.stdout, re.MULTILINE)
    assert sorted({*told} - {"--help", "--version"}) == sorted(COMMANDS)
    assert done.stdout.count("python -m ablations ") >= len(RUNS)
    tops = {name.partition(".")[0] for name in loaded(done)}
    assert "typer" in tops and not tops & (HEAVY | {"numpy", "hydra"})


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_fits_80_columns_and_has_examples(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main([command, "--help"]) == 0
    text, _, examples = capsys.readouterr().out.partition("Examples:")
    assert f"python -m ablations {command} " in examples
    assert all(len(line) <= 80 for line in text.splitlines())


def test_in_a_pipe_a_plan_is_plain_text_that_keeps_to_its_columns():
    text = python("-m", "ablations", "plan", "smoke").stdout
    assert "│" in text and "\x1b" not in text
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["plan", "nope"], "unknown study 'nope'; known: "),
        (["plan", "smoke", "corruption.fraction=2"], "must be in [0, 1]; got 2.0"),
        (["plan", "smoke", "corruption.fracton=1"], "corruption.fracton"),
        (["plan", "smoke", "corruption=shufle"], "corruption=shufle: there is no such option"),
        (["plan", "smoke", "study=demo"], "study=demo: the study is smoke; name one of the two"),
        (["plan", "smoke", "training.epochs=x"], "training.epochs must be a number > 0; got 'x'"),
        (["plan", "smoke", "--gpu", "B200"], "no price of an hour of a GPU 'B200'; known: H100"),
        (["plan", "smoke", "--rates", "no.csv"], "no.csv cannot be read"),
        (["plan", "smoke", "--detect", "0"], "--detect must be points of accuracy between 0 and"),
        (["table", "smoke", "runs=no/such/folder"], "no folder no/such/folder/smoke"),
        (["table", "table2", "--study", ""], "unknown study ''; known: "),
        (["table", "smoke,table2"], "2 tables are as many files; name a folder for them with"),
        (["table", "table3,", "--out", "build"], "unknown study ''; known: "),
        (["table", "table3", "--format", "md,csv", "--out", "setup.py"], "setup.py is no folder"),
        (["wandb-sweep", "smoke", "--out", "no/such.yaml"], "no/such.yaml cannot be written: No"),
        (["explain", "ffff", "training.seed=1", "--runs", "no/such"], "no folder no/such"),
        (["explain", "a='", "training.seed=1"], 'the run "a=\'" cannot be read: No closing'),
        (["collect", "demo", "--runs", "conf"], "there is no finished run in conf; name another"),
        ([*IMPORT, "--columns", "response="], "--columns takes FIELD=COLUMN pairs separated"),
        ([*IMPORT[:3], "", *IMPORT[4:]], "--run takes a name, or @COLUMN that holds it; got ''"),
        ([*IMPORT[:5], "@"], "--benchmark takes a name, or @COLUMN that holds it; got '@'"),
        ([*IMPORT, "--runs", "setup.py"], "setup.py/imported: Not a directory"),
    ],
)
def test_a_wrong_request_is_one_message_and_exit_code_1(arguments, told, capsys):
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("ablations: ") and told in printed.err
    assert not printed.out


def test_overrides_and_options_may_stand_in_any_order(monkeypatch, capsys):
    asked = {}
    monkeypatch.setattr(
        "ablations.commands.answers.table.tables",
        lambda *_, **given: asked.update(given) or [("table2", str)],
    )
    line = "table2 training.seed=0,1 --format csv +a.b=1 ~c --study demo ++d={e: 1} --arms size=1k"
    assert main(["table", *re.findall(r"\S+\{.*?\}|\S+", line)]) == 0
    assert (asked["study"], asked["arms_only"]) == ("demo", True)
    assert asked["overrides"] == ["training.seed=0,1", "+a.b=1", "~c", "++d={e: 1}", "size=1k"]


def test_an_override_that_follows_an_option_counts(make_run, tmp_path, capsys):
    make_run(["corruption=none"], [True, False])
    assert main(["table", "smoke", "--format", "csv", f"runs={tmp_path}/runs"]) == 0
    assert capsys.readouterr().out.startswith("benchmark,")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["plan", "smoke", "--fast"], "No such option: --fast"),
        (["plan"], "Missing argument 'STUDY'"),
        (["table", "demo", "--format", "xml"], "'xml' is not one of 'md', 'latex', 'csv', 'html'"),
        (["table", "demo", "--format", "md,"], "'' is not one of 'md', 'latex', 'csv', 'html'"),
        (["import", "out.jsonl", "--run", "a"], "Missing option '--benchmark'"),
        (["table", "demo", "--runs", ""], "'--runs': it must be a path: not empty"),
        (["report", "demo", "--out", " "], "'--out': it must be a path: not empty"),
        (["plann", "smoke"], "No such command 'plann'. Did you mean 'plan'"),
    ],
)
def test_a_line_that_cannot_be_parsed_is_a_message_and_exit_code_2(arguments, told, capsys):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert told in printed.err and not printed.out


def test_the_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ablations {version('distill')}\n"


def test_without_a_command_there_is_help_and_exit_code_2(capsys):
    assert main([]) == 2
    printed = capsys.readouterr()
    assert "wandb-sweep" in printed.out + printed.err


def test_a_mistake_of_the_program_is_not_taken_for_a_wrong_request(monkeypatch):
    def broken(*_):
        raise KeyError("x")

    monkeypatch.setattr("ablations.commands.answers.plan.plan_table", broken)
    with pytest.raises(KeyError):
        main(["plan", "smoke"])


def test_a_table_goes_to_a_file_instead_and_its_name_is_told(make_run, tmp_path, capsys):
    make_run(["corruption=none"], [True, False])
    main(["table", "smoke", f"runs={tmp_path}/runs", "--out", str(tmp_path / "table.md")])
    assert capsys.readouterr().out == f"wrote {tmp_path / 'table.md'}\n"
    assert "2×1×1" in (tmp_path / "table.md").read_text()


def test_several_tables_and_formats_are_those_of_one_each_and_read_their_runs_once(
    tmp_path, capsys, monkeypatch
):
    read, recorded = [], str(CHECKOUT / "analysis" / "results" / "sft_vs_lora")
    records = study.records
    monkeypatch.setattr(study, "records", lambda folder: read.append(folder) or records(folder))
    more = ["--runs", recorded]
    names, formats = ("table2", "table5", "sft_vs_lora"), ("md", "csv", "latex", "html")
    asked = ["table", ",".join(names), *more, "--format", ",".join(formats)]
    assert main([*asked, "--out", str(tmp_path / "new" / "tables")]) == 0
    assert len(read) == 1
    told = capsys.readouterr().out.splitlines()
    files = [tmp_path / "new" / "tables" / f"{n}.{form}" for n in names for form in formats]
    assert told == [f"wrote {file}" for file in files]
    for name, form in (("table2", "md"), ("table5", "csv"), ("sft_vs_lora", "html")):
        assert main(["table", name, *more, "--format", form]) == 0
        assert capsys.readouterr().out == (tmp_path / f"new/tables/{name}.{form}").read_text()
    assert main(["table", "table5", *more, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "table5.md").read_text() == files[4].read_text()


def test_of_several_tables_none_is_written_where_one_is_unknown(tmp_path):
    assert main(["table", "table3,nope", "--out", str(tmp_path / "tables")]) == 1
    assert not (tmp_path / "tables").exists()
