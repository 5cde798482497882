"""Options of training: method, optimizer, batching, length limit, LoRA."""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from enum import StrEnum

from omegaconf import MISSING

from distill.checks import LABEL, at_least, share
from distill.corruptions.config import CorruptionConfig
from distill.models.config import Dtype


class Method(StrEnum):
    """How the student is trained; `METHODS` in `train.py` has the module of each."""

    none = "none"
    sft = "sft"
    lora = "lora"


ONLY = {Method.lora: ("lora_rank", "lora_alpha", "lora_dropout", "lora_targets")}
"""Fields that one method alone reads. For all others they are reset to their defaults, so that two
trainings that differ in nothing else are the same."""


class Schedule(StrEnum):
    """Course of the learning rate after the warm-up."""

    linear = "linear"
    cosine = "cosine"
    constant = "constant"


class Batching(StrEnum):
    """Which traces make an optimiser step: the same problems in every arm, except with `packed`."""

    grouped = "grouped"
    plain = "plain"
    packed = "packed"


@dataclass
class TrainingConfig:
    """How the student is trained. See `conf/training/`."""

    name: str = field(default=MISSING, metadata=LABEL)
    """The YAML's file name."""

    method: Method = Method.sft
    """`sft` trains every weight, `lora` an adapter, `none` leaves the student untrained."""

    epochs: float = 3.0
    """Epochs, > 0."""

    batch: int = 96
    """Traces per optimiser step, across all devices and accumulation steps, >= 1."""

    learning_rate: float = 1e-5
    """Peak learning rate, > 0."""

    schedule: Schedule = Schedule.linear
    """Decay after the warm-up."""

    warmup: float = 0.1
    """Share of the steps during which the rate rises linearly from 0, in [0, 1]."""

    adam_beta1: float = 0.9
    """AdamW's first decay rate, in [0, 1)."""

    adam_beta2: float = 0.999
    """AdamW's second decay rate, in [0, 1)."""

    weight_decay: float = 0.0
    """AdamW's weight decay, >= 0."""

    max_grad_norm: float = 1.0
    """Gradients are clipped to this norm, > 0."""

    max_tokens: int = 16_384
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

    lora_rank: int = 64
    """LoRA only: rank of the update, >= 1."""

    lora_alpha: int = 128
    """LoRA only: the update is scaled by alpha / rank, >= 1."""

    lora_dropout: float = 0.0
    """LoRA only: dropout on the adapter's input, in [0, 1]."""

    lora_targets: str = "all-linear"
    """LoRA only: `all-linear`, or names of modules separated by commas."""

    seed: int = 0
    """Seed of the order of problems, of dropout and of the adapter's initial weights."""

    def __post_init__(self) -> None:
        if self.method is Method.none:
            _reset(self, {f.name for f in fields(self)} - {"method"})
            self.name = "none"
            return
        for name in ("epochs", "learning_rate", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"training.{name} must be > 0, got {getattr(self, name)}")
        for name in ("batch", "max_tokens", "lora_rank", "lora_alpha"):
            at_least(f"training.{name}", getattr(self, name), 1)
        for name in ("warmup", "adam_beta1", "adam_beta2", "lora_dropout"):
            share(f"training.{name}", getattr(self, name))
        at_least("training.weight_decay", self.weight_decay, 0)
        for method, names in ONLY.items():
            if method is not self.method:
                _reset(self, names)


def _reset(config: TrainingConfig, names: Collection[str]) -> None:
    """Set fields to their defaults."""
    for f in fields(config):
        if f.name in names:
            made = f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
            setattr(config, f.name, made)
