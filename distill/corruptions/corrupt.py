"""Stage 5 of 7: selected traces -> corrupted traces."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.operators import Borrow, Damaged, operator
from distill.corruptions.segment import read_starts
from distill.stages import Stage
from distill.store.artifacts import write_json
from distill.store.identity import content_hash
from distill.trace.keywords import KEYWORDS
from distill.trace.records import Trace, read_traces, write_records

VERSION = 2


def corrupt_traces(
    corruption: CorruptionConfig,
    selected: Path,
    verified: Path,
    said: Path | None = None,
    *,
    out: Path,
) -> None:
    """Damage every selected trace.

    Reads `traces.jsonl` of `selected` and, for operators that borrow from other traces, of
    `verified`; of `said`, what a model made of the selected traces, where the corruption asks one.
    Holds few traces at a time. Writes `traces.jsonl`, as many traces in the same order (`none`: the
    same bytes), and `summary.json`: `traces`, `units` that could be damaged, `damaged`, their
    `share` (null where there is no unit) and `untouched_traces`, those with nothing damaged.
    """
    target = out / "traces.jsonl"
    tally = Tally()
    damaged = damage(corruption, selected, verified, said)
    if corruption.kind == "none":
        tally.traces = tally.untouched_traces = sum(1 for _ in damaged)
        shutil.copyfile(selected / "traces.jsonl", target)
    else:
        write_records(target, tally.count(damaged))
    share = tally.damaged / tally.units if tally.units else None
    write_json(out / "summary.json", vars(tally) | {"share": share})


def damage(
    corruption: CorruptionConfig, selected: Path, verified: Path, said: Path | None
) -> Iterator[Damaged]:
    """What becomes of each selected trace; arguments as for `corrupt_traces`."""
    corpus = TraceFile(selected / "traces.jsonl")
    borrow = Borrow(TraceFile(verified / "traces.jsonl"))
    if said and corruption.asks is Stage.rewrite:
        borrow = Borrow(rewritten=TraceFile(said / "traces.jsonl"))
    elif said and corruption.asks is Stage.segment:
        borrow = Borrow(corpus, starts=read_starts(said))
    return operator(corruption.kind)(corpus, corruption, borrow)


def pins(corruption: CorruptionConfig, *artifacts: Any) -> dict[str, str]:
    """The keyword list, where the operator reads it."""
    reads = corruption.kind == "remove_keywords" or corruption.steps == "reflection"
    return {KEYWORDS.name: content_hash(KEYWORDS)} if reads else {}


@dataclass(frozen=True)
class TraceFile:
    """The traces of a file, read anew by each loop, so that an operator may read them twice."""

    path: Path

    def __iter__(self) -> Iterator[Trace]:
        """Read the file from its beginning."""
        return read_traces(self.path)


@dataclass
class Tally:
    """What was damaged, counted while traces pass."""

    traces: int = 0
    units: int = 0
    damaged: int = 0
    untouched_traces: int = 0

    def count(self, damaged: Iterable[Damaged]) -> Iterator[Trace]:
        """The traces, each counted."""
        for item in damaged:
            self.traces += 1
            self.units += item.units
            self.damaged += item.damaged
            self.untouched_traces += not item.damaged
            yield item.trace
