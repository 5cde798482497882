"""LEAF. What a training leaves on disk: checkpoints to continue from, and the trained student."""

import shutil
from pathlib import Path
from typing import Any

from distill import hub

COMPLETE = "complete"
"""Written last into a checkpoint: transformers writes it in place, so a killed one can be torn."""

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


def last_complete(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end; others are removed."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    complete = [path for path in found if (path / COMPLETE).exists()]
    for path in found:
        if path not in complete:
            shutil.rmtree(path)
    return str(complete[-1]) if complete else None


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


def save_model(model: Any, base: hub.Model, folder: Path) -> None:
    """Weights in the base's number format, with the base's own tokenizer files."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(model.config.dtype)
    model.save_pretrained(folder)
    if base.revision:
        hub.load_tokenizer(base).save_pretrained(folder)
        return
    for name in TOKENIZER_FILES:
        if Path(base.name, name).exists():
            shutil.copyfile(Path(base.name, name), folder / name)


def save_adapter(model: Any, base: str, folder: Path) -> None:
    """A PEFT folder that names its base as the config does, not by this machine's path."""
    config = model.peft_config["default"]
    config.base_model_name_or_path = base
    config.target_modules = sorted(config.target_modules)  # a set: its order differs by process
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
