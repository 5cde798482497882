"""The command line: answers, errors, nothing heavy."""

import re
import subprocess
import sys

import pytest

from ablations.__main__ import main
from distill.store.identity import CHECKOUT

HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "wandb", "vllm", "scipy"}
STATISTICS = {"plan": {"scipy"}, "table": {"scipy"}}
COMMANDS = {
    "plan": ["smoke"],
    "status": ["smoke"],
    "table": ["smoke"],
    "show": ["corruption=shuffle_steps", "dataset.problems=20", "size.traces=5"],
    "explain": ["training.seed=0", "training.seed=1"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_loads_what_trains(command, make_run, tmp_path):
    make_run(["corruption=none"], [True, False])
    places = [f"artifacts={tmp_path}/artifacts", f"runs={tmp_path}/runs"]
    arguments = [*COMMANDS[command], *(places if command != "explain" else [])]
    python = [sys.executable, "-X", "importtime", "-m", "ablations", command, *arguments]
    done = subprocess.run(python, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == (command == "status"), done.stderr[-2000:]
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "distill.pipeline" in loaded
    heavy = HEAVY - STATISTICS.get(command, set())
    assert not heavy & {name.partition(".")[0] for name in loaded}


def test_help_names_every_command_with_one_line_and_gives_examples(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(re.search(rf"^    {command}  +\w.*\.$", text, re.MULTILINE) for command in COMMANDS)
    assert text.count("python -m ablations ") >= len(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert f"python -m ablations {command} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["plan", "nope"], "unknown study 'nope'; known: "),
        (["plan", "smoke", "corruption.fraction=2"], "must be in [0, 1]; got 2.0"),
        (["plan", "smoke", "corruption.fracton=1"], "corruption.fracton"),
        (["plan", "smoke", "corruption=shufle"], "corruption/shufle"),
        (["table", "smoke", "runs=no/such/folder"], "no folder no/such/folder/smoke"),
        (["explain", "ffff", "training.seed=1", "--runs", "no/such"], "no folder no/such"),
    ],
)
def test_a_wrong_request_is_one_message_and_exit_code_1(arguments, told, capsys):
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("ablations: ") and told in printed.err
    assert not printed.out


def test_overrides_may_follow_an_option(make_run, tmp_path, capsys):
    make_run(["corruption=none"], [True, False])
    assert main(["table", "smoke", "--format", "csv", f"runs={tmp_path}/runs"]) == 0
    assert capsys.readouterr().out.startswith("benchmark,")


def test_an_unknown_option_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["plan", "smoke", "--fast"])
    assert "--fast" in capsys.readouterr().err


def test_a_table_goes_to_a_file_instead_and_its_name_is_told(make_run, tmp_path, capsys):
    make_run(["corruption=none"], [True, False])
    main(["table", "smoke", f"runs={tmp_path}/runs", "--out", str(tmp_path / "table.md")])
    assert capsys.readouterr().out == f"wrote {tmp_path / 'table.md'}\n"
    assert "2×1×1" in (tmp_path / "table.md").read_text()
