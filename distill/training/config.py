"""Options of training: method, optimizer, batching, length limit, LoRA; arguments of a training."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from distill.checks import (
    LATER,
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
from distill.models import hub
from distill.models.config import Dtype, PromptConfig, StudentConfig
from distill.store.canonical import canonical, canonical_json
from distill.store.identity import version
from distill.trace.records import digest
from distill.training import kernel


class Method(StrEnum):
    """How the student is trained; `METHODS` in `train.py` has the module of each."""

    none = "none"
    sft = "sft"
    lora = "lora"


ONLY = {
    Method.lora: ("lora_rank", "lora_alpha", "lora_dropout", "lora_targets", "quantization"),
}
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


class Kernel(StrEnum):
    """How a layer's forward and backward pass are computed; the last digits differ."""

    eager = "eager"
    compiled = "compiled"


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

    schedule: str = ruled("linear", one_of("linear", "cosine", "cosine_to_tenth", "constant"))
    """Decay of the learning rate after the warm-up: to 0, or to a tenth of the peak."""

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

    kernel: Kernel = field(default=Kernel.eager, metadata=LATER)
    """`eager`, or `compiled` by torch (see `distill.training.kernel`): faster on a CPU, but the
    first training on a machine compiles for up to a minute. Needs a C++ compiler. One table's arms
    are all trained by one of them."""

    lora_rank: int = ruled(64, at_least(1))
    """LoRA only: rank of the update."""

    lora_alpha: int = ruled(128, at_least(1))
    """LoRA only: the update is scaled by alpha / rank."""

    lora_dropout: float = ruled(0.0, SHARE)
    """LoRA only: dropout on the adapter's input."""

    lora_targets: str = ruled("all-linear", TARGETS)
    """LoRA only: `all-linear`, or names of modules separated by commas."""

    quantization: str = ruled("none", one_of("none", "nf4"), LATER)
    """LoRA only: `nf4` keeps the base's linear layers in 4 bits while the adapter is trained, as
    QLoRA does (arXiv:2305.14314), with double quantization and products in bfloat16. Needs
    bitsandbytes. The adapter is served on the base as published, in the engine's number format."""

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


def unusable(training: TrainingConfig, compute: ComputeConfig) -> str:
    """Why such a training cannot be run here; empty if it can, as far as is known before it."""
    if training.kernel is Kernel.compiled and training.batching is Batching.packed:
        return f"training.batching=packed is not compiled; {kernel.EAGER}"
    if training.kernel is Kernel.compiled and (lacking := kernel.missing()):
        return lacking
    if training.quantization == "none":
        return ""
    how = f"training.quantization={training.quantization}"
    if training.kernel is Kernel.compiled:
        return f"{how} is not compiled; {kernel.EAGER}"
    if not version("bitsandbytes"):
        return f"{how} needs bitsandbytes, which is not installed: pip install -e '.[qlora]'"
    if compute.processes > 1:
        return (
            f"{how} trains in one process, got compute.processes={compute.processes}: its 4-bit "
            "weights are not shared between GPUs; take compute.processes=1 or quantization=none"
        )
    return ""


class Part(NamedTuple):
    """Traces that a student is trained on, with the prompt around them; a mixture has several."""

    prompt: PromptConfig
    selected: Any
    """Artifact of stage `select`, or its folder."""

    corrupted: Any
    """Artifact of stage `corrupt`; its i-th trace is what became of the i-th selected one."""

    union: list[Any]
    """Artifacts of stage `corrupt`; a trace that is too long in one of them is dropped here too."""

    @property
    def name(self) -> str:
        """12 hex digits, the same however a run calls the part."""
        key = getattr(self.corrupted, "key", None) or self.corrupted.name
        return digest(key, canonical_json(canonical(self.prompt)))[:12]


@dataclass(frozen=True)
class Job:
    """The arguments of one training, as every method and process gets them; see `train_student`."""

    student: StudentConfig
    training: TrainingConfig
    parts: list[Part]
    """The run's own traces first."""

    begun: Path | None
    """Artifact of the whole model that the training begins at; None: the base."""

    compute: ComputeConfig
    out: Path

    @property
    def base(self) -> hub.Model:
        """The student before this training."""
        return hub.base_model(self.student, self.begun)

    @property
    def base_name(self) -> str:
        """The same in words that hold on every machine."""
        if self.begun is None:
            return self.student.model
        return f"{self.begun.parent.name}/{self.begun.name}/model"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints that an interrupted training resumes from."""
        return self.out / "checkpoints"

    @property
    def rows(self) -> Path:
        """Folder of the tokenised rows while the training lasts; see `distill.training.mapped`."""
        return self.out / "rows"
