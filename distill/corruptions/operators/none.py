"""No damage: the uncorrupted arm, which all others are compared with."""

from collections.abc import Iterable, Iterator

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.operators import Borrow, Damaged, declares
from distill.trace.records import Trace


@declares("other", "uncorrupted")
def none(corpus: Iterable[Trace], config: CorruptionConfig, borrow: Borrow) -> Iterator[Damaged]:
    """Pass every trace on unchanged."""
    return (Damaged(trace, 0, 0) for trace in corpus)
