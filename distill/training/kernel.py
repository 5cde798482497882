"""Compiled training: torch compiles a layer of the student, once for all of its layers.

The model stays that of transformers. A layer is compiled for rows of any length, and on a CPU with
an attention for short rows, which transformers gets to know as one more implementation.
"""

import hashlib
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distill.store.identity import version
from distill.training import short_rows

MULTIPLE = 32
"""Rows of a batch are padded to a multiple of this many tokens."""

EAGER = "training.kernel=eager needs no compiler (and gives other last digits)"

CACHE = "TORCHINDUCTOR_CACHE_DIR"
"""Environment variable: where torch keeps what it has compiled."""

_ATTENTION = "short_rows"
_LENGTH = 256


def missing() -> str:
    """What this machine is known to lack for compiling; empty: nothing."""
    compiler = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    lacking = ""
    if not shutil.which(compiler):
        lacking = f"a C++ compiler, and {compiler} is not found"
    elif not Path(sysconfig.get_path("include"), "Python.h").is_file():
        lacking = "the headers of Python, and Python.h is not found (package python3-dev)"
    return f"training.kernel=compiled needs {lacking}; {EAGER}" if lacking else ""


def keep_compiled(store: Path) -> None:
    """Let torch keep what it compiles in a store, unless the user named another folder.

    What is kept is code that is run when it is loaded. So it is looked for under a name of this
    machine and user alone: a store that was copied from elsewhere brings none.
    """
    here = [platform.node(), platform.machine(), _processor(), str(os.getuid()), sys.version]
    name = hashlib.sha256("\n".join([*here, str(version("torch"))]).encode()).hexdigest()[:16]
    os.environ.setdefault(CACHE, str(store.absolute() / "compiled" / name))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").splitlines() if info.is_file() else []
    return "\n".join(sorted({line for line in lines if line.startswith(("flags", "model name"))}))


def attention_for(config: Any, attention: str, device: str) -> str:
    """The attention implementation that a student is compiled with.

    On a CPU torch's fused attention (`sdpa`) is slow in the backward pass of short rows; it becomes
    that of `distill.training.short_rows`.

    Args:
        config: the student's, of transformers.
        attention: what `student.attention` names.
        device: `cpu` or `cuda`.

    Raises:
        ValueError: the student's attention has more to it than that.
    """
    if attention != "sdpa" or device != "cpu":
        return attention
    for name in ("attn_logit_softcapping", "attention_dropout"):
        if value := getattr(config, name, None):
            raise ValueError(
                f"training.kernel=compiled knows no {name}, and the student's config.json has "
                f"{name}={value}; take student.attention=eager with it, or {EAGER}"
            )
    from transformers import AttentionInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

    AttentionInterface.register(_ATTENTION, short_rows.attention())
    AttentionMaskInterface.register(_ATTENTION, ALL_MASK_ATTENTION_FUNCTIONS["eager"])
    return _ATTENTION


def compile_layers(model: Any) -> None:
    """Let torch compile each of a model's repeated layers, in place, when it is first called.

    What this process compiled for other students is forgotten: it would count against torch's limit
    on recompiling, and torch may compile otherwise what it compiles again.

    Raises:
        ValueError: the model has no repeated layers.
    """
    import torch
    from accelerate.utils.other import is_repeated_blocks

    layers = [layer for part in model.modules() if is_repeated_blocks(part) for layer in part]
    if not layers:
        raise ValueError(
            f"training.kernel=compiled compiles repeated layers, and {type(model).__name__} has "
            f"none; {EAGER}"
        )
    torch._dynamo.reset()
    torch._dynamo.config.fail_on_recompile_limit_hit = True  # else eager, in silence
    torch._inductor.config.compile_threads = 1  # two graphs need no pool of processes
    for layer in layers:
        layer.compile(dynamic=True, fullgraph=True)


def rows_made_up(batch: Any) -> int:
    """Rows of a made-up batch: torch compiles code of its own for one row."""
    return min(2, len(batch))


def made_up(inputs: dict[str, Any], rows: int) -> dict[str, Any]:
    """A batch with the fields of another, of rows of one certain length, to compile the layers on.

    Torch may arrange sums by the sizes that it first sees. A training that is continued begins at
    another batch, and must compile the same code.
    """
    import torch

    return {
        name: torch.ones((rows, _LENGTH), dtype=values.dtype, device=values.device)
        for name, values in inputs.items()
    }


@contextmanager
def compiling(model: Any) -> Iterator[None]:
    """What goes wrong while layers are compiled becomes a ValueError that names the other kernel.

    Random numbers that are drawn meanwhile count for nothing, nor do gradients.
    """
    import torch

    weights = list(model.parameters())
    gradients = [weight.grad for weight in weights]
    try:
        with torch.random.fork_rng():
            model.zero_grad()
            yield
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient
    except Exception as error:
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        why = " ".join(lines[:2]) or type(error).__name__
        raise ValueError(
            f"training.kernel=compiled: torch cannot compile a layer of this student here: {why}; "
            f"{EAGER}"
        ) from error
