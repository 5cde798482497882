"""Generate pretraining documents: a weighted mix of simple skills, some with digit noise."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from distill.micro.document_writers import WRITERS


@dataclass(frozen=True)
class Mix:
    """Weights of the document kinds; the fields are the keys of `WRITERS`."""

    facts: float = 0.12
    """Single facts of addition and subtraction."""
    direct: float = 0.12
    """The task itself with a short direct answer; their share sets the untrained base's score."""
    compute: float = 0.15
    """Expressions computed from left to right."""
    reflect: float = 0.12
    """Single reflections: corrections, verifications, alternatives."""
    copy: float = 0.07
    """Copying a list and selecting from it."""
    unknown: float = 0.09
    """Guess and check in another task, a + x = c."""
    trials: float = 0.33
    """Trials of sign patterns in random order, without verification or answer."""


def documents(seed: int, mix: Mix, noise: float) -> Iterator[str]:
    """Generate an endless stream of documents.

    Each document has its own random stream, and noise replaces digits by digits: another `noise`
    changes no other character.

    `noise` is the share of documents with digit noise, in [0, 1]. In such a document every digit of
    the body is replaced by a random one with a probability that is drawn from [0, 1].
    """
    weights = asdict(mix)
    writers = [WRITERS[kind] for kind in weights]
    for index in itertools.count():
        rng = random.Random(f"{seed}:{index}")
        prompt, body = rng.choices(writers, list(weights.values()))[0](rng)
        if rng.random() < noise:
            body = _digit_noise(body, rng.random(), rng)
        yield prompt + body


def _digit_noise(text: str, rate: float, rng: random.Random) -> str:
    return "".join(
        rng.choice("0123456789") if char.isdigit() and rng.random() < rate else char
        for char in text
    )
