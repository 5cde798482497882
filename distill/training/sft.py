"""Full fine-tuning: every weight of the student is trained."""

import copy
import logging
from collections.abc import Sequence
from typing import Any

from distill.models import hub, network
from distill.store.artifacts import write_json
from distill.trace.records import write_rows
from distill.training import checkpoint, sharding, trainer
from distill.training.config import Job, Kernel
from distill.training.progress import Progress, curve_row, recorder
from distill.training.rows import Row
from distill.training.tokenize import build_parts

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
    config, tokenizer = network.load_config(base), hub.load_tokenizer(base)
    if tokenizer.chat_template is None:
        log.warning(
            "%s has no chat template, as base models have none: its prompts are the messages, "
            "separated by blank lines",
            job.student.model,
        )
    rows, counts = build_parts(tokenizer, job.parts, training.max_tokens)
    _check_fit(job, config, tokenizer, rows, counts.pop("longest"))
    dataset, order = trainer.make_dataset(rows, training)
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
        "response_tokens": sum(len(row.input_ids) - row.prompt_tokens for row in rows),
        "final_loss": sum(last) / len(last),
    }
    for name, part in counts.get("parts", {}).items():
        own = [row["losses"][name] for row in curve[-order.steps_per_epoch :]]
        there = [loss for loss in own if loss is not None]
        part["final_loss"] = sum(there) / len(there) if there else None
    write_json(out / "summary.json", counts)
    return run.model, weights, configs


def _check_fit(job: Job, config: Any, tokenizer: Any, rows: Sequence[Row], longest: int) -> None:
    """Raise ValueError if rows have more tokens than the student has positions, or other tokens."""
    name, limit = job.student.model, job.training.max_tokens
    room = network.positions(config)
    if room is not None and longest > room:
        raise ValueError(
            f"rows of up to {longest:,} tokens are longer than the {room:,} positions that {name} "
            f"was made for: training.max_tokens={limit} must be at most {room} (longer traces are "
            "then dropped in all arms), or the config.json of a copy must state more "
            "(max_position_embeddings, or a scaling of its rotary embeddings)"
        )
    used = max(max(row.input_ids) for row in rows)
    network.check_vocabulary(tokenizer, config, name, used)
