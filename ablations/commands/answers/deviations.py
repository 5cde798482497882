"""The differences between runs and a paper, for a terminal."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.text import Text

from ablations.commands.answers.explain import from_record
from ablations.commands.arguments import folded
from ablations.papers.deviations import as_json, grid, nearest
from ablations.papers.stated import papers
from ablations.studies.cells import SINGLE, Studies


def configs(words: Sequence[str], runs: Path) -> list[Mapping[str, Any]]:
    """The configs that overrides describe: all runs of a `study=`, one run, or a recorded one.

    A recorded run is named by the first four digits of its key, or more, alone.
    """
    if len(words) == 1 and re.fullmatch(r"[0-9a-f]{4,64}", words[0]):
        return [from_record(words[0], runs).config]
    named = [word.removeprefix("study=") for word in words if word.startswith("study=")]
    rest = [word for word in words if not word.startswith("study=")]
    cells = Studies().cells(named[-1] if named else SINGLE, rest)
    return [as_json(cell.config) for cell in cells]


def table(given: Sequence[Mapping[str, Any]], paper: str | None) -> Group:
    """The deviations from a paper, or from the one that the first run is nearest to.

    Raises:
        ValueError: no such paper; names those there are.
    """
    name = paper or nearest(given[0])
    if name not in papers():
        raise ValueError(f"no paper {name!r}; known: {', '.join(papers())}")
    made = grid(given, name)
    shown = folded(*made.header)
    shown.title = Text(made.title)
    for row in made.rows:
        shown.add_row(*map(Text, row))
    note = (
        f"Of {len(papers()[name].settings)} settings in conf/papers/{name}.yaml, those that apply "
        "and are not listed are equal."
    )
    return Group(shown, Text(note, style="dim"))
