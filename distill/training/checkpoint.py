"""Checkpoints that an interrupted training resumes from, and saving of the trained student."""

import os
import shutil
from pathlib import Path
from typing import Any

from distill.models import hub

COMPLETE = "complete"
"""File written last into a checkpoint, which transformers writes in place: one without it is
incomplete. It holds the number of processes, each of which saves its random state in the checkpoint
and, on GPUs, its share of the weights."""

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
    """Mark a checkpoint that all processes have written, and remove the earlier ones."""
    os.sync()
    (checkpoint / COMPLETE).write_text(str(processes))
    for folder in checkpoint.parent.glob("checkpoint-*"):
        if folder != checkpoint:
            discard(folder)


def drop_incomplete(folder: Path, processes: int) -> None:
    """Remove checkpoints that are incomplete, or of another number of processes."""
    for path in folder.glob("checkpoint-*"):
        mark = path / COMPLETE
        if not mark.exists() or mark.read_text() != str(processes):
            discard(path)


def newest(folder: Path) -> str | None:
    """The checkpoint to resume from, after `drop_incomplete`; None if there is none."""
    return max(map(str, folder.glob("checkpoint-*")), key=steps, default=None)


def steps(checkpoint: str) -> int:
    """Number of optimiser steps after which a checkpoint was written."""
    return int(checkpoint.rpartition("-")[2])


def discard(folder: Path) -> None:
    """Remove checkpoints, their marks first, so that none looks complete when half removed."""
    for mark in folder.rglob(COMPLETE):
        mark.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def emptied(folder: Path) -> Path:
    """The folder, without what an interrupted attempt left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def gathered(model: Any) -> dict[str, Any]:
    """All weights of a model that is sharded over processes, each of which must call this.

    Of tied weights only the one that the others are tied to is included. Only the first process
    gets the weights; the others get an empty dictionary.
    """
    import torch

    first, weights = torch.distributed.get_rank() == 0, {}
    tied = getattr(model, "all_tied_weights_keys", {})
    for name, weight in model.state_dict().items():
        full = weight.full_tensor() if hasattr(weight, "full_tensor") else weight
        if first and name not in tied:
            weights[name] = full.cpu()
    return weights


def save_model(model: Any, weights: dict[str, Any] | None, base: hub.Model, folder: Path) -> None:
    """Save weights in the base's number format, with the base's own tokenizer files.

    Args:
        model: the trained model.
        weights: the model's, gathered from all processes; None where this one has them all.
        base: the model before training.
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
    """Save a PEFT folder that names its base as the config does, not by this machine's path.

    Takes what `save_model` takes, but of the base only its name.
    """
    config = model.peft_config["default"]
    config.base_model_name_or_path = base
    config.target_modules = sorted(config.target_modules)  # a set: its order differs by process
    model.save_pretrained(folder, state_dict=weights, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
