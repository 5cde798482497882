"""Training on GPUs. Run on a machine that has them: pytest -m gpu tests/gpu/test_training.py."""

import random
from dataclasses import replace

import pytest

from distill.compute import ComputeConfig
from distill.micro import scripted_teacher, sign_puzzle
from distill.models.config import Dtype, PromptConfig, StudentConfig
from distill.store.identity import CHECKOUT
from distill.trace.records import Problem, Trace, read_rows, write_records
from distill.training import sharding, train
from distill.training.config import TrainingConfig

pytestmark = pytest.mark.gpu

STUDENT = StudentConfig("micro", str(CHECKOUT / "distill" / "micro" / "students" / "micro"))
PROMPT = PromptConfig(
    name="micro",
    user="Problem: {question}",
    thought_open="Thought:\n",
    thought_close="\nSolution: ",
)
SFT = TrainingConfig(
    name="x", epochs=2, batch=8, learning_rate=3e-4, max_tokens=1024, dtype=Dtype.float32
)
GPU = ComputeConfig(device="cuda", threads=1, progress=False, checkpoint_every=3)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """50 traces: 7 steps a pass, the last of 2 traces."""
    made = []
    for puzzle in sign_puzzle.problems("train", 50, 0):
        problem = Problem.of(puzzle.question, puzzle.answer, "sign_puzzle", "train")
        written = scripted_teacher.write(puzzle.question, random.Random(problem.id), False)
        made.append(Trace.of(problem, "scripted", 0, *written))
    folder = tmp_path_factory.mktemp("corpus")
    write_records(folder / "traces.jsonl", made)
    return folder


def curve(corpus, out, compute, training=SFT, log=None):
    out.mkdir(exist_ok=True)
    train.train_student(
        STUDENT, training, PROMPT, corpus, corpus, [], compute=compute, log=log, out=out
    )
    assert (out / "model" / "model.safetensors").exists()
    return list(read_rows(out / "curve.jsonl"))


def assert_alike(one, other):
    for a, b in zip(one, other, strict=True):
        assert (a["step"], a["tokens"]) == (b["step"], b["tokens"])
        assert a["loss"] == pytest.approx(b["loss"], rel=0.02)


@pytest.mark.parametrize("dtype", [Dtype.float32, Dtype.bfloat16])
def test_a_gpu_learns_in_bfloat16_what_a_cpu_learns(corpus, tmp_path, dtype):
    training = replace(SFT, dtype=dtype)
    on_cpu = curve(corpus, tmp_path / "cpu", replace(GPU, device="cpu"), training)
    assert_alike(on_cpu, curve(corpus, tmp_path / "gpu", GPU, training))


def test_two_gpus_that_share_the_weights_make_the_steps_of_one(corpus, tmp_path):
    import torch

    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    one = curve(corpus, tmp_path / "one", GPU)
    two = replace(GPU, processes=2, gradient_checkpointing=True)

    class Stopped(Exception):
        pass

    def log(row):
        if row["step"] == 8:
            raise Stopped

    with pytest.raises(Stopped):
        curve(corpus, tmp_path / "two", two, log=log)
    rows = []
    assert_alike(one, curve(corpus, tmp_path / "two", two, log=rows.append))
    assert rows[0]["step"] > 6


def test_more_processes_than_gpus_are_refused():
    with pytest.raises(ValueError, match=r"compute\.processes=999"):
        sharding.fsdp(999)
