"""A chain is what a planned run refers to: other runs, and those that these refer to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from distill.config import Config
from distill.pipeline import Given, Made
from distill.run.overrides import is_reference, split

WITHIN = " > "
"""Between the place of a reference and one within it: `student.after > teacher.student`."""


@dataclass(frozen=True)
class Referred:
    """A run that another refers to."""

    place: str
    """Where, from the run that the chain is of."""

    text: str
    """The reference."""

    config: Config
    made: list[Made]
    """Its steps in order, existing or not; the last is what it stands for."""

    needs: "list[Referred]"
    """What it refers to itself."""

    @property
    def last(self) -> Made:
        """The step that it stands for."""
        return self.made[-1]

    @property
    def words(self) -> str:
        """The overrides of the reference without references of its own."""
        return own_words(split(self.text))

    def links(self) -> "Iterator[Referred]":
        """What it refers to, those that are made first first, then itself."""
        for other in self.needs:
            yield from other.links()
        yield self


def referred(config: Config, given: Mapping[str, Given], above: str = "") -> list[Referred]:
    """The runs that a run refers to itself.

    Args:
        config: the run.
        given: place of a reference -> the run that it names, as it would be made.
        above: where the run itself is referred to, with `WITHIN`.
    """
    return [
        Referred(
            f"{above}{place}",
            config.references[place],
            other.config,
            other.made,
            referred(other.config, other.given, f"{above}{place}{WITHIN}"),
        )
        for place, other in given.items()
    ]


def missing(links: list[Referred]) -> Iterator[Referred]:
    """Those whose artifact must still be made; what one that exists was made of is not needed."""
    for link in links:
        if not link.last.artifact.exists:
            yield from missing(link.needs)
            yield link


def own_words(overrides: Sequence[str]) -> str:
    """The overrides of a run without its references."""
    return " ".join(word for word in overrides if not is_reference(word))
