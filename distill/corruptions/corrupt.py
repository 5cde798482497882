"""The stage `corrupt` damages selected traces by one operator and counts what it damaged."""

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

VERSION = 4
"""Raised when the output of an operator changes, for whatever reason in this room or `trace`;
`tests/fixtures/damage.json` holds what each makes at this version."""


def corrupt_traces(
    corruption: CorruptionConfig,
    selected: Path,
    verified: Path,
    said: Path | None = None,
    *,
    out: Path,
) -> None:
    """Damage the selected traces, each by its own draws.

    Reads `traces.jsonl` of `selected`; of `verified`, where the operator borrows from other traces;
    and the artifact `said`, what a model made of the selected traces, where the corruption asks
    one. Traces are read one at a time, so that memory is bounded.

    Writes `traces.jsonl`, as many traces in the same order (`none`: the same bytes), and
    `summary.json`: `traces`, `units` that could be damaged, `damaged`, their `share` (null where
    there is no unit) and `untouched_traces`, those with nothing damaged.
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
    """Damage each selected trace in order; arguments as for `corrupt_traces`."""
    corpus = TraceFile(selected / "traces.jsonl")
    borrow = Borrow(TraceFile(verified / "traces.jsonl"))
    if said and corruption.asks is Stage.rewrite:
        borrow = Borrow(rewritten=TraceFile(said / "traces.jsonl"))
    elif said and corruption.asks is Stage.segment:
        borrow = Borrow(corpus, starts=read_starts(said))
    return operator(corruption.kind)(corpus, corruption, borrow)


def pins(corruption: CorruptionConfig, *artifacts: Any) -> dict[str, str]:
    """Hash of the keyword list, where the operator reads it."""
    reads = corruption.kind == "remove_keywords" or corruption.steps == "reflection"
    return {KEYWORDS.name: content_hash(KEYWORDS)} if reads else {}


@dataclass(frozen=True)
class TraceFile:
    """The traces of a file; each loop reads it from its beginning, so operators may loop twice."""

    path: Path

    def __iter__(self) -> Iterator[Trace]:
        """Open the file and read its traces in order."""
        return read_traces(self.path)


@dataclass
class Tally:
    """Counts of what was damaged; the keys of `summary.json`."""

    traces: int = 0
    units: int = 0
    damaged: int = 0
    untouched_traces: int = 0

    def count(self, damaged: Iterable[Damaged]) -> Iterator[Trace]:
        """Yield the traces, counting each."""
        for item in damaged:
            self.traces += 1
            self.units += item.units
            self.damaged += item.damaged
            self.untouched_traces += not item.damaged
            yield item.trace
