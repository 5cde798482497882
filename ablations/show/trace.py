"""Shows one trace before and after its corruption in a terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from ablations.show.marks import Piece, mark, words
from distill.config import Config
from distill.corruptions.config import STEP_RULES, CorruptionConfig
from distill.corruptions.corrupt import TraceFile, damage
from distill.corruptions.operators import Damaged
from distill.run.references import made as made_of
from distill.stages import Stage
from distill.store.artifacts import Store
from distill.trace.records import Trace

STYLES = {"removed": "red strike", "inserted": "green", "": ""}
SIGNS = {"removed": ("[-", "-]"), "inserted": ("{+", "+}")}
"""Put around changes if there is no colour."""

PALETTE = ("cyan", "magenta", "yellow", "blue", "green", "red")
SIDE_BY_SIDE = 120
"""Columns of a terminal from which two texts fit next to each other."""


@dataclass(frozen=True)
class Shown:
    """A trace before and after its corruption, and how much of the corpus was corrupted."""

    corruption: CorruptionConfig
    before: Trace
    after: Damaged
    corpus: dict[str, Any]
    """Summary of the corpus, see `distill.corruptions.tally.Tally.summary`."""


def show(config: Config, which: str | None, store: Store) -> Shown:
    """Make the corrupted traces of a run, if they do not exist, and pick one.

    Args:
        config: the run; nothing after `corrupt` is made.
        which: id of a trace, or its position in the selected traces from 0; None: the first
            corrupted one.
        store: where artifacts are read and written.

    Raises:
        ValueError: no such trace; or the run has no traces, since nothing is trained.
        RuntimeError: the operator's code no longer gives what is in the stored artifact.
    """
    place = -1
    for place, one in enumerate(iter_traces(config, store)):
        damaged = one.after.damaged or not one.corpus["damaged"]
        if damaged if which is None else which in (one.before.id, str(place)):
            return one
    raise ValueError(f"no trace {which!r}; give an id, or a position from 0 to {place}")


def iter_traces(config: Config, store: Store) -> Iterator[Shown]:
    """Iterate over the selected traces of a run in order; arguments and errors as for `show`."""
    made = {s.stage: s.artifact for s in made_of(until_corrupt(config), store.produce)}
    selected = made[Stage.select].path
    answers = made[config.corruption.asks].path if config.corruption.asks else None
    pairs = damage(config.corruption, selected, made[Stage.verify].path, answers)
    stored = TraceFile(made[Stage.corrupt].path / "traces.jsonl")
    summary = made[Stage.corrupt].summary()
    for (before, after), kept in zip(pairs, stored, strict=True):
        if after.trace != kept:
            raise RuntimeError(
                f"{config.corruption.kind} no longer makes of trace {before.id} what is in "
                f"{made[Stage.corrupt].path}: its code has changed, but not the stage's VERSION"
            )
        yield Shown(config.corruption, before, after, summary)


def until_corrupt(config: Config) -> Config:
    """The same run, stopped before training."""
    return replace(config, until=Stage.corrupt)


def render(shown: Shown, console: Console) -> Group:
    """A header and both texts, with the changes in colour, or in brackets without colour."""
    old, new = sides(shown)
    question = f"question: {shown.before.problem.question}"
    header = Text("\n".join([*facts(shown), question]))
    panels = [
        Panel(text(pieces, console.color_system is not None), title=title, title_align="left")
        for title, pieces in (("before", old), ("after", new))
    ]
    if console.width < SIDE_BY_SIDE:
        return Group(header, *panels)
    grid = Table.grid(Column(ratio=1), Column(ratio=1), expand=True)
    grid.add_row(*panels)
    return Group(header, grid)


def sides(shown: Shown) -> tuple[list[Piece], list[Piece]]:
    """The pieces of both responses, thought and solution."""
    before, after = shown.before, shown.after.trace
    steps = shown.corruption.steps
    # Steps found by a model are those of the original thought, not of the corrupted one.
    rule = steps if steps in STEP_RULES else STEP_RULES[0]
    old, new = mark(before.thought, after.thought, rule)
    for side, part in zip((old, new), words(before.solution, after.solution), strict=True):
        side += [Piece("\n\n── solution ──\n"), *part]
    return old, new


def text(pieces: Sequence[Piece], colour: bool) -> Text:
    """The pieces, marked; steps of a reordered text carry their number before corruption."""
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
    """One line each on the corruption, on this trace and on the corpus."""
    corruption, corpus, after = shown.corruption, shown.corpus, shown.after
    fields = {name: value for name, value in vars(corruption).items() if value is not None}
    named = (f"{name}={getattr(value, 'name', value)}" for name, value in fields.items())
    share = "" if corpus["share"] is None else f" ({100 * corpus['share']:.1f} %)"
    other = "" if after.trace.id == shown.before.id else f", replaced by trace {after.trace.id}"
    return [
        "corruption: " + " ".join(named),
        f"trace {shown.before.id}{other}: {after.damaged} of {after.units} units corrupted",
        f"corpus of {corpus['traces']} traces: {corpus['damaged']} of {corpus['units']} units "
        f"corrupted{share}, {corpus['untouched_traces']} traces unchanged, "
        f"{100 * (corpus['changed'] or 0):.1f} % of the words deleted or inserted",
    ]
