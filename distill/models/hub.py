"""Which model is meant, where its files are, and what it runs on."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from distill.compute import ComputeConfig
from distill.models.config import EngineConfig, StudentConfig
from distill.store.identity import content_hash, local_path

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Model:
    """Weights to load, with their tokenizer."""

    name: str
    """Folder, or hub id."""

    revision: str | None = None
    """Commit of a hub model; None for a folder."""

    adapter: Path | None = None
    """PEFT folder with a LoRA update of the weights."""

    attention: str = "sdpa"
    """Attention implementation of transformers."""

    @property
    def source(self) -> dict[str, Any]:
        """Keyword arguments of every `from_pretrained`."""
        return {"pretrained_model_name_or_path": self.name} | (
            {"revision": self.revision} if self.revision else {}
        )

    @property
    def content(self) -> str:
        """What tells the weights from others, the adapter's aside."""
        folder = local_path(self.name)
        return content_hash(folder) if folder else f"{self.name}@{self.revision}"


def base_model(student: StudentConfig) -> Model:
    """The student before training."""
    return replace(model_of(student.model, student.revision), attention=student.attention)


def model_of(name: str, revision: str) -> Model:
    """The weights in a local folder, or at a hub model's commit."""
    folder = local_path(name)
    return Model(str(folder)) if folder else Model(name, resolve_model(name, revision))


def trained_model(student: StudentConfig, trained: Path | None) -> Model:
    """The student after training; the base where `trained` is None."""
    if trained is None:
        return base_model(student)
    if (trained / "model").is_dir():
        return Model(str(trained / "model"), attention=student.attention)
    base = base_model(student)
    return Model(base.name, base.revision, trained / "adapter", base.attention)


def resolve(student: StudentConfig) -> str:
    """What identifies the student's weights; see `resolve_model`."""
    return resolve_model(student.model, student.revision)


def resolve_model(name: str, revision: str) -> str:
    """What identifies weights: a local folder's content hash, or a hub model's commit.

    A branch or tag is looked up in the hub's cache on this machine first, so that a model which was
    once downloaded keeps its identity offline.

    Raises:
        OSError: the hub does not tell: no network, no such model, or no right to see it.
    """
    folder = local_path(name)
    if folder:
        return content_hash(folder)
    return commit("model", name, revision)


def commit(kind: Literal["model", "dataset"], name: str, revision: str) -> str:
    """The commit of the hub that a branch or tag stands for; looked up in its cache here first.

    Raises:
        OSError: the hub does not tell: no network, nothing of this name, or no right to see it.
    """
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    found = _commit(kind, name, revision)
    if isinstance(found, OSError):
        raise found
    return found


def served(name: str, revision: str, engine: EngineConfig) -> Model:
    """A model that is asked as it is: a teacher, a judge.

    Behind a server of chats a name is the server's, which the hub need not know; what it stands
    for is then the server's word. With `engine.api=completions` the tokenizer here is that of the
    name and revision on the hub, or of the local folder.
    """
    folder = local_path(name)
    return Model(str(folder)) if folder else Model(name, resolve_served(name, revision, engine))


def resolve_served(name: str, revision: str, engine: EngineConfig) -> str | None:
    """What identifies the model of `served`; None where only a server knows it."""
    if engine.wants_messages and not local_path(name):
        return None
    return resolve_model(name, revision)


def load_tokenizer(model: Model) -> "PreTrainedTokenizerBase":
    """The model's tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(**model.source)


def set_up(compute: ComputeConfig) -> str:
    """Apply the thread count, silence what a user cannot act on, and name the device.

    Returns:
        `cpu` or `cuda`.

    Raises:
        ValueError: `cuda` is asked for and there is none.
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
    """The commit, or why there is none: a plan of many cells asks an unreachable hub once."""
    import httpx
    from huggingface_hub import HfApi, constants

    folder = Path(constants.HF_HUB_CACHE, f"{kind}s--{name.replace('/', '--')}")
    cached = folder / "refs" / revision
    if cached.is_file():
        return cached.read_text().strip()
    try:
        found = HfApi().repo_info(name, revision=revision, repo_type=kind, timeout=10).sha
    except (OSError, ValueError, httpx.HTTPError) as error:
        return OSError(
            f"{kind} {name!r} at revision={revision!r} is no local path and the hub does not "
            f"give it ({type(error).__name__}). Name a path, log in if it is gated "
            "(`hf auth login`), or set its revision to the 40 hex digits of a commit."
        )
    return found or OSError(f"the hub names no commit of {name!r} at revision {revision!r}")
