"""The training curve: told while it is made, and as rows for `curve.jsonl`."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distill.training import checkpoint
from distill.training.order import Plan

Log = Callable[[dict[str, Any]], None]


EVENTS = "events.jsonl"


class Watch:
    """Who is told of a training while it runs: a progress bar, and a log of the curve."""

    def __init__(self, log: Log | None = None, progress: bool = False) -> None:
        """Args: log: told each row of the curve; progress: whether a bar is drawn."""
        self.log = log
        self.progress = progress

    def begin(self, steps: int, done: int) -> None:
        """Training begins, `done` of its optimiser steps made by an earlier attempt."""
        from tqdm import tqdm

        self.bar = tqdm(total=steps, initial=done, desc="train", disable=not self.progress)

    def step(self, row: dict[str, Any]) -> None:
        """A row of the curve is known."""
        self.bar.update()
        self.bar.set_postfix(loss=f"{row['loss']:.4f}", refresh=False)
        if self.log:
            self.log(row)

    def end(self) -> None:
        """Training is over."""
        self.bar.close()


class Told(Watch):
    """In the first of several processes: writes down what it is told, for `start`."""

    def __init__(self, path: Path) -> None:
        """Args: path: where to."""
        super().__init__()
        self.path = path

    def begin(self, steps: int, done: int) -> None:
        """See `Watch`."""
        self._write("begin", steps, done)

    def step(self, row: dict[str, Any]) -> None:
        """See `Watch`."""
        self._write("step", row)

    def end(self) -> None:
        """See `Watch`."""
        self._write("end")

    def _write(self, event: str, *values: Any) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([event, *values]) + "\n")


def recorder(plan: Plan, watch: Watch, processes: int) -> Any:
    """A callback of the trainer that tells `watch` each step.

    It raises FloatingPointError in training where the loss is no number any more.
    """
    from transformers import TrainerCallback

    class Recorder(TrainerCallback):
        """Reports the curve, and marks checkpoints that are complete."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            watch.begin(plan.steps, state.global_step)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any, **rest: Any) -> None:
            if "loss" not in logs:
                return
            row = curve_row(logs | {"step": state.global_step}, plan)
            if not math.isfinite(row["loss"]):
                raise FloatingPointError(
                    f"the loss is {row['loss']} at step {row['step']}; "
                    "a lower training.learning_rate or a longer training.warmup may help"
                )
            watch.step(row)

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if state.global_step == plan.steps:  # the student is about to be saved itself
                control.should_save = False

        def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            args.distributed_state.wait_for_everyone()
            if state.is_world_process_zero:
                saved = Path(args.output_dir, f"checkpoint-{state.global_step}")
                checkpoint.mark_complete(saved, processes)

        def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            watch.end()

    return Recorder()


def curve_row(entry: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """Step, mean loss of a response token, rate, norm before clipping, tokens so far."""
    row = {name: entry[name] for name in ("step", "loss", "learning_rate", "grad_norm")}
    return row | {"tokens": plan.tokens[entry["step"] - 1]}
