"""One trace before and after its damage."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ablations.show.marks import Piece, mark, words
from distill import pipeline
from distill.config import Config
from distill.corruptions.config import STEP_RULES, CorruptionConfig
from distill.corruptions.corrupt import TraceFile, damage
from distill.corruptions.operators import Damaged
from distill.stages import Stage
from distill.store.artifacts import Store
from distill.trace.records import Trace

STYLES = {"removed": "red strike", "inserted": "green", "": ""}
SIGNS = {"removed": ("[-", "-]"), "inserted": ("{+", "+}")}
"""Around what differs where there is no colour."""

PALETTE = ("cyan", "magenta", "yellow", "blue", "green", "red")
SIDE_BY_SIDE = 120
"""Columns of a terminal from which two texts fit beside each other."""


@dataclass(frozen=True)
class Shown:
    """A trace of a corpus, and what was done to it and to all."""

    corruption: CorruptionConfig
    before: Trace
    after: Damaged
    corpus: dict[str, Any]
    """Summary of the whole: `traces`, `units`, `damaged`, `share`, `untouched_traces`."""


def show(config: Config, which: str | None, store: Store) -> Shown:
    """Make the corrupted traces of a run, if they are not there, and take one.

    Args:
        config: the run; nothing after `corrupt` is made.
        which: id of a trace, or its place in the selected traces from 0; None: the first damaged.
        store: where artifacts are and go.

    Raises:
        ValueError: no such trace; or the run has no traces, since nothing is trained.
        RuntimeError: the operator's code no longer does what the stored artifact holds.
    """
    place = -1
    for place, one in enumerate(every(config, store)):
        anything = bool(one.corpus["damaged"])
        if _is_wanted(which, place, one.before, bool(one.after.damaged) or not anything):
            return one
    raise ValueError(f"no trace {which!r}; give an id, or a place from 0 to {place}")


def every(config: Config, store: Store) -> Iterator[Shown]:
    """Every selected trace of a run in order; arguments and errors are those of `show`."""
    made = {s.stage: s.artifact for s in pipeline.run(until_corrupt(config), store.produce)}
    selected = made[Stage.select].path
    said = made[config.corruption.asks].path if config.corruption.asks else None
    damaged = damage(config.corruption, selected, made[Stage.verify].path, said)
    corpus = TraceFile(selected / "traces.jsonl")
    stored = TraceFile(made[Stage.corrupt].path / "traces.jsonl")
    summary = made[Stage.corrupt].summary()
    for before, after, kept in zip(corpus, damaged, stored, strict=True):
        if after.trace != kept:
            raise RuntimeError(
                f"{config.corruption.kind} makes something else of trace {before.id} than is in "
                f"{made[Stage.corrupt].path}: its code was changed, but not the stage's VERSION"
            )
        yield Shown(config.corruption, before, after, summary)


def until_corrupt(config: Config) -> Config:
    """The same run, ended before anything is trained."""
    return replace(config, until=Stage.corrupt)


def render(shown: Shown, console: Console) -> Group:
    """The header, then both texts, their differences in colour, or by signs where none is."""
    old, new = sides(shown)
    question = f"question: {shown.before.problem.question}"
    header = Text("\n".join([*facts(shown), question]))
    panels = [
        Panel(text(pieces, console.color_system is not None), title=title, title_align="left")
        for title, pieces in (("before", old), ("after", new))
    ]
    if console.width < SIDE_BY_SIDE:
        return Group(header, *panels)
    grid = Table.grid(expand=True)
    for _ in panels:
        grid.add_column(ratio=1)
    grid.add_row(*panels)
    return Group(header, grid)


def sides(shown: Shown) -> tuple[list[Piece], list[Piece]]:
    """The pieces of both responses, thought and solution."""
    before, after = shown.before, shown.after.trace
    steps = shown.corruption.steps
    # What a model said of the undamaged thought tells nothing of the damaged one.
    rule = steps if steps in STEP_RULES else STEP_RULES[0]
    old, new = mark(before.thought, after.thought, rule)
    for side, part in zip((old, new), words(before.solution, after.solution), strict=True):
        side += [Piece("\n\n── solution ──\n"), *part]
    return old, new


def text(pieces: Sequence[Piece], colour: bool) -> Text:
    """The pieces, marked. Steps that could be in another place carry their number from before."""
    made = Text()
    for piece in pieces:
        if piece.origin:
            style = PALETTE[(piece.origin - 1) % len(PALETTE)] if piece.kind else "dim"
            sign = "→" if piece.kind else " "
            made.append(f"{sign}{piece.origin} ", f"{style} bold").append(piece.text, style)
        elif colour or piece.kind not in SIGNS:
            made.append(piece.text, STYLES[piece.kind])
        else:
            begin, end = SIGNS[piece.kind]
            made.append(f"{begin}{piece.text}{end}")
    return made


def facts(shown: Shown) -> list[str]:
    """What was done, to this trace and to the corpus, a line each."""
    corruption, corpus, after = shown.corruption, shown.corpus, shown.after
    fields = [
        (name, getattr(value, "name", value))
        for name, value in vars(corruption).items()
        if value is not None
    ]
    share = "" if corpus["share"] is None else f" ({100 * corpus['share']:.1f} %)"
    other = "" if after.trace.id == shown.before.id else f", replaced by trace {after.trace.id}"
    return [
        "corruption: " + " ".join(f"{name}={value}" for name, value in fields),
        f"trace {shown.before.id}{other}: {after.damaged} of {after.units} units damaged",
        f"corpus of {corpus['traces']} traces: {corpus['damaged']} of {corpus['units']} units "
        f"damaged{share}, {corpus['untouched_traces']} traces untouched",
    ]


def _is_wanted(which: str | None, place: int, trace: Trace, damaged: bool) -> bool:
    return damaged if which is None else which in (trace.id, str(place))
