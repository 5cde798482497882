"""Options of training: method, optimizer, batching, length limit, LoRA."""

from dataclasses import dataclass, field, fields
from enum import StrEnum

from omegaconf import MISSING

from distill.checks import LABEL, at_least, share
from distill.corruptions.config import CorruptionConfig
from distill.models.config import Dtype


class Method(StrEnum):
    """How the student is trained."""

    none = "none"
    sft = "sft"
    lora = "lora"


class Schedule(StrEnum):
    """Learning rate after the warm-up."""

    linear = "linear"
    cosine = "cosine"
    constant = "constant"


class Batching(StrEnum):
    """What goes into one optimiser step: the same problems in every arm, whatever was damaged."""

    grouped = "grouped"
    plain = "plain"
    packed = "packed"


@dataclass
class TrainingConfig:
    """How the student is trained. See `conf/training/`."""

    name: str = field(default=MISSING, metadata=LABEL)
    """The YAML's file name."""

    method: Method = Method.sft
    """`sft` trains every weight, `lora` an adapter, `none` leaves the base student as it is."""

    epochs: float = 3.0
    """Passes over the training set, > 0."""

    batch: int = 96
    """Traces an optimiser step, >= 1, over all devices and accumulation steps."""

    learning_rate: float = 1e-5
    """Peak learning rate, > 0."""

    schedule: Schedule = Schedule.linear
    """Decay after the warm-up."""

    warmup: float = 0.1
    """Share of the steps in which the rate rises linearly from 0, in [0, 1]."""

    adam_beta1: float = 0.9
    """AdamW's first decay rate, in [0, 1)."""

    adam_beta2: float = 0.999
    """AdamW's second decay rate, in [0, 1)."""

    weight_decay: float = 0.0
    """AdamW's weight decay, >= 0."""

    max_grad_norm: float = 1.0
    """Gradients are scaled to this norm at most, > 0."""

    max_tokens: int = 16_384
    """Longest prompt and response, in tokens. Longer traces are dropped and counted, never cut."""

    union: list[CorruptionConfig] = field(default_factory=list)
    """Arms of the study that can lengthen a trace: what is over-length in one of them, damaged
    or not, is dropped in all, so that every arm trains on the same problems."""

    batching: Batching = Batching.grouped
    """`grouped` by undamaged length, `plain` random order, or `packed` into rows of
    `max_tokens`."""

    dtype: Dtype = Dtype.bfloat16
    """Number format of the weights while they are trained."""

    autocast: bool = True
    """Whether matrix products run in bfloat16 while the weights keep `dtype`."""

    lora_rank: int = 64
    """LoRA only: rank of the update, >= 1."""

    lora_alpha: int = 128
    """LoRA only: the update is scaled by alpha / rank, >= 1."""

    lora_dropout: float = 0.0
    """LoRA only: dropout on the adapter's input, in [0, 1]."""

    lora_targets: str = "all-linear"
    """LoRA only: `all-linear`, or the names of modules parted by commas."""

    seed: int = 0
    """Seed of the order of problems, of dropout and of the adapter's first weights."""

    def __post_init__(self) -> None:
        if self.method is Method.none:
            _reset(self, keep=("name", "method"))
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
        if self.method is Method.sft:
            _reset(self, names=("lora_rank", "lora_alpha", "lora_dropout", "lora_targets"))


def _reset(
    config: TrainingConfig, *, names: tuple[str, ...] = (), keep: tuple[str, ...] = ()
) -> None:
    """Set fields that mean nothing for this method to their defaults, which no identity sees."""
    blank = TrainingConfig(name=config.name, method=Method.lora)
    for f in fields(config):
        if f.name in names or (keep and f.name not in keep):
            setattr(config, f.name, getattr(blank, f.name))
