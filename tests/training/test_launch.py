"""A training in several processes makes the steps of one process, and ends as one process does.

Run: pytest tests/training/test_launch.py
"""

import json
import math
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.compute import ComputeConfig
from distill.micro import pretrain
from distill.models.config import Dtype, StudentConfig
from distill.store.identity import CHECKOUT, content_hash
from distill.trace.records import read_rows, write_records
from distill.training import checkpoint
from distill.training import train as stage
from distill.training.config import Batching, Method, TrainingConfig
from distill.training.order import OrderSampler, training_order
from distill.training.progress import Progress, ProgressFile, report
from tests.micro_corpus import PROMPT, traces

ONE = ComputeConfig(device="cpu", threads=1, progress=False, checkpoint_every=2)
TWO = replace(ONE, processes=2)
SFT = TrainingConfig(
    name="x",
    epochs=1.5,
    batch=4,
    learning_rate=1e-3,
    max_tokens=1024,
    dtype=Dtype.float32,
    autocast=False,
    weight_decay=0.1,
)
LORA = replace(SFT, method=Method.lora, lora_rank=4, lora_alpha=8, lora_dropout=0.2)
STEPS = 8
"""17 traces: 5 steps a pass, the last of one trace, which two processes cannot share."""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    recipe = pretrain.Recipe(width=32, layers=2, heads=2, feed_forward=64)
    model = pretrain.build_model(recipe)
    pretrain.save(model, folder)
    model.float().save_pretrained(folder)  # what is trained is then saved to the last bit
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write_records(folder / "traces.jsonl", traces(17))
    return folder


@pytest.fixture(scope="module")
def alone(base, corpus, tmp_path_factory):
    return train(base, corpus, SFT, tmp_path_factory.mktemp("alone"), ONE)


@pytest.fixture(scope="module")
def adapted(base, corpus, tmp_path_factory):
    return train(base, corpus, LORA, tmp_path_factory.mktemp("adapted"), TWO)


def train(base, corpus, training, out, compute, log=None):
    out.mkdir(exist_ok=True)
    student = StudentConfig(name="tiny", model=str(base))
    stage.train_student(
        student, training, PROMPT, corpus, corpus, [], compute=compute, log=log, out=out
    )
    return out


def curve(out):
    return list(read_rows(out / "curve.jsonl"))


def assert_alike(one, many):
    """But for rounding: sums over processes are taken in another order."""
    import torch
    from safetensors.torch import load_file

    for a, b in zip(curve(one), curve(many), strict=True):
        assert (a["step"], a["tokens"], a["learning_rate"]) == (
            b["step"],
            b["tokens"],
            b["learning_rate"],
        )
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-5)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-4)
    before, after = (load_file(out / "model" / "model.safetensors") for out in (one, many))
    assert before.keys() == after.keys()
    for name, weight in before.items():
        torch.testing.assert_close(after[name], weight, rtol=0, atol=1e-5)
    names = [sorted(p.relative_to(out) for p in out.rglob("*")) for out in (one, many)]
    assert names[0] == names[1]
    summaries = [json.loads((out / "summary.json").read_text()) for out in (one, many)]
    losses = [summary.pop("final_loss") for summary in summaries]
    assert summaries[0] == summaries[1]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.slow
def test_two_processes_make_the_steps_of_one(base, corpus, alone, tmp_path):
    rows = []
    made = train(base, corpus, SFT, tmp_path, TWO, log=rows.append)
    assert_alike(alone, made)
    assert rows == curve(made)
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))


@pytest.mark.slow
@pytest.mark.parametrize("batching", [Batching.plain, Batching.packed])
def test_processes_that_do_not_divide_a_batch_make_its_steps_too(base, corpus, tmp_path, batching):
    # Three processes have two rows of four, one at a time: two rows of every step are blank.
    training = replace(SFT, batching=batching, epochs=1)
    one = train(base, corpus, training, tmp_path / "one", ONE)
    three = replace(ONE, processes=3, batch_per_device=1)
    assert_alike(one, train(base, corpus, training, tmp_path / "three", three))


@pytest.mark.slow
def test_killed_processes_continue_to_the_same_bytes(base, corpus, adapted, tmp_path):
    def log(row):
        if row["step"] == 3:
            assert len(multiprocessing.active_children()) == 2
            os.kill(max(p.pid for p in multiprocessing.active_children()), signal.SIGKILL)

    with pytest.raises(RuntimeError, match="process"):
        train(base, corpus, LORA, tmp_path, TWO, log=log)
    assert multiprocessing.active_children() == []
    rows = []
    train(base, corpus, LORA, tmp_path, TWO, log=rows.append)
    assert rows[0]["step"] > 2 and rows[-1]["step"] == STEPS
    assert content_hash(tmp_path) == content_hash(adapted)


