"""Stage 6 of 7: corrupted traces -> trained student. The home of trl."""

import copy
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from distill import hub
from distill.config import (
    Batching,
    ComputeConfig,
    Method,
    PromptConfig,
    Schedule,
    StudentConfig,
    TrainingConfig,
)
from distill.rows import Row, build_rows, epoch_order
from distill.store import version, write_json
from distill.trace import write_rows

VERSION = 1

SCHEDULES = {
    Schedule.linear: "linear",
    Schedule.cosine: "cosine",
    Schedule.constant: "constant_with_warmup",
}
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
)
COMPLETE = "complete"
"""Written last into a checkpoint: transformers writes it in place, so a killed one can be torn."""

Log = Callable[[dict[str, Any]], None]


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
    (see `distill.rows.build_rows`). Writes `model/` with its tokenizer, in the base's number format,
    or a PEFT `adapter/`; `curve.jsonl`, a row an optimiser step; and `summary.json`. A killed
    training continues from its last complete checkpoint, to the same bytes.

    Args:
        student: the base model.
        training: how.
        prompt: the text around thought and solution.
        selected: artifact of stage 4.
        corrupted: artifact of stage 5, this arm.
        union: artifacts of stage 5; what is too long in one of them is dropped here too.
        compute: device, threads, rows a forward pass, checkpoints.
        log: told each row of the curve while it is made.
        out: folder to write to.

    Raises:
        ValueError: no trace fits, a row's labels do not give its response back, or
            `compute.batch_per_device` does not divide the batch.
        FloatingPointError: the loss is no number any more.
    """
    device = hub.set_up(compute)
    base = hub.base_model(student)
    tokenizer = hub.load_tokenizer(base)
    rows, counts = build_rows(tokenizer, prompt, selected, corrupted, union, training.max_tokens)
    dataset, plan = _plan(rows, training)
    checkpoints = out / "checkpoints"
    arguments = _arguments(training, plan, compute, device, checkpoints)
    model = _load(base, training.dtype)
    original = copy.deepcopy((model.config, model.generation_config))
    trainer = _trainer(model, tokenizer, dataset, plan, training, arguments)
    trainer.add_callback(_recorder(plan, log, compute.progress))
    trainer.train(resume_from_checkpoint=_last_complete(checkpoints))
    curve = [_curve_row(entry, plan) for entry in trainer.state.log_history if "loss" in entry]
    write_rows(out / "curve.jsonl", curve)
    if training.method is Method.lora:
        _save_adapter(trainer.model, student.model, _emptied(out / "adapter"))
    else:
        trainer.model.config, trainer.model.generation_config = original
        _save_model(trainer.model, base, _emptied(out / "model"))
    last = [row["loss"] for row in curve[-plan.steps_per_epoch :]]
    trained_on = {
        "steps": plan.steps,
        "tokens": plan.tokens[-1],
        "response_tokens": sum(len(row.input_ids) - row.prompt_tokens for row in rows),
        "final_loss": sum(last) / len(last),
        "parameters": trainer.model.num_parameters(),
        "trainable_parameters": trainer.model.num_parameters(only_trainable=True),
    }
    write_json(out / "summary.json", counts | trained_on)
    _discard(checkpoints)


@dataclass(frozen=True)
class _Plan:
    """Which rows of the data set are in which optimiser step."""

    orders: list[list[int]]
    """Of each pass."""

    batch: int
    """Rows of the data set a step: traces, or packs of them."""

    steps: int
    steps_per_epoch: int
    tokens: list[int]
    """Tokens seen, prompts included, after each step."""


class _Order:
    """Sampler of the plan's orders; the trainer says which pass it is."""

    def __init__(self, orders: list[list[int]]) -> None:
        self.orders = orders
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.orders[0])

    def __iter__(self) -> Iterator[int]:
        return iter(self.orders[self.epoch])


def _plan(rows: Sequence[Row], training: TrainingConfig) -> tuple[Any, _Plan]:
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
    batch, undamaged, total = training.batch, [row.undamaged for row in rows], sum(lengths)
    if training.batching is Batching.packed:
        dataset = pack_dataset(dataset, training.max_tokens, "bfd")
        lengths = [len(ids) for ids in dataset["input_ids"]]
        batch, undamaged = max(1, round(batch * len(lengths) / len(rows))), lengths
        if sum(lengths) != total:
            raise RuntimeError(f"packing made {sum(lengths)} tokens of {total}")
    per_epoch = math.ceil(len(lengths) / batch)
    steps = math.ceil(per_epoch * training.epochs)
    orders = [
        epoch_order(undamaged, batch, training.batching, training.seed, epoch)
        for epoch in range(math.ceil(training.epochs))
    ]
    sizes = [
        sum(lengths[row] for row in order[start : start + batch])
        for order in orders
        for start in range(0, len(order), batch)
    ]
    return dataset, _Plan(orders, batch, steps, per_epoch, list(accumulate(sizes[:steps])))


