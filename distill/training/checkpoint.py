"""What a training leaves on disk: checkpoints to continue from, and the trained student."""

import os
import shutil
from pathlib import Path
from typing import Any

from distill.models import hub

COMPLETE = "complete"
"""Written last into a checkpoint: transformers writes it in place, so a killed one can be torn.
Holds the number of processes: each has its random state there, and perhaps a share of weights."""

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
)


def mark_complete(checkpoint: Path, processes: int) -> None:
    """Mark a checkpoint, once all processes have written theirs, and remove those before it."""
    os.sync()
    (checkpoint / COMPLETE).write_text(str(processes))
    for folder in checkpoint.parent.glob("checkpoint-*"):
        if folder != checkpoint:
            discard(folder)


def drop_torn(folder: Path, processes: int) -> None:
    """Remove what was not written to its end, or by another number of processes."""
    for path in folder.glob("checkpoint-*"):
        mark = path / COMPLETE
        if not mark.exists() or mark.read_text() != str(processes):
            discard(path)


def newest(folder: Path) -> str | None:
    """The checkpoint to continue from, after `drop_torn`."""
    return max(map(str, folder.glob("checkpoint-*")), key=steps, default=None)


def steps(checkpoint: str) -> int:
    """Optimiser steps that a checkpoint was written after."""
    return int(checkpoint.rpartition("-")[2])


def discard(folder: Path) -> None:
    """Remove checkpoints, their marks first: a half removed one must not look complete."""
    for mark in folder.rglob(COMPLETE):
        mark.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def emptied(folder: Path) -> Path:
    """The folder, without what a killed attempt left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def gathered(model: Any) -> dict[str, Any]:
    """All weights in memory, of which each process holds a share; every process must call this.

    Tied weights are left out but for the one that the others are tied to. Only the first process
    keeps the rest.
    """
    import torch

    first, whole = torch.distributed.get_rank() == 0, {}
    tied = getattr(model, "all_tied_weights_keys", {})
    for name, weight in model.state_dict().items():
        full = weight.full_tensor() if hasattr(weight, "full_tensor") else weight
        if first and name not in tied:
            whole[name] = full.cpu()
    return whole


def save_model(model: Any, weights: dict[str, Any] | None, base: hub.Model, folder: Path) -> None:
    """Weights in the base's number format, with the base's own tokenizer files.

    Args:
        model: the trained model.
        weights: the model's, gathered from all processes; None where this one has them all.
        base: what it was before.
        folder: empty.
    """
    if weights is None:
        for parameter in model.parameters():
            parameter.data = parameter.data.to(model.config.dtype)
    else:
        for name in {name for name, _ in model.named_parameters()} & set(weights):
            weights[name] = weights[name].to(model.config.dtype)
    model.save_pretrained(folder, state_dict=weights)
    if base.revision:
        hub.load_tokenizer(base).save_pretrained(folder)
        return
    for name in TOKENIZER_FILES:
        if Path(base.name, name).exists():
            shutil.copyfile(Path(base.name, name), folder / name)


def save_adapter(model: Any, weights: dict[str, Any] | None, base: str, folder: Path) -> None:
    """A PEFT folder that names its base as the config does, not by this machine's path.

    Args:
        model: the base with its trained adapter.
        weights: the model's, gathered from all processes; None where this one has them all.
        base: name of the base.
        folder: empty.
    """
    config = model.peft_config["default"]
    config.base_model_name_or_path = base
    config.target_modules = sorted(config.target_modules)  # a set: its order differs by process
    model.save_pretrained(folder, state_dict=weights, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