@pytest.mark.slow
def test_no_process_outlives_one_that_was_killed_and_the_next_continues(
    base, corpus, adapted, tmp_path
):
    student = StudentConfig(name="tiny", model=str(base))
    arguments = pickle.dumps(((student, LORA, PROMPT, corpus, corpus, []), TWO, tmp_path))
    script = f"""
import multiprocessing, os, pickle, signal, sys
sys.path.insert(0, {str(CHECKOUT)!r})
from distill.training.train import train_student
def log(row):
    if row["step"] == 6:
        print(*(process.pid for process in multiprocessing.active_children()), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
arguments, compute, out = pickle.loads({arguments!r})
train_student(*arguments, compute=compute, log=log, out=out)
"""
    killed = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert killed.returncode == -signal.SIGKILL
    left = [int(pid) for pid in killed.stdout.split()]
    assert len(left) == 2
    until = time.monotonic() + 30
    while any(map(psutil.pid_exists, left)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(psutil.pid_exists, left))
    rows = []
    train(base, corpus, LORA, tmp_path, TWO, log=rows.append)
    assert rows[0]["step"] > 4 and rows[-1]["step"] == STEPS
    assert content_hash(tmp_path) == content_hash(adapted)


@pytest.mark.slow
def test_an_error_of_a_process_is_raised_here_with_its_traceback(base, corpus, tmp_path):
    wild = replace(SFT, learning_rate=1e30, max_grad_norm=1e30)
    with pytest.raises(FloatingPointError, match=r"at step \d.*training\.learning_rate") as caught:
        train(base, corpus, wild, tmp_path, TWO)
    (note,) = caught.value.__notes__
    assert "of 2" in note and "Traceback" in note and "sft.py" in note
    assert multiprocessing.active_children() == []


def test_progress_from_a_file_is_reported_once_and_line_by_line(tmp_path):
    class Seen(Progress):
        def begin(self, steps, done):
            seen.append((steps, done))

        def step(self, row):
            seen.append(row["step"])

    seen, path = [], tmp_path / "events.jsonl"
    writer = ProgressFile(path)
    writer.begin(3, 1)
    with path.open() as file, path.open("a") as unfinished:
        report(file, Seen())
        assert seen == [(3, 1)]
        for part in ('["step", {"st', 'ep": 2}]\n'):
            unfinished.write(part)
            unfinished.flush()
            report(file, Seen())
        writer.step({"step": 3})
        report(file, Seen())
    assert seen == [(3, 1), 2, 3]


def test_what_another_number_of_processes_saved_is_not_resumed_from(tmp_path):
    saved = tmp_path / "checkpoint-4"
    saved.mkdir()
    checkpoint.mark_complete(saved, 2)
    checkpoint.drop_incomplete(tmp_path, 2)
    assert checkpoint.newest(tmp_path) == str(saved)
    checkpoint.drop_incomplete(tmp_path, 1)
    assert checkpoint.newest(tmp_path) is None


@pytest.mark.slow
def test_an_interrupt_ends_all_processes(base, corpus, tmp_path):
    def log(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(base, corpus, SFT, tmp_path, TWO, log=log)
    assert multiprocessing.active_children() == []


@settings(deadline=None)
@given(
    rows=st.integers(1, 60),
    batch=st.integers(1, 12),
    processes=st.integers(2, 9),
    at_once=st.integers(1, 4),
    epochs=st.sampled_from([0.5, 1, 2]),
)
def test_each_step_has_the_orders_rows_once_over_all_processes(
    rows, batch, processes, at_once, epochs
):
    """Dealt out by the class that accelerate deals out with."""
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    lengths = list(range(1, rows + 1))
    order = training_order(lengths, lengths, batch, replace(SFT, epochs=epochs))
    passes = math.ceil(math.ceil(batch / processes) / at_once)
    sampler = OrderSampler(order, passes * at_once * processes)
    for epoch, planned in enumerate(order.epochs):
        sampler.set_epoch(epoch)
        batches = BatchSampler(sampler, at_once, drop_last=False)
        dealt = [list(BatchSamplerShard(batches, processes, i)) for i in range(processes)]
        assert {len(mine) for mine in dealt} == {passes * order.steps_per_epoch}
        for step in range(order.steps_per_epoch):
            mine = [got[step * passes : (step + 1) * passes] for got in dealt]
            seen = [row for got in mine for part in got for row in part if row < rows]
            assert sorted(seen) == sorted(planned[step * batch : (step + 1) * batch])
