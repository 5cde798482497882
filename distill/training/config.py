"""Options of training: method, optimizer, batching, length limit, LoRA; arguments of a training."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from distill.checks import (
    POSITIVE,
    SHARE,
    SHARE_BELOW_1,
    Named,
    Rule,
    at_least,
    between,
    one_of,
    ruled,
)
from distill.compute import ComputeConfig
from distill.corruptions.config import CorruptionConfig
from distill.models.config import Dtype, PromptConfig, StudentConfig
from distill.store.canonical import canonical, canonical_json


class Method(StrEnum):
    """How the student is trained; `METHODS` in `train.py` has the module of each."""

    none = "none"
    sft = "sft"
    lora = "lora"


ONLY = {Method.lora: ("lora_rank", "lora_alpha", "lora_dropout", "lora_targets")}
"""Fields that one method alone reads. For all others they are reset to their defaults, so that two
trainings that differ in nothing else are the same."""


TARGETS = Rule(
    "all-linear, or names of modules separated by commas",
    lambda text: re.fullmatch(r"all-linear|[\w.]+(,[\w.]+)*", text) is not None,
)


class Batching(StrEnum):
    """Which traces make an optimiser step: the same problems in every arm, except with `packed`."""

    grouped = "grouped"
    plain = "plain"
    packed = "packed"


@dataclass
class TrainingConfig(Named):
    """How the student is trained. See `conf/training/`."""

    method: Method = Method.sft
    """`sft` trains every weight, `lora` an adapter, `none` leaves the student untrained."""

    epochs: float = ruled(3.0, POSITIVE)
    """Epochs."""

    batch: int = ruled(96, at_least(1))
    """Traces per optimizer step, across all devices and accumulation steps."""

    learning_rate: float = ruled(1e-5, POSITIVE)
    """Peak learning rate."""

    schedule: str = ruled("linear", one_of("linear", "cosine", "constant"))
    """Decay of the learning rate after the warm-up."""

    warmup: float = ruled(0.1, SHARE)
    """Share of the steps during which the rate rises linearly from 0."""

    adam_beta1: float = ruled(0.9, SHARE_BELOW_1)
    """AdamW's first decay rate."""

    adam_beta2: float = ruled(0.999, SHARE_BELOW_1)
    """AdamW's second decay rate."""

    weight_decay: float = ruled(0.0, at_least(0))
    """AdamW's weight decay; 0: none."""

    max_grad_norm: float = ruled(1.0, POSITIVE)
    """Gradients are clipped to this norm."""

    max_tokens: int = ruled(16_384, at_least(1))
    """Tokens of prompt and response, at most; longer traces are dropped and counted, never cut."""

    union: list[CorruptionConfig] = field(default_factory=list)
    """Corruptions of the study that can lengthen a trace: a trace that is too long in one of them
    is dropped in every arm, so that all arms train on the same problems."""

    batching: Batching = Batching.grouped
    """`grouped` by undamaged length, `plain` in random order, or `packed` into rows of
    `max_tokens`."""

    dtype: Dtype = Dtype.bfloat16
    """Number format of the weights while they are trained."""

    autocast: bool = True
    """Whether matrix products are computed in bfloat16 while the weights keep `dtype`."""

    lora_rank: int = ruled(64, at_least(1))
    """LoRA only: rank of the update."""

    lora_alpha: int = ruled(128, at_least(1))
    """LoRA only: the update is scaled by alpha / rank."""

    lora_dropout: float = ruled(0.0, SHARE)
    """LoRA only: dropout on the adapter's input."""

    lora_targets: str = ruled("all-linear", TARGETS)
    """LoRA only: `all-linear`, or names of modules separated by commas."""

    seed: int = ruled(0, between(0, 2**32 - 1))
    """Seed of the order of problems, of dropout and of the adapter's initial weights."""

    def __post_init__(self) -> None:
        if self.method is Method.none:
            vars(self).update(vars(TrainingConfig()) | {"method": Method.none, "name": "none"})
            return
        super().__post_init__()
        self.union = _distinct(self.union)
        for method, names in ONLY.items():
            if method is not self.method:
                vars(self).update({name: getattr(TrainingConfig, name) for name in names})


def _distinct(union: list[CorruptionConfig]) -> list[CorruptionConfig]:
    """Each arm once, in one order; the undamaged one counts always."""
    arms = [(canonical_json([canonical(c), canonical(c.ask)]), c) for c in union]
    return [arm for _, arm in sorted(dict(arms).items()) if arm.kind != "none"]


@dataclass(frozen=True)
class Job:
    """The arguments of one training, as every method and process gets them; see `train_student`."""

    student: StudentConfig
    training: TrainingConfig
    prompt: PromptConfig
    selected: Path
    corrupted: Path
    union: list[Path]
    compute: ComputeConfig
    out: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints that an interrupted training resumes from."""
        return self.out / "checkpoints"
