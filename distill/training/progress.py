"""The training curve: reported while the training runs, and as rows for `curve.jsonl`."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from distill.training import checkpoint
from distill.training.order import TrainingOrder

Log = Callable[[dict[str, Any]], None]
"""Takes a row of the curve, such as `{"step": 1, "loss": 0.9, "learning_rate": 0.0, ...}`."""


class Progress:
    """Shows a training while it runs: a progress bar, and a log of the curve."""

    def __init__(self, log: Log | None = None, bar: bool = False) -> None:
        """Args: log: takes each row of the curve; bar: whether a progress bar is drawn."""
        self.log = log
        self.shown = bar

    def begin(self, steps: int, done: int) -> None:
        """Training begins; an earlier attempt has made `done` of its optimiser steps."""
        from tqdm import tqdm

        self.bar = tqdm(total=steps, initial=done, desc="train", disable=not self.shown)

    def step(self, row: dict[str, Any]) -> None:
        """An optimiser step has been made; `row` is its row of the curve."""
        self.bar.update()
        self.bar.set_postfix(loss=f"{row['loss']:.4f}", refresh=False)
        if self.log:
            self.log(row)

    def end(self) -> None:
        """Training has ended."""
        self.bar.close()


class ProgressFile(Progress):
    """Writes the progress of the first of several processes to a file, for `report` to read."""

    def __init__(self, path: Path) -> None:
        """Args: path: JSON lines file to append to."""
        super().__init__()
        self.path = path
        for event in ("begin", "step", "end"):
            setattr(self, event, partial(self._write, event))

    def _write(self, event: str, *values: Any) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([event, *values]) + "\n")


def report(file: TextIO, progress: Progress) -> None:
    """Report to `progress` what a `ProgressFile` has written to `file` since the last call."""
    start = file.tell()
    while (line := file.readline()).endswith("\n"):
        event, *values = json.loads(line)
        getattr(progress, event)(*values)
        start = file.tell()
    file.seek(start)  # an unfinished line is read next time


def recorder(order: TrainingOrder, progress: Progress, processes: int) -> Any:
    """A callback of the trainer that reports each step to `progress` and completes checkpoints.

    It raises FloatingPointError during training when the loss is not finite.
    """
    from transformers import TrainerCallback

    class Recorder(TrainerCallback):
        """Reports the curve, and marks checkpoints that are complete."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            progress.begin(order.steps, state.global_step)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any, **rest: Any) -> None:
            if "loss" not in logs:
                return
            row = curve_row(logs | {"step": state.global_step}, order)
            if not math.isfinite(row["loss"]):
                raise FloatingPointError(
                    f"the loss is {row['loss']} at step {row['step']}; "
                    "a lower training.learning_rate or a longer training.warmup may help"
                )
            progress.step(row)

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if state.global_step == order.steps:  # the student itself is saved next
                control.should_save = False

        def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            args.distributed_state.wait_for_everyone()
            if state.is_world_process_zero:
                saved = Path(args.output_dir, f"checkpoint-{state.global_step}")
                checkpoint.mark_complete(saved, processes)

        def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            progress.end()

    return Recorder()


def curve_row(entry: dict[str, Any], order: TrainingOrder) -> dict[str, Any]:
    """A row of the curve from an entry of the trainer's log.

    Its fields: `step`, from 1; `loss`, mean over the step's response tokens, in nats;
    `learning_rate`; `grad_norm`, before clipping; `tokens` seen so far, prompts included. Of a
    mixture also `losses`: name of a part -> mean over its response tokens, None in a step without
    any.
    """
    row = {name: entry[name] for name in ("step", "loss", "learning_rate", "grad_norm")}
    parts = {"losses": entry["losses"]} if "losses" in entry else {}
    return row | {"tokens": order.tokens[entry["step"] - 1]} | parts
