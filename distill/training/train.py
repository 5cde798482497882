"""The stage that fine-tunes a student on the traces of an arm, by one of the training methods."""

import ctypes
import gc
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from distill.compute import ComputeConfig
from distill.models import engines, hub
from distill.models.config import PromptConfig, StudentConfig
from distill.models.template import DATE
from distill.store.identity import version
from distill.training import checkpoint, lora, mapped, sft
from distill.training.config import Job, Method, Part, TrainingConfig
from distill.training.launch import start
from distill.training.progress import Log, Progress

VERSION = 2

METHODS: dict[Method, ModuleType] = {Method.sft: sft, Method.lora: lora}
"""The module of each method. It has `LIBRARIES`, the packages whose versions decide the weights,
and `train(job, progress)`, which every process calls and the first writes the outputs of."""


def pins(student: StudentConfig, training: TrainingConfig, *rest: Any) -> dict[str, str | None]:
    """What else decides the weights: the model, the date in prompts, versions of libraries."""
    libraries = METHODS[training.method].LIBRARIES
    if training.quantization != "none":
        libraries = (*libraries, "bitsandbytes")
    pinned = {"model": hub.resolve(student), "date": DATE}
    return pinned | {name: version(name) for name in libraries}


def train_student(
    student: StudentConfig,
    training: TrainingConfig,
    prompt: PromptConfig,
    selected: Path,
    corrupted: Path,
    union: list[Path],
    begun: Path | None = None,
    mix: Sequence[tuple[PromptConfig, Path, Path, list[Path]]] = (),
    *,
    compute: ComputeConfig,
    log: Log | None,
    out: Path,
) -> None:
    """Fine-tune the student on the responses of an arm's traces.

    Reads `traces.jsonl` of `corrupted`; `selected` gives undamaged lengths and `union` further arms
    (see `distill.training.tokenize.build_rows`). The parts of a `mix` are trained on together with
    these, each row as often; then losses and counts are given for each part too, by its
    `distill.training.config.Part.name`. Writes `model/` with its tokenizer, in the base's
    number format, or a PEFT `adapter/`; `curve.jsonl`, one row per optimiser step (see
    `distill.training.progress.curve_row`); and `summary.json`. An interrupted training resumes from
    its last complete checkpoint and produces the same bytes; with another number of processes it
    starts again.

    Several processes (`compute.processes`) make the same steps of the same rows, up to rounding:
    sums are taken in another order, and dropout draws other masks. On GPUs they share the weights
    (FSDP), on CPUs each has them all (DDP). A step's rows are dealt out `compute.batch_per_device`
    at a time. Where a step has too few, as at the end of an epoch, a process gets rows without
    labels, never other rows of the data set.

    Args:
        student: the base model, or where that of `begun` comes from.
        training: method, recipe and seed.
        prompt: the text around thought and solution.
        selected: artifact of stage `select`.
        corrupted: artifact of stage `corrupt`, this arm.
        union: artifacts of stage `corrupt`; a trace that is too long in one of them is dropped here
            too.
        begun: artifact of the whole model that training begins at; None: the base.
        mix: further parts: prompt, `selected`, `corrupted` and `union` of each.
        compute: device, processes, threads, rows per forward pass, checkpoints.
        log: called with each row of the curve as soon as it is known.
        out: folder to write to.

    Raises:
        ValueError: no trace fits; rows are longer than the student has positions, or have tokens
            that it has no embedding for; its tokenizer has no end token; its folder has no
            safetensors, or code of its own; `compute.batch_per_device` does not divide the rows
            that a process has of a step; there are fewer GPUs than processes; or a launcher started
            several processes, each of which would train on whole batches; or `training` is
            `unusable` here (see `distill.training.config`).
        FloatingPointError: the loss is not finite.
        RuntimeError: one of several processes failed otherwise; see
            `distill.training.launch.start`.
    """
    if (launched := int(os.environ.get("WORLD_SIZE", "1"))) > 1:
        raise ValueError(
            f"a launcher started WORLD_SIZE={launched} processes, each of which would train a "
            f"student on whole batches; start one, and set compute.processes={launched}"
        )
    parts = [Part(prompt, selected, corrupted, union), *(Part(*part) for part in mix)]
    job = Job(student, training, parts, begun, compute, out)
    checkpoint.drop_incomplete(job.checkpoints, compute.processes)
    progress = Progress(log, compute.progress)
    train = METHODS[training.method].train
    engines.free()
    try:
        mapped.write_rows(job)
        if compute.processes == 1:
            train(job, progress)
        else:
            folder = checkpoint.emptied(out / "launch")
            start(train, job, progress, folder)
            shutil.rmtree(folder)
    finally:
        release_memory()
    shutil.rmtree(job.rows)
    checkpoint.discard(job.checkpoints)


def release_memory() -> None:
    """Collect garbage, and give free memory back to the GPU, and to the system where it can.

    A trainer and its model refer to each other in circles. And glibc keeps free memory between
    blocks that are still in use, such as the kernels that oneDNN compiles for each new length of a
    batch: hundreds of MB per training, which would add up in a sweep in one process. Torch keeps
    that of a GPU, where the processes of vLLM would miss it.
    """
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
