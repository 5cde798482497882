"""Options of how a run is carried out; they never change what comes out."""

import re
from dataclasses import dataclass

from distill.checks import at_least, one_of, share


@dataclass
class ComputeConfig:
    """How a run is carried out; never part of an identity. See `conf/compute/`."""

    device: str = "auto"
    """`auto` takes a GPU if there is one; else `cpu` or `cuda`."""

    threads: int = 0
    """CPU threads of a process, >= 0; 0 leaves it to torch. Recorded: other counts can move a last
    bit."""

    batch_per_device: int = 0
    """Traces a forward pass in training, >= 0; 0: all of a process's rows of a step."""

    gradient_checkpointing: bool = False
    """Whether activations are recomputed in the backward pass to save memory."""

    checkpoint_every: int = 100
    """Optimiser steps between the checkpoints that a killed training continues from, >= 1."""

    processes: int = 1
    """Training processes, a GPU each, >= 1; more than one share the weights (FSDP). The batch stays
    what `training.batch` says; a killed training continues only with the same number."""

    tensor_parallel: int = 1
    """`vllm` only: GPUs that one model is spread over, >= 1."""

    memory_share: float = 0.9
    """`vllm` only: share of a GPU's memory that the engine takes, in (0, 1]."""

    concurrency: int = 64
    """`openai` only: requests under way at once, >= 1."""

    api_key: str = "OPENAI_API_KEY"
    """`openai` only: environment variable that holds the key; the key itself is written nowhere."""

    max_unusable: float = 0.01
    """Share of a stage's prompts that may give nothing usable, in [0, 1]: a server refuses them for
    good, a teacher answers without a thought, or what is said of a trace cannot be used. They are
    set aside; past it the stage stops, and goes on with what it has where more is allowed."""

    workers: int = 0
    """Processes that grade, >= 0; 0: one a CPU core."""

    unsandboxed_code: bool = False
    """Run code written by models without a sandbox, where bubblewrap is missing. Dangerous."""

    progress: bool = True
    """Whether long work draws a progress bar."""

    def __post_init__(self) -> None:
        one_of("compute.device", self.device, ("auto", "cpu", "cuda"))
        at_least("compute.threads", self.threads, 0)
        at_least("compute.batch_per_device", self.batch_per_device, 0)
        at_least("compute.checkpoint_every", self.checkpoint_every, 1)
        for name in ("processes", "tensor_parallel", "concurrency"):
            at_least(f"compute.{name}", getattr(self, name), 1)
        at_least("compute.workers", self.workers, 0)
        share("compute.max_unusable", self.max_unusable)
        if not re.fullmatch(r"[A-Za-z_]\w*", self.api_key):
            raise ValueError(
                "compute.api_key is the NAME of an environment variable, such as OPENAI_API_KEY; "
                "what was given is none, and is not repeated here in case it is a key"
            )
        if not 0 < self.memory_share <= 1:
            raise ValueError(f"compute.memory_share must be in (0, 1], got {self.memory_share}")
