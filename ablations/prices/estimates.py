"""A number with what it rests on; what is not known stays unknown through every product and sum."""

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Estimate:
    """A number that is known, known to be no more than a limit, or known in part."""

    value: float = 0.0
    """What is known of it; of a product with something unknown, 0."""

    sources: tuple[str, ...] = ()
    """Where its factors come from, each once."""

    at_most: bool = False
    """Whether a limit stands for something that is smaller."""

    missing: tuple[str, ...] = ()
    """What would have to be known for the rest of it; empty: nothing."""

    def __mul__(self, other: "Estimate | float") -> "Estimate":
        factor = other if isinstance(other, Estimate) else Estimate(float(other))
        both = self._with(factor)
        return replace(both, value=0.0 if both.missing else self.value * factor.value)

    __rmul__ = __mul__

    def __truediv__(self, other: "Estimate | float") -> "Estimate":
        divisor = other if isinstance(other, Estimate) else Estimate(float(other))
        both = self._with(divisor)
        return replace(both, value=0.0 if both.missing else self.value / divisor.value)

    def __add__(self, other: "Estimate") -> "Estimate":
        return replace(self._with(other), value=self.value + other.value)

    def capped(self, limit: float, why: str) -> "Estimate":
        """It, or a limit that it cannot exceed where it is unknown or larger."""
        if not self.missing and self.value <= limit:
            return self
        return Estimate(limit, (why,), at_most=True)

    def _with(self, other: "Estimate") -> "Estimate":
        return Estimate(
            sources=tuple(dict.fromkeys([*self.sources, *other.sources])),
            at_most=self.at_most or other.at_most,
            missing=tuple(dict.fromkeys([*self.missing, *other.missing])),
        )


NOTHING = Estimate()
"""Known to be 0."""


def unknown(what: str) -> Estimate:
    """A number of which nothing is known but `what` would make it known."""
    return Estimate(missing=(what,))


def total(parts: Iterable[Estimate]) -> Estimate:
    """The sum; its value is that of the parts that are known."""
    found = NOTHING
    for part in parts:
        found = found + part
    return found
