"""The pretraining recipe of the base students, and the three bases that were trained with it."""

import hashlib
import json
from dataclasses import asdict, dataclass, field

from distill.micro.documents import Mix


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a base, except for rounding."""

    seed: int = 0
    """Seed of initialisation and documents."""
    noise: float = 0.2
    """Share of documents with digit noise, in [0, 1]; `micro_clean` has none."""
    mix: Mix = field(default_factory=Mix)
    steps: int = 1600
    batch: int = 32
    """Rows per step."""
    length: int = 256
    """Tokens per row. A row starts with a new document, and its last one is cut."""
    learning_rate: float = 2e-3
    """Peak; rises over `warmup` steps and falls linearly over the last `decay` share of steps."""
    warmup: int = 100
    decay: float = 0.25
    floor: float = 0.02
    """Learning rate at the end, as a share of the peak."""
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1
    """Applied to matrices only."""
    clip: float = 1.0
    """Norm to which gradients are clipped."""
    width: int = 192
    layers: int = 4
    heads: int = 3
    feed_forward: int = 512
    positions: int = 2048

    def sha256(self) -> str:
        """Hash of the fields' canonical JSON."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def schedule(self, step: int) -> float:
        """Share of the peak learning rate at a step, from 0: rising, constant, falling."""
        left = (self.steps - step) / (self.decay * self.steps)
        return min(1.0, (step + 1) / self.warmup) * min(1.0, max(self.floor, left))


RECIPES = {"micro": Recipe(), "micro_seed1": Recipe(seed=1), "micro_clean": Recipe(noise=0.0)}
