"""TRL's trainer, set up to follow our rows in our order. The home of trl."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.models import hub, network
from distill.models.config import Dtype
from distill.training import kernel, sharding
from distill.training.config import Batching, Job, Kernel, TrainingConfig
from distill.training.mixture import PARTS, PartLosses, with_parts
from distill.training.order import OrderSampler, TrainingOrder, training_order
from distill.training.rows import TRAINED, with_labels

SCHEDULES: dict[str, tuple[str, dict[str, float]]] = {
    "constant": ("constant_with_warmup", {}),
    "cosine_to_tenth": ("cosine_with_min_lr", {"min_lr_rate": 0.1}),
}
"""`training.schedule` -> what transformers calls it and its settings, where the names differ."""


def pack(dataset: Any, limit: int, file: Path) -> Any:
    """The data set with traces packed to `limit` tokens, in a file that is mapped into memory.

    Raises:
        RuntimeError: tokens were lost.
    """
    from trl import pack_dataset

    how = {"cache_file_name": str(file), "load_from_cache_file": False, "writer_batch_size": 100}
    packed = pack_dataset(dataset, limit, "bfd", how)
    there, left = sum(lengths(dataset)), sum(lengths(packed))
    if there != left:
        raise RuntimeError(f"packing made {left} tokens of {there}")
    return packed


def lengths(dataset: Any) -> list[int]:
    """Tokens of each row, without reading them."""
    import pyarrow.compute as pc

    return pc.list_value_length(dataset.data.column("input_ids")).to_pylist()


def make_order(
    dataset: Any, undamaged: Sequence[int], rows: int, training: TrainingConfig
) -> TrainingOrder:
    """The order of a data set of `rows` traces, whose lengths before any damage are `undamaged`.

    Packed, a row of the data set is a pack of traces, and a step takes as many packs as hold
    `training.batch` traces on average: the order then follows the arm's own lengths, and the number
    of steps can differ between arms.
    """
    sizes = lengths(dataset)
    if training.batching is not Batching.packed:
        return training_order(sizes, undamaged, training.batch, training)
    batch = max(1, round(training.batch * len(sizes) / rows))
    return training_order(sizes, sizes, batch, training)


def make_arguments(job: Job, order: TrainingOrder, device: str) -> Any:
    """The trainer's settings.

    Raises:
        ValueError: `compute.batch_per_device` does not divide the rows that a process has of a
            step, or there are fewer GPUs than processes.
    """
    from trl import SFTConfig

    training, compute = job.training, job.compute
    schedule, how = SCHEDULES.get(training.schedule, (training.schedule, {}))
    sharded = sharding.sharded(compute.processes, device)
    arguments = SFTConfig(
        output_dir=str(job.checkpoints),
        max_steps=order.steps,
        **_batches(job, order),
        learning_rate=training.learning_rate,
        lr_scheduler_type=schedule,
        lr_scheduler_kwargs=how,
        warmup_steps=math.ceil(training.warmup * order.steps),
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
        pad_to_multiple_of=kernel.MULTIPLE if training.kernel is Kernel.compiled else None,
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


def _batches(job: Job, order: TrainingOrder) -> dict[str, int]:
    """Rows per forward pass of a process, and forward passes per optimiser step."""
    processes = job.compute.processes
    share = math.ceil(order.batch / processes)
    at_once = min(job.compute.batch_per_device or share, share)
    if share % at_once:
        raise ValueError(
            f"compute.batch_per_device={at_once} must divide the rows of a step"
            + (f" in each of {processes} processes" if processes > 1 else "")
            + f", {share}"
        )
    return {"per_device_train_batch_size": at_once, "gradient_accumulation_steps": share // at_once}


def load_model(base: hub.Model, training: TrainingConfig, device: str) -> Any:
    """The model in `training`'s number format; `config.dtype` stays that of the files.

    Where `training.quantization` is `nf4` its linear layers, but not the output, are in 4 bits, and
    it is loaded on the device, `cpu` or `cuda`.
    """
    import torch

    config = network.load_config(base)
    stored = config.dtype or torch.float32
    options: dict[str, Any] = {"dtype": getattr(torch, training.dtype)}
    options["attn_implementation"] = base.attention
    if training.kernel is Kernel.compiled:
        options["attn_implementation"] = kernel.attention_for(config, base.attention, device)
    if training.quantization == "nf4":
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        options["device_map"] = {"": 0 if device == "cuda" else device}
    model = network.load_network(base, **options)
    model.config.dtype = stored
    if training.kernel is Kernel.compiled:
        kernel.compile_layers(model)
    return model


def make_trainer(
    model: Any,
    tokenizer: Any,
    dataset: Any,
    order: TrainingOrder,
    arguments: Any,
    *,
    adapter: Any,
    epoch: int,
    compiled: bool,
    parts: Sequence[str] = (),
) -> Any:
    """The trainer, of what the other functions of this module make.

    `adapter` is the PEFT config of an adapter to train; None trains every weight. Training begins
    or resumes in `epoch`, from 0; `compiled`: the model has layers to compile. Entries of the log
    have `losses` for each of several `parts`, which are named in the order of their numbers in the
    data set.
    """
    from transformers import PrinterCallback
    from trl import SFTTrainer

    losses = PartLosses(parts)
    compiled_for: set[int] = set()

    class Trainer(SFTTrainer):
        """Follows `order`, and writes no model card into its checkpoints."""

        def training_step(self, model: Any, inputs: Any, *args: Any, **rest: Any) -> Any:
            rows = kernel.rows_made_up(inputs["input_ids"])
            if compiled and rows not in compiled_for:
                made_up = kernel.made_up({n: v for n, v in inputs.items() if n != PARTS}, rows)
                with kernel.compiling(model):
                    super().training_step(model, made_up, *args, **rest)
                compiled_for.add(rows)
            return super().training_step(model, inputs, *args, **rest)

        def compute_loss(self, model: Any, inputs: Any, *args: Any, **rest: Any) -> Any:
            if PARTS in inputs:
                model = losses.counting(model, inputs.pop(PARTS))
            return super().compute_loss(model, inputs, *args, **rest)

        def log(self, logs: dict[str, Any], *args: Any, **rest: Any) -> None:
            if "loss" in logs and len(parts) > 1:
                logs["losses"] = losses.taken(self.accelerator)
            super().log(logs, *args, **rest)

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            slots = self.args.train_batch_size * self.args.gradient_accumulation_steps
            processes = self.args.world_size
            sampler = OrderSampler(order, slots * processes if processes > 1 else None)
            sampler.set_epoch(epoch)  # when training resumes, accelerate does not pass it on
            return sampler

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            pass

    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        processing_class=tokenizer,
        peft_config=adapter,
    )
    trainer.remove_callback(PrinterCallback)
    if len(parts) > 1:
        trainer.data_collator = with_parts(trainer.data_collator)
    trainer.data_collator = with_labels(trainer.data_collator)
    trainer._set_signature_columns_if_needed()
    trainer._signature_columns = [*trainer._signature_columns, TRAINED, PARTS]
    return trainer
