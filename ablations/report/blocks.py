"""What a report is made of: titled parts, their passages, and the blocks that stand in them.

A page (`templates/blocks.html.j2`) and a text (`report_markdown`) show every kind in their way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from ablations.render.grid import Grid
from ablations.show.trace import Shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    style: str = ""
    """`said`: what matters most; `soft` and `note`: small print."""

    link: tuple[str, str] | None = None
    """Name of a part, and the words that lead to it; only where there are links."""


@dataclass(frozen=True)
class Box:
    """Paragraphs that stand out."""

    texts: Sequence[Text]


@dataclass(frozen=True)
class Bullets:
    """Short lines."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Commands:
    """Lines to be copied."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Tables:
    """Grids and the note below them."""

    grids: Sequence[Grid]
    note: str = ""
    wordy: bool = False
    """Whether the cells are sentences rather than numbers."""


@dataclass(frozen=True)
class Picture:
    """A figure; drawn only where it is shown."""

    draw: "Callable[[], Figure]"
    name: str
    """Unlike that of any other in the report."""

    alternative: str
    """What it shows, for those who do not see it."""


@dataclass(frozen=True)
class Folded:
    """A block for few readers."""

    summary: str
    block: Commands | Tables


@dataclass(frozen=True)
class Legend:
    """How the damage of a trace is marked."""


@dataclass(frozen=True)
class Damage:
    """A trace before and after its damage."""

    shown: Shown
    command: str
    """What shows the whole of it."""


Block = Text | Box | Bullets | Commands | Tables | Picture | Folded | Legend | Damage


@dataclass(frozen=True)
class Passage:
    """Blocks below a title of their own."""

    title: str
    """Empty: they stand directly below that of the part."""

    blocks: Sequence[Block]


@dataclass(frozen=True)
class Part:
    """One section of a report."""

    title: str
    name: str
    """Where links lead."""

    passages: Sequence[Passage]
    short: str = ""
    """Its title in a list of parts; empty: it is not in it."""

    runs: pd.DataFrame | None = None
    """Those that it tells of, see `ablations.results.runs.runs`; None: all of the study."""
