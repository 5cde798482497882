"""Count what a teacher gives: traces, and whatever else became of a row or a model call."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from distill.data.source import Placed, Rejected
from distill.models.annotate import Failed
from distill.trace.records import Trace

Event = Literal["of_other_problems", "beyond_samples", "unclosed", "bare"]
"""What is counted and is neither a trace nor a mistake: a recorded row of another problem, a
recorded response to a problem that already has `teacher.samples` traces, a model's thought that
never ends, a thought that was not marked."""

Item = Trace | Rejected | Failed | Event
"""What a teacher yields."""


@dataclass
class Tally:
    """Counts the items of a teacher while they pass, and keeps those that are no traces."""

    counts: Counter[str] = field(default_factory=Counter)
    rejected: list[Rejected] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    without_thought: list[Trace] = field(default_factory=list)

    def rows(self, rows: Iterable[Placed | Rejected]) -> Iterator[Placed | Rejected]:
        """The rows of a source, each counted."""
        for row in rows:
            self.counts["rows"] += 1
            yield row

    def traces(self, items: Iterable[Item]) -> Iterator[Trace]:
        """The traces that hold a thought, in order; all other items are counted and kept."""
        for item in items:
            match item:
                case Rejected():
                    self.rejected.append(item)
                case Failed():
                    self.failed.append(item)
                case str():
                    self.counts[item] += 1
                case Trace():
                    self.counts["cut_off"] += item.finish_reason == "length"
                    if item.thought.strip():
                        yield item
                    else:
                        self.without_thought.append(item)
        self.counts["failed"] = len(self.failed)
        self.counts["without_thought"] = len(self.without_thought)
