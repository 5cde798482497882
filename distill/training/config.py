"""Options of training: method, optimizer, batching, length limit, LoRA."""

from dataclasses import dataclass, field, fields
from enum import StrEnum

from omegaconf import MISSING

from distill.checks import LABEL, POSITIVE, SHARE, SHARE_BELOW_1, Checked, at_least, ruled
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
class TrainingConfig(Checked):
    """How the student is trained. See `conf/training/`."""

    name: str = field(default=MISSING, metadata=LABEL)
    """The YAML's file name."""

    method: Method = Method.sft
    """`sft` trains every weight, `lora` an adapter, `none` leaves the base student as it is."""

    epochs: float = ruled(3.0, POSITIVE)
    """Passes over the training set."""

    batch: int = ruled(96, at_least(1))
    """Traces per optimizer step, across all devices and accumulation steps."""

    learning_rate: float = ruled(1e-5, POSITIVE)
    """Peak learning rate."""

    schedule: Schedule = Schedule.linear
    """Decay after the warm-up."""

    warmup: float = ruled(0.1, SHARE)
    """Share of the steps in which the rate rises linearly from 0."""

    adam_beta1: float = ruled(0.9, SHARE_BELOW_1)
    """AdamW's first decay rate."""

    adam_beta2: float = ruled(0.999, SHARE_BELOW_1)
    """AdamW's second decay rate."""

    weight_decay: float = ruled(0.0, at_least(0))
    """AdamW's weight decay."""

    max_grad_norm: float = ruled(1.0, POSITIVE)
    """Gradients are scaled to this norm at most."""

    max_tokens: int = ruled(16_384, at_least(1))
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

    lora_rank: int = ruled(64, at_least(1))
    """LoRA only: rank of the update."""

    lora_alpha: int = ruled(128, at_least(1))
    """LoRA only: the update is scaled by alpha / rank."""

    lora_dropout: float = ruled(0.0, SHARE)
    """LoRA only: dropout on the adapter's input."""

    lora_targets: str = "all-linear"
    """LoRA only: `all-linear`, or the names of modules parted by commas."""

    seed: int = 0
    """Seed of the order of problems, of dropout and of the adapter's first weights."""

    def __post_init__(self) -> None:
        if self.method is Method.none:
            _reset(self, keep=("name", "method"))
            self.name = "none"
            return
        super().__post_init__()
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
