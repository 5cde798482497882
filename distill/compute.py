"""Compute options say how a run is carried out; they never change its results."""

import re
from dataclasses import dataclass

from distill.checks import POSITIVE, POSITIVE_SHARE, SHARE, Checked, Rule, at_least, one_of, ruled

IMAGE = Rule(
    "empty or the name of a container image",
    lambda text: re.fullmatch(r"([A-Za-z0-9][\w.:/@-]*)?", text) is not None,
)

AT_ONCE = Rule(
    "auto, or a whole number from 1", lambda text: re.fullmatch(r"auto|[1-9]\d*", text) is not None
)


@dataclass
class ComputeConfig(Checked):
    """How a run is carried out; never part of an identity. See `conf/compute/`."""

    device: str = ruled("auto", one_of("auto", "cpu", "cuda"))
    """`auto` takes a GPU if there is one."""

    threads: int = ruled(0, at_least(0))
    """CPU threads of a process; 0 leaves it to torch. Recorded: other counts can change the last
    bit."""

    parallel: str = ruled("auto", AT_ONCE)
    """Runs of a sweep that this machine makes at a time. `auto`: on CPUs as many as it has cores
    and memory for, which then share the cores (`threads`); else one. Other launchers have settings
    of their own for it."""

    batch_per_device: int = ruled(0, at_least(0))
    """Traces per forward pass in training; 0: all of a process's rows of a step."""

    gradient_checkpointing: bool = False
    """Whether activations are recomputed in the backward pass to save memory."""

    checkpoint_every: int = ruled(100, at_least(1))
    """Optimizer steps between the checkpoints that a killed training continues from."""

    processes: int = ruled(1, at_least(1))
    """Training processes, one GPU each; more than one share the weights (FSDP). The batch stays
    what `training.batch` says; a killed training continues only with the same number."""

    tensor_parallel: int = ruled(1, at_least(1))
    """`vllm` only: GPUs that one model is spread over."""

    memory_share: float = ruled(0.9, POSITIVE_SHARE)
    """`vllm` only: share of a GPU's memory that the engine takes."""

    concurrency: int = ruled(64, at_least(1))
    """`openai` only: concurrent requests."""

    reply_seconds: float = ruled(3600.0, POSITIVE)
    """`openai` only: seconds that a server may take for one response, from sending the request to
    the last byte; then the request is sent again."""

    retry_seconds: float = ruled(600.0, at_least(0))
    """`openai` only: seconds after its first failure during which a request is sent again, as a
    server may restart; 0: never. Then it stays pending. Also the longest that a server can ask to
    wait. A server that hangs ends the run after twice `reply_seconds` and this, at most."""

    api_key: str = "OPENAI_API_KEY"
    """`openai` only: environment variable that holds the key; the key itself is written nowhere."""

    max_unusable: float = ruled(0.01, SHARE)
    """Share of a stage's prompts that may give nothing usable: the server rejects them, a teacher
    replies without a thought, or a reply about a trace cannot be used. They are logged and skipped;
    above this share the stage stops, and so does a run that uses what an earlier one allowed. Raise
    it to continue with the rest."""

    workers: int = ruled(0, at_least(0))
    """Processes that grade; 0: one per CPU core."""

    sandbox: str = ruled("auto", one_of("auto", "bubblewrap", "podman", "docker"))
    """What code written by models runs in. `auto` takes the first that works here: bubblewrap, else
    podman or docker with `sandbox_image`, which is never pulled by itself."""

    sandbox_image: str = ruled("", IMAGE)
    """`podman` and `docker` only: image with the Python that runs this, such as
    `python:3.11.7-slim` or one with a digest. Empty: the official slim one of that version."""

    unsandboxed_code: bool = False
    """Run code written by models without a sandbox, where `sandbox=auto` finds none that works.
    Dangerous."""

    progress: bool = True
    """Whether long work draws a progress bar."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(r"[A-Za-z_]\w*", self.api_key):
            raise ValueError(
                "compute.api_key is the NAME of an environment variable, such as OPENAI_API_KEY; "
                "what was given is none, and is not repeated here in case it is a key"
            )
