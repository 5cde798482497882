"""Weights shared over processes (FSDP), on two CPU processes: what GPUs would do, but for speed.

Run: pytest tests/training/test_sharding.py
"""

import json
from dataclasses import replace

import pytest

from distill.compute import ComputeConfig
from distill.micro import pretrain
from distill.models.config import Dtype, StudentConfig
from distill.trace.records import read_rows, write_records
from distill.training import launch, mapped, sft, sharding, trainer
from distill.training.config import Job, Part, TrainingConfig
from distill.training.progress import Progress
from tests.micro_corpus import PROMPT, traces

COMPUTE = ComputeConfig(
    device="cpu", threads=1, processes=2, batch_per_device=1, progress=False, checkpoint_every=9
)
SFT = TrainingConfig(
    name="x",
    epochs=1,
    batch=8,
    learning_rate=1e-3,
    max_tokens=1024,
    dtype=Dtype.float32,
    autocast=False,
)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    recipe = pretrain.Recipe(width=32, layers=2, heads=2, feed_forward=64)
    pretrain.save(pretrain.build_model(recipe).float(), folder)
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write_records(folder / "traces.jsonl", traces(16))
    return folder


def job_of(base, corpus, out, compute):
    (out / "launch").mkdir(parents=True)
    student = StudentConfig(name="tiny", model=str(base))
    job = Job(student, SFT, [Part(PROMPT, corpus, corpus, [])], None, compute, out)
    mapped.write_rows(job)
    return job


def train(base, corpus, out, how):
    launch.start(how, job_of(base, corpus, out, COMPUTE), Progress(), out / "launch")
    return out


def shared(job, progress):
    """`sft.train` as on GPUs. Notes the bytes of gradients that a process holds after each pass."""
    import torch

    fsdp_on_cpus()
    torch.cuda.device_count = lambda: 2
    sharding.sharded = lambda processes, device: True
    made = trainer.make_trainer

    def watched(*args, **kwargs):
        run = made(*args, **kwargs)
        step = run.training_step

        def training_step(model, *rest, **more):
            loss = step(model, *rest, **more)
            if run.is_world_process_zero():
                with (job.out / "held.jsonl").open("a") as file:
                    file.write(json.dumps(held(model)) + "\n")
            return loss

        run.training_step = training_step
        return run

    trainer.make_trainer = watched
    sft.train(job, progress)


def shared_as_before(job, progress):
    """The same with gradients shared out only after the last pass of a step."""
    settings = sharding.fsdp
    sharding.fsdp = lambda processes: settings(processes) | {"accelerator_config": None}
    shared(job, progress)


def fsdp_on_cpus():
    """Accelerate takes FSDP for processes of every kind but these."""
    from accelerate.state import AcceleratorState, PartialState
    from accelerate.utils import DistributedType

    begin = AcceleratorState.__init__

    def init(self, *args, fsdp_plugin=None, **kwargs):
        begin(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
        if fsdp_plugin and self.distributed_type is DistributedType.MULTI_CPU:
            self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin
            PartialState._shared_state["distributed_type"] = DistributedType.FSDP

    AcceleratorState.__init__ = init


def held(model):
    """Bytes of gradients in this process: of whole weights, and of its own shares."""
    from torch.distributed.fsdp import FSDPModule

    modules = [module for module in model.modules() if isinstance(module, FSDPModule)]
    groups = {id(g): g for m in modules if (g := m._get_fsdp_state()._fsdp_param_group)}
    parameters = [p for group in groups.values() for p in group.fsdp_params]
    assert parameters
    whole = [p.unsharded_accumulated_grad for p in parameters]
    whole += [getattr(getattr(p, "_unsharded_param", None), "grad", None) for p in parameters]
    share = [p.sharded_param.grad for p in parameters]
    return {
        "whole": sum(grad.nbytes for grad in whole if grad is not None),
        "share": sum(grad.to_local().nbytes for grad in share if grad is not None),
    }


def noted(out):
    return [json.loads(line) for line in (out / "held.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_no_process_keeps_the_gradients_of_all_weights_between_passes(base, corpus, tmp_path):
    """Two steps of 8 traces, each in 4 passes of one trace in each of two processes."""
    made = train(base, corpus, tmp_path / "made", shared)
    before = train(base, corpus, tmp_path / "before", shared_as_before)
    assert len(noted(made)) == len(noted(before)) == 8
    assert {row["whole"] for row in noted(made)} == {0}
    assert {row["share"] for row in noted(made)} == {noted(before)[3]["share"]}
    assert noted(before)[0]["whole"] > noted(before)[3]["share"] > 0  # what this test would miss
    one = job_of(base, corpus, tmp_path / "one", replace(COMPUTE, processes=1))
    sft.train(one, Progress())
    curves = [list(read_rows(out / "curve.jsonl")) for out in (made, before, one.out)]
    for a, b, c in zip(*curves, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-6)
        assert a["loss"] == pytest.approx(c["loss"], rel=1e-5)
        assert a["grad_norm"] == pytest.approx(c["grad_norm"], rel=1e-4)
