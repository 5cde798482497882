"""An operator declares, beside its code, what it damages, how it is shown and what it reads."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from distill.checks import Rule, one_of

STEP_RULES = ("blank_line", "reflection")
"""Rules that split any thought into steps; steps `model` are found by a model beforehand."""

TARGETS = ("content", "structure", "other")
"""What of a trace an operator damages: what its steps say, how they are put together, or neither.
The first two are compared with each other."""

TARGET = one_of(*TARGETS)
COLOUR = Rule(
    "a colour such as #009e73", lambda value: re.fullmatch(r"#[0-9a-fA-F]{6}", value) is not None
)

FIELDS = ("mode", "unit", "scope", "steps")
"""Fields of a corruption whose choices an operator declares."""

_DECLARED = "declared"
"""Attribute of an operator that holds its declaration."""

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Declaration:
    """What an operator says of itself."""

    target: str = "other"
    """One of `TARGETS`."""

    title: str = ""
    """Its name in tables and figures."""

    colour: str = ""
    """Of its curve, such as `#009e73`; empty: one that no other operator has."""

    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Field of the corruption that it reads -> its choices, the default first."""

    drawn_at_all: bool = True
    """Whether draws decide what becomes of a trace at fraction 1; where not, seeds are alike."""

    files: tuple[str, ...] = ()
    """Files that a user's operator reads, relative to its own; they count as its source."""


def declares(
    target: str,
    title: str = "",
    colour: str = "",
    *,
    drawn_at_all: bool = True,
    files: tuple[str, ...] = (),
    **reads: tuple[str, ...],
) -> Callable[[Function], Function]:
    """Declare an operator; a decorator. Arguments as of `Declaration`, `reads` by field.

    Raises:
        ValueError: target or colour is none.
        TypeError: it reads what is no field of a corruption, or a field without choices.
    """
    TARGET.check("target", target)
    if colour:
        COLOUR.check("colour", colour)
    for name, choices in reads.items():
        if name not in FIELDS or not isinstance(choices, tuple) or not choices:
            raise TypeError(
                f"{name}={choices!r}: an operator declares tuples of choices, the default first, "
                f"of {', '.join(FIELDS)}"
            )

    def declared(function: Function) -> Function:
        named = title or _title(function)
        made = Declaration(target, named, colour, reads, drawn_at_all, files)
        setattr(function, _DECLARED, made)
        return function

    return declared


def declaration(operator: Callable[..., Any]) -> Declaration:
    """What an operator declares; without `declares` it damages `other` and reads no choice."""
    return getattr(operator, _DECLARED, None) or Declaration(title=_title(operator))


def _title(operator: Callable[..., Any]) -> str:
    return getattr(operator, "__name__", type(operator).__name__).replace("_", " ")
