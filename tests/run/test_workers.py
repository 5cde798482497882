"""Several runs at a time: the same artifacts, each run once, and a killed worker costs one run.

Run: pytest tests/run/test_workers.py
"""

import io
import os
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from ablations.studies.cells import Studies
from distill.run import workers
from distill.run.outcomes import MADE
from distill.run.sweep import GridSweeper
from distill.store.identity import CHECKOUT
from tests.corruptions.test_locate import HEAD

DAMAGED = ["tracking=none", "dataset.problems=40", "size.traces=6", "corruption=shuffle_steps"]
FIRST = [*DAMAGED, "corruption.fraction=0.5", "until=corrupt"]
TRAINS = [*DAMAGED, "corruption.fraction=0.5", "until=train"]
BACKWARDS = """
def backwards(corpus, config, borrow):
    return (Damaged(replace(t, thought=t.thought[::-1]), 3, 3) for t in corpus)
"""
SWEEP = [sys.executable, "-m", "distill", "-m"]


@pytest.fixture(scope="module")
def studies():
    return Studies()


def runs(studies, words, seeds=range(2)):
    return [
        (f"seed {seed}", studies.one([*words, f"corruption.seed={seed}"]).config) for seed in seeds
    ]


def configs(studies, *words):
    return [config for _, config in runs(studies, [*TRAINS, *words])]


def test_as_many_runs_at_a_time_as_cores_and_memory_allow(studies, monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 8)
    monkeypatch.setattr(workers, "free_memory", lambda: 100 * 2**30)
    six = [config for _, config in runs(studies, TRAINS, range(6))]
    assert workers.at_once(six) == 6
    assert workers.at_once(six[:3]) == 3
    assert workers.at_once(configs(studies, "compute.parallel=7")) == 2
    assert workers.at_once([*six, *configs(studies, "compute.threads=2")]) == 4
    monkeypatch.setattr(workers, "free_memory", lambda: 7 * 2**30)
    assert workers.at_once(six) == 3
    monkeypatch.setattr(workers, "free_memory", lambda: 2**30)
    assert workers.at_once(six) == 1
    assert workers.at_once(six[:1]) == workers.at_once([]) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["until=corrupt"],
        ["compute.processes=2"],
        ["compute.device=cuda"],
        ["engine=openai", "engine.base_url=http://localhost:1/v1"],
        ["student.model=some/model"],
        ["compute.parallel=1"],
    ],
)
def test_one_run_at_a_time_where_something_else_does_the_work(studies, monkeypatch, words):
    monkeypatch.setattr(workers, "cores", lambda: 8)
    assert workers.at_once(configs(studies, *words)) == 1


def test_a_container_has_the_memory_that_it_may_take(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "LIMIT", tmp_path)
    machine = workers.free_memory()
    (tmp_path / "memory.max").write_text("max\n")
    assert abs(workers.free_memory() - machine) < machine / 2
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    assert workers.free_memory() == 3000


def test_lines_are_printed_whole_and_marked():
    printed = io.StringIO()
    marked = workers.Marked(printed, "[1/2] ")
    print("run", end="", file=marked)
    assert printed.getvalue() == ""
    print(" a\n  b\n  c", file=marked)
    assert printed.getvalue() == "[1/2] run a\n[1/2]   b\n[1/2]   c\n"


def test_workers_make_each_run_once_and_a_failing_one_stops_none(
    studies, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    asked = runs(studies, FIRST, range(3))
    bad = replace(asked[1][1], artifacts="/dev/null/store")
    asked[1] = ("bad", bad)
    done, failed, last = workers.launch(asked, 2, {"SOMETHING": "else"})
    assert done.state in MADE and last.state in MADE and done.key != last.key
    assert (failed.state, failed.label) == ("failed", "bad")
    assert "/dev/null/store" in failed.why
    out = capfd.readouterr().out
    assert "[1/3] run " in out and "[3/3] run " in out
    assert [outcome.state for outcome in workers.launch(asked[::2], 2, {})] == ["done before"] * 2


def test_workers_find_an_operator_of_the_users_own(studies, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("from dataclasses import replace\n" + HEAD + BACKWARDS)
    own = [*FIRST, "corruption=none", "corruption._target_=mine.py:backwards"]
    outcomes = workers.launch(runs(studies, own), 2, {})
    assert [outcome.state for outcome in outcomes] == ["done", "done"], outcomes


def test_a_killed_worker_costs_its_run_alone(studies, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    give = workers.Worker.give

    def torn(worker, mark, config, label):
        give(worker, mark, config, label)
        if label == "seed 1":
            worker.process.kill()

    monkeypatch.setattr(workers.Worker, "give", torn)
    outcomes = workers.launch(runs(studies, FIRST, range(4)), 2, {})
    assert [outcome and outcome.state in MADE for outcome in outcomes] == [True, None, True, True]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_the_sweep(tmp_path, how):
    words = [*FIRST, "compute.parallel=2", "dataset.problems=3000", "size.traces=2000"]
    sweep = subprocess.Popen(
        [*SWEEP, *words, "corruption.seed=range(0,50)"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    for line in sweep.stdout:
        lines.append(line)
        if "[2/50] run" in line:
            break
    started = psutil.Process(sweep.pid).children()
    assert len(started) >= 2, "".join(lines)
    sweep.send_signal(how)
    sweep.communicate(timeout=60)
    _, alive = psutil.wait_procs(started, timeout=60)
    assert not alive


def test_a_number_that_another_launcher_does_not_read_is_refused(tmp_path):
    words = [*FIRST, "corruption.seed=1,2", "compute.parallel=2", "hydra/launcher=joblib"]
    done = subprocess.run(
        [*SWEEP, *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "compute.parallel=2 is for runs on this machine" in done.stderr


def test_a_sweep_has_one_number_of_runs_at_a_time(studies):
    mixed = [*configs(studies, "compute.parallel=1"), *configs(studies, "compute.parallel=2")]
    (said,) = GridSweeper(None, [])._parallel(mixed)
    assert "compute.parallel=1,2" in said and "one number" in said
