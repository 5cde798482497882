"""Full fine-tuning: every weight of the student is trained."""

import copy
import logging
from typing import Any

from distill.models import hub
from distill.store.artifacts import write_json
from distill.trace.records import write_rows
from distill.training import checkpoint, mapped, sharding, trainer
from distill.training.config import Job, Kernel
from distill.training.progress import Progress, curve_row, recorder

log = logging.getLogger(__name__)

LIBRARIES = ("torch", "transformers", "trl")
"""Packages whose versions decide the weights, and with them the student's identity."""


def train(job: Job, progress: Progress) -> None:
    """Write `model/`, `curve.jsonl` and `summary.json`; see `train_student`."""
    made = fine_tune(job, progress)
    if made:
        model, weights, configs = made
        model.config, model.generation_config = configs
        folder = checkpoint.emptied(job.out / "model")
        checkpoint.save_model(model, weights, job.base, folder)


def fine_tune(job: Job, progress: Progress, adapter: Any = None) -> tuple[Any, Any, Any] | None:
    """Train on the responses, and write `curve.jsonl` and `summary.json`.

    `adapter` is the PEFT config of an adapter to train; None trains every weight.

    Returns:
        None in all processes but the first; there the trained model, all its weights where each
        process holds a share of them (else None), and the base's `config` and
        `generation_config`, which the trainer changes.
    """
    training, compute, out = job.training, job.compute, job.out
    device = hub.set_up(compute)
    base = job.base
    tokenizer = hub.load_tokenizer(base)
    if tokenizer.chat_template is None:
        log.warning(
            "%s has no chat template, as base models have none: its prompts are the messages, "
            "separated by blank lines",
            job.student.model,
        )
    dataset, order, counts = mapped.read_rows(job)
    if compute.processes > 1:
        dataset = sharding.with_blank_row(dataset)
        sharding.load_on_cpus()
    arguments = trainer.make_arguments(job, order, device)
    model = trainer.load_model(base, training, device)
    configs = copy.deepcopy((model.config, model.generation_config))
    newest = checkpoint.newest(job.checkpoints)
    epoch = checkpoint.steps(newest) // order.steps_per_epoch if newest else 0
    run = trainer.make_trainer(
        *(model, tokenizer, dataset, order, arguments),
        adapter=adapter,
        epoch=epoch,
        compiled=training.kernel is Kernel.compiled,
        parts=[part.name for part in job.parts],
    )
    run.add_callback(recorder(order, progress, compute.processes))
    counts |= {
        "parameters": run.model.num_parameters(),
        "trainable_parameters": run.model.num_parameters(only_trainable=True),
    }
    run.train(resume_from_checkpoint=newest)
    weights = checkpoint.gathered(run.model) if run.is_fsdp_enabled else None
    if not run.is_world_process_zero():
        return None
    curve = [curve_row(entry, order) for entry in run.state.log_history if "loss" in entry]
    write_rows(out / "curve.jsonl", curve)
    last = [row["loss"] for row in curve[-order.steps_per_epoch :]]
    counts |= {
        "steps": order.steps,
        "tokens": order.tokens[-1],
        "final_loss": sum(last) / len(last),
    }
    for name, part in counts.get("parts", {}).items():
        own = [row["losses"][name] for row in curve[-order.steps_per_epoch :]]
        there = [loss for loss in own if loss is not None]
        part["final_loss"] = sum(there) / len(there) if there else None
    write_json(out / "summary.json", counts)
    return run.model, weights, configs
