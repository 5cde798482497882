"""The parts, passages and blocks that a report is made of, as data without any format.

`templates/blocks.html.j2` and `ablations.report.markdown` each render every kind of block.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
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
    """`said`: the main statement; `soft` and `note`: small print."""

    link: tuple[str, str] | None = None
    """Name of a part and the words that link to it; left out of formats without links."""


@dataclass(frozen=True)
class Box:
    """Paragraphs in a highlighted box."""

    texts: Sequence[Text]


@dataclass(frozen=True)
class Bullets:
    """A bulleted list."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Commands:
    """Lines to copy into a terminal or a file."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Tables:
    """Grids and the note below them."""

    grids: Sequence[Grid]
    note: str = ""
    wordy: bool = False
    """Whether the columns hold sentences rather than numbers."""


@dataclass(frozen=True)
class Picture:
    """A figure, drawn only by formats that show it."""

    draw: "Callable[[], Figure]"
    name: str
    """Unique in the report."""

    alternative: str
    """Its content in words, for readers who do not see it."""


@dataclass(frozen=True)
class Folded:
    """A block of details, collapsed on a page."""

    summary: str
    block: Commands | Tables


@dataclass(frozen=True)
class Legend:
    """How changes are marked in a trace."""


@dataclass(frozen=True)
class Damage:
    """A trace before and after its corruption."""

    shown: Shown
    command: str
    """The command that shows all of it."""


Block = Text | Box | Bullets | Commands | Tables | Picture | Folded | Legend | Damage


class Panels(Enum):
    """Charts that W&B draws from the runs themselves; other formats leave them out."""

    accuracy_by_corruption = auto()
    accuracy_by_rate = auto()
    accuracy_by_size = auto()
    accuracy_by_student = auto()
    responses_by_corruption = auto()
    training_loss = auto()
    configs = auto()


@dataclass(frozen=True)
class Passage:
    """Blocks below a title of their own."""

    title: str
    """Empty: the blocks follow the title of the part."""

    blocks: Sequence[Block]
    panels: Panels | None = None


@dataclass(frozen=True)
class Part:
    """One section of a report."""

    title: str
    name: str
    """Target of links."""

    passages: Sequence[Passage]
    short: str = ""
    """Its title in the list of parts; empty: not listed."""

    runs: pd.DataFrame | None = None
    """The runs it is about, see `ablations.results.runs.runs`; None: all of the study."""
