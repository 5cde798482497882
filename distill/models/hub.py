"""Resolve model names to local folders or pinned hub commits; load tokenizers; pick the device."""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from distill.compute import ComputeConfig
from distill.models.config import EngineConfig, StudentConfig
from distill.store.identity import content_hash, local_path


@dataclass(frozen=True)
class Model:
    """Weights to load, with their tokenizer."""

    name: str
    """Local folder or hub id."""

    revision: str | None = None
    """Commit of a hub model; None for a folder, or if only a server knows the model."""

    adapter: Path | None = None
    """PEFT folder with a LoRA update of the weights."""

    attention: str = "sdpa"
    """Attention implementation of transformers."""

    @property
    def source(self) -> dict[str, Any]:
        """Keyword arguments of every `from_pretrained`; no code of a model's own is ever run."""
        named = {"pretrained_model_name_or_path": self.name, "trust_remote_code": False}
        return named | ({"revision": self.revision} if self.revision else {})

    @property
    def folder(self) -> Path | None:
        """Local folder of the weights; None for a model of the hub."""
        return local_path(self.name)

    @property
    def content(self) -> str:
        """What identifies the weights, without the adapter: a content hash, or name and commit."""
        return content_hash(self.folder) if self.folder else f"{self.name}@{self.revision}"


def base_model(student: StudentConfig, begun: Path | None = None) -> Model:
    """The student before training; `begun` is the artifact with the whole model that it begins at.

    None: it begins at the base.
    """
    if begun:
        return Model(str(begun / "model"), attention=student.attention)
    return replace(model_of(student.model, student.revision), attention=student.attention)


def model_of(name: str, revision: str, engine: EngineConfig | None = None) -> Model:
    """The model in a local folder, at a commit of the hub, or behind the server of an engine.

    For a chat server the name is the server's own, which the hub need not know, and the weights
    behind it cannot be checked. With `engine.api=completions` the tokenizer is that of the local
    folder, or of the name and revision on the hub.
    """
    folder = local_path(name)
    return Model(str(folder)) if folder else Model(name, resolve_model(name, revision, engine))


def trained_model(student: StudentConfig, trained: Path | None, begun: Path | None = None) -> Model:
    """The student after training; `trained` is its artifact, None the student before training.

    `begun` as for `base_model`.
    """
    if trained is None:
        return base_model(student, begun)
    if (trained / "model").is_dir():
        return base_model(student, trained)
    return replace(base_model(student, begun), adapter=trained / "adapter")


def resolve(student: StudentConfig) -> str | None:
    """What identifies the student's weights; see `resolve_model`."""
    return resolve_model(student.model, student.revision)


def resolve_model(name: str, revision: str, engine: EngineConfig | None = None) -> str | None:
    """What identifies weights: a local folder's content hash, or a hub model's commit.

    None if the engine is a chat server's, which alone knows the model.

    A branch or tag is looked up in this machine's hub cache first, so that a model that was once
    downloaded keeps its identity offline.

    Raises:
        OSError: the commit is unknown: no network, no such model, or no access to it.
    """
    if folder := local_path(name):
        return content_hash(folder)
    return None if engine and engine.wants_messages else commit("model", name, revision)


def commit(kind: Literal["model", "dataset"], name: str, revision: str) -> str:
    """The commit that a branch or tag of a hub repository stands for, from the local cache first.

    Raises:
        OSError: the commit is unknown: no network, no such repository, or no access to it.
    """
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    found = _commit(kind, name, revision)
    if isinstance(found, OSError):
        raise found
    return found


def load_tokenizer(model: Model) -> Any:
    """The model's tokenizer, a `PreTrainedTokenizerBase` of transformers.

    Raises:
        ValueError: it brings code of its own.
    """
    from transformers import AutoTokenizer

    refuse_code(model)
    return AutoTokenizer.from_pretrained(**model.source)


def refuse_code(model: Model) -> None:
    """Raise ValueError if the model's configs name code of its own, which would have to be run."""
    from transformers import PreTrainedConfig
    from transformers.models.auto.tokenization_auto import get_tokenizer_config

    where = {"revision": model.revision} if model.revision else {}
    configs = {"tokenizer_config.json": get_tokenizer_config(model.name, **where)}
    with suppress(OSError):  # a tokenizer alone has none
        configs["config.json"] = PreTrainedConfig.get_config_dict(model.name, **where)[0]
    if named := [file for file, config in configs.items() if config.get("auto_map")]:
        raise ValueError(
            f"{model.name} brings code of its own (auto_map in {' and '.join(sorted(named))}), "
            "which is never run here (trust_remote_code=False); choose a model that transformers "
            "has the code of, or a copy without auto_map where it has"
        )


def set_up(compute: ComputeConfig) -> str:
    """Set the number of threads, silence the logs of transformers, and return the device.

    Returns:
        `cpu` or `cuda`.

    Raises:
        ValueError: `compute.device` is `cuda` and there is no GPU.
    """
    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if compute.threads:
        torch.set_num_threads(compute.threads)
    if compute.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("compute.device=cuda, but torch sees no GPU; use auto or cpu")
    if compute.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return compute.device


@lru_cache(maxsize=256)
def _commit(kind: Literal["model", "dataset"], name: str, revision: str) -> str | OSError:
    """The commit, or the error, so that planning many runs asks an unreachable hub only once."""
    import httpx
    from huggingface_hub import HfApi, constants
    from huggingface_hub.file_download import repo_folder_name

    try:
        folder = repo_folder_name(repo_id=name, repo_type=kind)
        cached = Path(constants.HF_HUB_CACHE, folder, "refs", revision)
        if cached.is_file():
            return cached.read_text().strip()
        found = HfApi().repo_info(name, revision=revision, repo_type=kind, timeout=10).sha
    except (OSError, ValueError, httpx.HTTPError) as error:
        return OSError(
            f"{kind} {name!r} at revision={revision!r} is neither a local path nor found on the "
            f"hub ({type(error).__name__}). Give a path, log in if it is gated (`hf auth login`), "
            "or set its revision to the 40 hex digits of a commit."
        )
    return found or OSError(f"the hub gives no commit of {name!r} at revision={revision!r}")