def _arguments(
    training: TrainingConfig, plan: _Plan, compute: ComputeConfig, device: str, folder: Path
) -> Any:
    from trl import SFTConfig

    at_once = min(compute.batch_per_device or plan.batch, plan.batch)
    if plan.batch % at_once:
        raise ValueError(
            f"compute.batch_per_device={at_once} must divide the rows of a step, {plan.batch}"
        )
    return SFTConfig(
        output_dir=str(folder),
        max_steps=plan.steps,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=plan.batch // at_once,
        learning_rate=training.learning_rate,
        lr_scheduler_type=SCHEDULES[training.schedule],
        warmup_steps=math.ceil(training.warmup * plan.steps),
        adam_beta1=training.adam_beta1,
        adam_beta2=training.adam_beta2,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        bf16=training.autocast,
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
    )


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
    model: Any, tokenizer: Any, dataset: Any, plan: _Plan, training: TrainingConfig, arguments: Any
) -> Any:
    from transformers import PrinterCallback
    from trl import SFTTrainer

    class Trainer(SFTTrainer):
        """In the plan's order, and without a model card in every checkpoint."""

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return _Order(plan.orders)

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


def _recorder(plan: _Plan, log: Log | None, progress: bool) -> Any:
    from tqdm import tqdm
    from transformers import TrainerCallback

    class Recorder(TrainerCallback):
        """Reports the curve, and marks checkpoints that are complete."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            self.bar = tqdm(
                total=plan.steps, initial=state.global_step, desc="train", disable=not progress
            )

        def on_log(self, args: Any, state: Any, control: Any, logs: Any, **rest: Any) -> None:
            if "loss" not in logs:
                return
            row = _curve_row(logs | {"step": state.global_step}, plan)
            if not math.isfinite(row["loss"]):
                raise FloatingPointError(
                    f"the loss is {row['loss']} at step {row['step']}; "
                    "a lower training.learning_rate or a longer training.warmup may help"
                )
            self.bar.update()
            self.bar.set_postfix(loss=f"{row['loss']:.4f}", refresh=False)
            if log:
                log(row)

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if state.global_step == plan.steps:  # the student is about to be saved itself
                control.should_save = False

        def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            os.sync()
            newest = Path(args.output_dir, f"checkpoint-{state.global_step}")
            (newest / COMPLETE).touch()
            for folder in newest.parent.glob("checkpoint-*"):
                if folder != newest:
                    _discard(folder)

        def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            self.bar.close()

    return Recorder()


def _curve_row(entry: dict[str, Any], plan: _Plan) -> dict[str, Any]:
    """Step, loss (mean over the step's response tokens), rate, norm before clipping, tokens so far."""
    row = {name: entry[name] for name in ("step", "loss", "learning_rate", "grad_norm")}
    return row | {"tokens": plan.tokens[entry["step"] - 1]}


def _last_complete(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end; others are removed."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    complete = [path for path in found if (path / COMPLETE).exists()]
    for path in found:
        if path not in complete:
            shutil.rmtree(path)
    return str(complete[-1]) if complete else None


def _discard(folder: Path) -> None:
    """Remove checkpoints, their marks first: a half removed one must not look complete."""
    for mark in folder.rglob(COMPLETE):
        mark.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _emptied(folder: Path) -> Path:
    """The folder, without what a killed attempt left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _save_model(model: Any, base: hub.Model, folder: Path) -> None:
    """Weights in the base's number format, with the base's own tokenizer files."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(model.config.dtype)
    model.save_pretrained(folder)
    if base.revision:
        hub.load_tokenizer(base).save_pretrained(folder)
        return
    for name in TOKENIZER_FILES:
        if Path(base.name, name).exists():
            shutil.copyfile(Path(base.name, name), folder / name)


def _save_adapter(model: Any, base: str, folder: Path) -> None:
    """A PEFT folder that names its base as the config does, not by this machine's path."""
    config = model.peft_config["default"]
    config.base_model_name_or_path = base
    config.target_modules = sorted(config.target_modules)  # a set: its order differs by process
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
