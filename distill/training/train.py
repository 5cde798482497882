"""Stage 6 of 7: corrupted traces -> trained student. The home of trl."""

import copy
import ctypes
import gc
import math
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.models import engines, hub
from distill.models.config import Dtype, PromptConfig, StudentConfig
from distill.store.artifacts import write_json
from distill.store.identity import version
from distill.trace.records import write_rows
from distill.training import checkpoint, sharding
from distill.training.config import Batching, Method, Schedule, TrainingConfig
from distill.training.job import Job
from distill.training.launch import start
from distill.training.order import Order, Plan, make_plan
from distill.training.progress import Log, Watch, curve_row, recorder
from distill.training.tokenize import Row, build_rows

VERSION = 1

SCHEDULES = {
    Schedule.linear: "linear",
    Schedule.cosine: "cosine",
    Schedule.constant: "constant_with_warmup",
}


def pins(student: StudentConfig, training: TrainingConfig, *rest: Any) -> dict[str, str | None]:
    """What decides the weights from outside: libraries, and the model's content or commit."""
    libraries = ["torch", "transformers", "trl"]
    libraries += ["peft"] if training.method is Method.lora else []
    return {"model": hub.resolve(student)} | {name: version(name) for name in libraries}


def train_student(
    student: StudentConfig,
    training: TrainingConfig,
    prompt: PromptConfig,
    selected: Path,
    corrupted: Path,
    union: list[Path],
    *,
    compute: ComputeConfig,
    log: Log | None,
    out: Path,
) -> None:
    """Fine-tune the student on the responses of an arm's traces.

    Reads `traces.jsonl` of `corrupted`; `selected` gives undamaged lengths and `union` further arms
    (see `distill.training.tokenize.build_rows`). Writes `model/` with its tokenizer, in the base's
    number format, or a PEFT `adapter/`; `curve.jsonl`, a row an optimiser step; and `summary.json`.
    A killed training continues from its last complete checkpoint, to the same bytes; with another
    number of processes it begins anew.

    Several processes (`compute.processes`) make the same steps of the same rows, up to rounding:
    sums are taken in another order, and dropout draws other masks. On GPUs they share the weights
    (FSDP), on CPUs each has them all (DDP). A step's rows are dealt out `compute.batch_per_device`
    at a time, and where they do not come out even, as at the end of a pass, a process is given rows
    without labels, never others of the data set.

    Args:
        student: the base model.
        training: how.
        prompt: the text around thought and solution.
        selected: artifact of stage 4.
        corrupted: artifact of stage 5, this arm.
        union: artifacts of stage 5; what is too long in one of them is dropped here too.
        compute: device, processes, threads, rows a forward pass, checkpoints.
        log: told each row of the curve while it is made.
        out: folder to write to.

    Raises:
        ValueError: no trace fits, a row's labels do not give its response back,
            `compute.batch_per_device` does not divide the rows that a process has of a step, there
            are fewer GPUs than processes, or a launcher started several processes, of which each
            would train on a whole batch.
        FloatingPointError: the loss is no number any more.
        RuntimeError: one of several processes failed otherwise; see
        `distill.training.launch.start`.
    """
    if (launched := int(os.environ.get("WORLD_SIZE", "1"))) > 1:
        raise ValueError(
            f"a launcher started WORLD_SIZE={launched} processes, of which each would train a "
            f"student on whole batches; start one, and set compute.processes={launched}"
        )
    job = Job(student, training, prompt, selected, corrupted, union, compute, out)
    checkpoint.drop_torn(job.checkpoints, compute.processes)
    watch = Watch(log, compute.progress)
    engines.free()
    try:
        if compute.processes == 1:
            train(job, watch)
        else:
            folder = checkpoint.emptied(out / "launch")
            start(job, watch, folder)
            shutil.rmtree(folder)
    finally:
        release_memory()
    checkpoint.discard(job.checkpoints)


def release_memory() -> None:
    """Give dead objects and free memory back to the system, where its allocator can.

    A trainer and its model refer to each other in circles, and glibc keeps what lies between blocks
    that live on, such as the kernels that oneDNN compiles for each new length of a batch: hundreds
    of MB a training, which a sweep in one process would add up.
    """
    gc.collect()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def train(job: Job, watch: Watch) -> None:
    """Train in this process, which can be one of several; the first of them writes what is made.

    All that is large hangs on the variables of this function, which are gone when `train_student`
    gives memory back.
    """
    training, compute, out = job.training, job.compute, job.out
    device = hub.set_up(compute)
    base = hub.base_model(job.student)
    tokenizer = hub.load_tokenizer(base)
    arms = (job.selected, job.corrupted, job.union)
    rows, counts = build_rows(tokenizer, job.prompt, *arms, training.max_tokens)
    dataset, plan = _dataset(rows, training)
    if compute.processes > 1:
        dataset = sharding.with_blank_row(dataset)
        sharding.load_on_cpus()
    arguments = _arguments(training, plan, compute, device, job.checkpoints)
    model = _load(base, training.dtype)
    original = copy.deepcopy((model.config, model.generation_config))
    newest = checkpoint.newest(job.checkpoints)
    begun = checkpoint.steps(newest) // plan.steps_per_epoch if newest else 0
    trainer = _trainer(model, tokenizer, dataset, plan, training, arguments, begun)
    trainer.add_callback(recorder(plan, watch, compute.processes))
    counts |= {
        "parameters": trainer.model.num_parameters(),
        "trainable_parameters": trainer.model.num_parameters(only_trainable=True),
    }
    trainer.train(resume_from_checkpoint=newest)
    weights = checkpoint.gathered(trainer.model) if trainer.is_fsdp_enabled else None
    if not trainer.is_world_process_zero():
        return
    curve = [curve_row(entry, plan) for entry in trainer.state.log_history if "loss" in entry]
    write_rows(out / "curve.jsonl", curve)
    if training.method is Method.lora:
        folder = checkpoint.emptied(out / "adapter")
        checkpoint.save_adapter(trainer.model, weights, job.student.model, folder)
    else:
        trainer.model.config, trainer.model.generation_config = original
        checkpoint.save_model(trainer.model, weights, base, checkpoint.emptied(out / "model"))
    last = [row["loss"] for row in curve[-plan.steps_per_epoch :]]
    trained_on = {
        "steps": plan.steps,
        "tokens": plan.tokens[-1],
        "response_tokens": sum(len(row.input_ids) - row.prompt_tokens for row in rows),
        "final_loss": sum(last) / len(last),
    }
    write_json(out / "summary.json", counts | trained_on)


