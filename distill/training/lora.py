"""LoRA (arXiv:2106.09685): low-rank updates of linear layers are trained. The home of peft.

With `training.quantization` the base's linear layers are in 4 bits meanwhile (QLoRA).
"""

from typing import Any

from distill.training import checkpoint, sft
from distill.training.config import Job, TrainingConfig, unusable
from distill.training.progress import Progress

LIBRARIES = (*sft.LIBRARIES, "peft")
"""Packages whose versions decide the weights, and with them the student's identity."""


def train(job: Job, progress: Progress) -> None:
    """Write `adapter/`, `curve.jsonl` and `summary.json`; see `train_student`."""
    if why := unusable(job.training, job.compute):
        raise ValueError(why)
    made = sft.fine_tune(job, progress, _adapter(job.training))
    if made:
        folder = checkpoint.emptied(job.out / "adapter")
        model, weights, _ = made
        checkpoint.save_adapter(model, weights, job.base_name, folder)


def _adapter(training: TrainingConfig) -> Any:
    from peft import LoraConfig

    targets = training.lora_targets
    return LoraConfig(
        r=training.lora_rank,
        lora_alpha=training.lora_alpha,
        lora_dropout=training.lora_dropout,
        target_modules=targets if targets == "all-linear" else targets.split(","),
        task_type="CAUSAL_LM",
    )
