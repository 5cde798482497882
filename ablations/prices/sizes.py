"""How large a model is, and what a token costs it in training.

Shapes come from `ablations/reference/models.csv`, or from the `config.json` of a local folder.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ablations.reference import FOLDER
from distill.store.identity import local_path

NAMES = {
    "hidden": "hidden_size",
    "intermediate": "intermediate_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "vocabulary": "vocab_size",
}
"""Column of `models.csv` -> its field in a `config.json`."""


@dataclass(frozen=True)
class Shape:
    """A dense transformer with gated feed-forward layers; biases and norms are not counted."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool
    """Whether the output layer is the embedding."""

    @property
    def multiplied(self) -> int:
        """Weights that every token is multiplied with: all but the embedding, with the output."""
        width, narrow = self.heads * self.head_dim, self.kv_heads * self.head_dim
        attention = self.hidden * (2 * width + 2 * narrow)
        layer = attention + 3 * self.hidden * self.intermediate
        return self.layers * layer + self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """All of them."""
        return self.multiplied + (0 if self.tied else self.vocabulary * self.hidden)

    def training_flops(self, length: float, adapter: bool, recomputed: bool) -> float:
        """Floating-point operations for a token of a trace of this length in tokens.

        Forward once, backward twice, or once where no weight of the base is trained, and forward
        again where activations are recomputed; attention sees half of the trace in the mean.

        Args:
            length: tokens of a trace.
            adapter: whether an adapter is trained.
            recomputed: whether activations are, in the backward pass.
        """
        again = 1 if recomputed else 0
        products = 2 * self.multiplied * ((2 if adapter else 3) + again)
        attention = 2 * self.layers * self.heads * self.head_dim * length * (3 + again)
        return products + attention


@dataclass(frozen=True)
class Size:
    """What is known of a model's size."""

    parameters: float
    shape: Shape | None
    """None: it is no dense transformer, or only its number of parameters is known."""

    sparse: bool
    """Whether a token meets a part of them only."""

    source: str


@cache
def size(model: str) -> Size | None:
    """The size of a model by its hub id or local folder; None: unknown."""
    folder = local_path(model)
    if folder is not None:
        return _of_folder(Path(folder))
    return _published().get(model)


@cache
def _published() -> dict[str, Size]:
    found = {}
    with (FOLDER / "models.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            shape = None
            if row["hidden"]:
                numbers = {name: int(row[name]) for name in NAMES}
                shape = Shape(**numbers, tied=row["tied"] == "yes")
            sparse = bool(row["active"])
            found[row["name"]] = Size(float(row["parameters"]), shape, sparse, row["source"])
    return found


def _of_folder(folder: Path) -> Size | None:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        shape = _shape(config)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Size(float(shape.parameters), shape, False, "config.json of its folder")


def _shape(config: Mapping[str, Any]) -> Shape:
    """Raises KeyError or TypeError if the config is not that of a dense transformer."""
    heads = int(config["num_attention_heads"])
    usual = {
        "num_key_value_heads": heads,
        "head_dim": int(config["hidden_size"]) // heads,
        "tie_word_embeddings": True,
    }
    given = usual | {name: value for name, value in config.items() if value is not None}
    numbers = {name: int(given[field]) for name, field in NAMES.items()}
    return Shape(**numbers, tied=bool(given["tie_word_embeddings"]))
