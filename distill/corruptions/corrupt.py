"""The stage `corrupt` damages selected traces by one operator and counts what it damaged."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.operators import Borrow, Damaged, operator
from distill.corruptions.segment import read_starts
from distill.corruptions.tally import Tally, held, warnings
from distill.stages import Stage
from distill.store.artifacts import read_json, write_json
from distill.store.identity import content_hash
from distill.trace.keywords import DEFAULT, PIN, list_file
from distill.trace.records import Trace, read_traces, write_records

VERSION = 5
"""Raised when the output of an operator changes, for whatever reason in this room or `trace`;
`tests/fixtures/damage.json` holds what each makes at this version."""


def corrupt_traces(
    corruption: CorruptionConfig,
    selected: Path,
    verified: Path,
    said: Path | None = None,
    keywords: str = DEFAULT,
    *,
    out: Path,
) -> None:
    """Damage the selected traces, each by its own draws.

    Reads `traces.jsonl` of `selected`; of `verified`, where the operator borrows from other traces;
    and the artifact `said`, what a model made of the selected traces, where the corruption asks
    one. Traces are read one at a time, so that memory is bounded. `keywords` names the list that
    operators read, see `distill.trace.keywords`.

    Writes `traces.jsonl`, as many traces in the same order (`none`: the same bytes); except for
    `none` `damage.jsonl`, of each trace its `id`, `units`, `damaged`, `places` (`Damaged`) and
    `changed`; and `summary.json`, see `distill.corruptions.tally.Tally`.

    Raises:
        ValueError: nothing was damaged; names what found nothing, and in how many traces. Or what
            an operator yields is not what it made of the traces, see `tally.held`.
    """
    target, tally = out / "traces.jsonl", Tally(corruption)
    pairs = damage(corruption, selected, verified, said, keywords)
    if corruption.kind == "none":
        tally.traces = tally.untouched_traces = sum(1 for _ in pairs)
        shutil.copyfile(selected / "traces.jsonl", target)
    else:
        with (out / "damage.jsonl").open("w", encoding="utf-8", newline="\n") as rows:
            write_records(target, tally.count(pairs, rows))
        tally.refuse_nothing()
    write_json(out / "summary.json", tally.summary())


def served(corruption: CorruptionConfig, *rest: Any, out: Path) -> list[str]:
    """What is to be said of damage whenever it is used: warnings, see `tally.warnings`."""
    return warnings(corruption, read_json(out / "summary.json"))


def damage(
    corruption: CorruptionConfig,
    selected: Path,
    verified: Path,
    said: Path | None,
    keywords: str = DEFAULT,
) -> Iterator[tuple[Trace, Damaged]]:
    """Each selected trace, in order, and what was made of it; arguments as for `corrupt_traces`."""
    corpus = TraceFile(selected / "traces.jsonl")
    borrow = Borrow(TraceFile(verified / "traces.jsonl"), keywords=keywords)
    if said and corruption.asks is Stage.rewrite:
        borrow = Borrow(rewritten=TraceFile(said / "traces.jsonl"))
    elif said and corruption.asks is Stage.segment:
        borrow = Borrow(corpus, starts=read_starts(said))
    damaged = operator(corruption.kind, corruption._target_)(corpus, corruption, borrow)
    return held(corruption.kind, corpus, damaged)


def pins(
    corruption: CorruptionConfig,
    selected: Any,
    verified: Any,
    said: Any = None,
    keywords: str = DEFAULT,
) -> dict[str, str]:
    """Hash of the keyword list, where the operator reads it."""
    return {PIN: content_hash(list_file(keywords))} if reads_keywords(corruption) else {}


def reads_keywords(corruption: CorruptionConfig) -> bool:
    """Whether the operator reads the keyword list; a user's operator may."""
    read = corruption.kind == "remove_keywords" or corruption.steps == "reflection"
    return read or corruption.source is not None


@dataclass(frozen=True)
class TraceFile:
    """The traces of a file; each loop reads it from its beginning, so operators may loop twice."""

    path: Path

    def __iter__(self) -> Iterator[Trace]:
        """Open the file and read its traces in order."""
        return read_traces(self.path)