def _dataset(rows: Sequence[Row], training: TrainingConfig) -> tuple[Any, Plan]:
    """The data set and the plan of its steps.

    Packed, a data set row is a pack, and a step takes as many packs as hold `training.batch` traces
    on average: steps then follow the arm's own lengths, and arms can differ in them.
    """
    from datasets import Dataset, disable_progress_bars
    from trl import pack_dataset

    disable_progress_bars()
    dataset = Dataset.from_dict(
        {"input_ids": [r.input_ids for r in rows], "labels": [r.labels for r in rows]}
    )
    lengths = [len(row.input_ids) for row in rows]
    if training.batching is not Batching.packed:
        undamaged = [row.undamaged for row in rows]
        return dataset, make_plan(lengths, undamaged, training.batch, training)
    dataset = pack_dataset(dataset, training.max_tokens, "bfd")
    packs = [len(ids) for ids in dataset["input_ids"]]
    if sum(packs) != sum(lengths):
        raise RuntimeError(f"packing made {sum(packs)} tokens of {sum(lengths)}")
    batch = max(1, round(training.batch * len(packs) / len(rows)))
    return dataset, make_plan(packs, packs, batch, training)


def _arguments(
    training: TrainingConfig, plan: Plan, compute: ComputeConfig, device: str, folder: Path
) -> Any:
    from trl import SFTConfig

    share = math.ceil(plan.batch / compute.processes)
    at_once = min(compute.batch_per_device or share, share)
    if share % at_once:
        raise ValueError(
            f"compute.batch_per_device={at_once} must divide the rows of a step"
            + (f" in each of {compute.processes} processes" if compute.processes > 1 else "")
            + f", {share}"
        )
    sharded = compute.processes > 1 and device == "cuda"
    arguments = SFTConfig(
        output_dir=str(folder),
        max_steps=plan.steps,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=share // at_once,
        learning_rate=training.learning_rate,
        lr_scheduler_type=SCHEDULES[training.schedule],
        warmup_steps=math.ceil(training.warmup * plan.steps),
        adam_beta1=training.adam_beta1,
        adam_beta2=training.adam_beta2,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        bf16=training.autocast and not (sharded and training.dtype is Dtype.bfloat16),
        seed=training.seed,
        gradient_checkpointing=compute.gradient_checkpointing,
        packing=training.batching is Batching.packed,
        max_length=training.max_tokens if training.batching is Batching.packed else None,
        dataset_kwargs={"skip_prepare_dataset": True},
        use_cpu=device == "cpu",
        dataloader_pin_memory=device != "cpu",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_steps=compute.checkpoint_every,
        report_to="none",
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
        **(sharding.fsdp(compute.processes) if sharded else {}),
    )
    if sharded:
        arguments.fsdp_plugin_args["mixed_precision_policy"] = sharding.precision(training)
    return arguments


def _load(base: hub.Model, dtype: str) -> Any:
    """The model in this number format; `config.dtype` keeps that of the files."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    stored = AutoConfig.from_pretrained(**base.source).dtype or torch.float32
    model = AutoModelForCausalLM.from_pretrained(
        **base.source, dtype=getattr(torch, dtype), attn_implementation=base.attention
    )
    model.config.dtype = stored
    return model


def _trainer(
    model: Any,
    tokenizer: Any,
    dataset: Any,
    plan: Plan,
    training: TrainingConfig,
    arguments: Any,
    begun: int,
) -> Any:
    """TRL's trainer; `begun` is the pass, from 0, in which it begins or continues."""
    from transformers import PrinterCallback
    from trl import SFTTrainer

    class Trainer(SFTTrainer):
        """In the plan's order, and without a model card in every checkpoint."""

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            slots = self.args.train_batch_size * self.args.gradient_accumulation_steps
            processes = self.args.world_size
            order = Order(plan, slots * processes if processes > 1 else None)
            order.set_epoch(begun)  # continuing, accelerate's wrappers do not pass it on
            return order

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            pass

    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        processing_class=tokenizer,
        peft_config=_lora(training) if training.method is Method.lora else None,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _lora(training: TrainingConfig) -> Any:
    from peft import LoraConfig

    targets = training.lora_targets
    return LoraConfig(
        r=training.lora_rank,
        lora_alpha=training.lora_alpha,
        lora_dropout=training.lora_dropout,
        target_modules=targets if targets == "all-linear" else targets.split(","),
        task_type="CAUSAL_LM",
    )
