"""The training curve: told while it is made, and as rows for `curve.jsonl`."""

import math
from pathlib import Path
from typing import Any

from distill import checkpoint
from distill.launch import Watch
from distill.plan import Plan


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
