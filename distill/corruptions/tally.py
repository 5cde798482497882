"""How much an arm was damaged, and what is said where that is nothing or far less than asked."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TextIO

from distill.corruptions.changed import changed
from distill.corruptions.config import CorruptionConfig
from distill.corruptions.declare import FIELDS
from distill.corruptions.operators import Damaged
from distill.trace.records import Trace

FAR = 0.5
"""A realised share below this part of the asked one is far below it."""

EACH = "an operator yields a Damaged for each trace, in order"
"""What errors say of an operator that does not."""

NO_CHANCE = 40
"""Units asked for from which chance alone does not halve them: of so many independent draws fewer
than half hit in less than one case of a hundred (Chernoff: exp(-40 / 8) = 0.7 %)."""


class Tally:
    """Counts of what was damaged."""

    def __init__(self, corruption: CorruptionConfig) -> None:
        """Nothing is counted yet."""
        self.corruption = corruption
        self.traces = 0
        self.units = 0
        self.damaged = 0
        self.untouched_traces = 0
        self.nothing_to_damage = 0
        self.changed = 0.0
        self.places: list[int] = []
        # Of a single step none can be moved, dropped or replaced: it would be the whole thought.
        self.least = 2 if corruption.steps and corruption.fraction < 1 else 1

    def count(self, pairs: Iterable[tuple[Trace, Damaged]], rows: TextIO) -> Iterator[Trace]:
        """Yield the traces afterwards; count each, and write a row on it.

        The pairs are those of `held`.
        """
        for before, item in pairs:
            share = changed(before, item.trace) if item.damaged else 0.0
            self.traces += 1
            self.changed += share
            self.units += item.units
            self.damaged += item.damaged
            self.untouched_traces += not item.damaged
            self.nothing_to_damage += item.units < self.least
            if item.places is not None:
                self.places.append(item.places)
            counts = {"units": item.units, "damaged": item.damaged, "places": item.places}
            rows.write(json.dumps({"id": item.trace.id} | counts | {"changed": share}) + "\n")
            yield item.trace

    def refuse_nothing(self) -> None:
        """Raise ValueError where nothing was damaged: the arm would look like one without effect.

        So few draws that none may hit, such as 1 % of ten traces, only warn.
        """
        corruption, found = self.corruption, self.traces - self.nothing_to_damage
        if self.traces and not found:
            raise ValueError(
                f"{finder(corruption)} finds nothing to damage in {self.nothing_to_damage} of "
                f"{self.traces} traces{_instead(corruption)}"
            )
        if not self.damaged and corruption.fraction * self.units >= NO_CHANCE:
            raise ValueError(
                f"{corruption.kind} at corruption.fraction={corruption.fraction} damages none of "
                f"{self.units} units: {finder(corruption)} finds too few that differ in each of "
                f"{found} traces{_instead(corruption)}"
            )

    def summary(self) -> dict[str, Any]:
        """The counts, for `summary.json`.

        `traces`; `units` that could be damaged, `damaged`, their `share` (null where there is no
        unit); `untouched_traces`, those with nothing damaged, and of them `nothing_to_damage`;
        `changed`, the share of a trace's words that was deleted or inserted (see
        `distill.corruptions.changed.changed`), the mean over all traces (null where there is none).
        Where one unit is changed in several `places` (edited answers): how many in all, in the
        median trace and at most.
        """
        names = ("traces", "units", "damaged", "untouched_traces", "nothing_to_damage")
        counts = {name: getattr(self, name) for name in names}
        share = self.damaged / self.units if self.units else None
        amounts = {"share": share, "changed": self.changed / self.traces if self.traces else None}
        places = sorted(self.places)
        several: dict[str, int] = {}
        if places:
            several = {"places": sum(places), "places_median": places[len(places) // 2]}
            several |= {"places_most": places[-1]}
        return counts | amounts | several


def held(
    kind: str, corpus: Iterable[Trace], damaged: Iterable[Damaged]
) -> Iterator[tuple[Trace, Damaged]]:
    """Each trace with what an operator made of it; its counts are held against the texts.

    Where question, thought and solution are what they were, nothing is damaged, whatever the
    operator counted: a redrawn unit may by chance be what it was.

    Args:
        kind: the operator's name, for errors.
        corpus: the traces before; can be read twice.
        damaged: what the operator yields.

    Raises:
        ValueError: it yields something else than a `Damaged` for each trace; it changes a text and
            counts nothing damaged; or it counts fewer than none or more than all units.
    """
    made, count = iter(damaged), 0
    for before in corpus:
        after = next(made, None)
        if after is None:
            raise ValueError(f"{kind} yields {count} traces for {sum(1 for _ in corpus)}; {EACH}")
        if not isinstance(after, Damaged):
            raise ValueError(f"{kind} yields a {type(after).__name__} and no Damaged; {EACH}")
        if not 0 <= after.damaged <= after.units:
            raise ValueError(
                f"{kind} counts {after.damaged} damaged of {after.units} units of trace "
                f"{before.id}; damaged is from 0 to units"
            )
        if _text(before) == _text(after.trace):
            after = replace(after, damaged=0, places=None) if after.damaged else after
        elif not after.damaged:
            raise ValueError(
                f"{kind} changes the text of trace {before.id} and counts nothing damaged of "
                f"{after.units} units; damaged counts the units whose text is another afterwards"
            )
        yield before, after
        count += 1
    if next(made, None) is not None:
        raise ValueError(f"{kind} yields more than {count} traces for {count}; {EACH}")


def _text(trace: Trace) -> tuple[str, str, str]:
    return trace.problem.question, trace.thought, trace.solution


def finder(corruption: CorruptionConfig) -> str:
    """The field or list that decides what an operator finds."""
    if corruption.steps:
        return f"corruption.steps={corruption.steps}"
    if corruption.ask:
        return f"corruption.ask ({corruption.ask.model}, corruption.unit={corruption.unit})"
    chosen = [f"corruption.{n}={value}" for n in FIELDS if (value := getattr(corruption, n))]
    if corruption.kind == "remove_keywords":
        return f"the list that `keywords` names ({', '.join(chosen)})"
    return f"{corruption.kind} ({', '.join(chosen)})" if chosen else corruption.kind


def warnings(corruption: CorruptionConfig, summary: Mapping[str, Any]) -> list[str]:
    """Warnings on damage that is nothing, or far less than asked; empty where all is well."""
    units, damaged = summary["units"], summary["damaged"]
    said = f"{corruption.kind} at corruption.fraction={corruption.fraction} damaged "
    if corruption.kind == "none" or not summary["traces"]:
        return []
    if not damaged:
        return [f"{said}nothing, for there are only {units} units: this is corruption=none"]
    made = []
    asked = corruption.fraction * units
    if damaged < FAR * asked and asked >= NO_CHANCE:
        share = summary["share"]
        made.append(
            f"{said}{damaged} of {units} units, a share of {share:.3g}: "
            "less than half of what was asked"
        )
    nothing = summary.get("nothing_to_damage", 0)
    if nothing > FAR * summary["traces"]:
        found = f"{finder(corruption)} finds nothing to damage in {nothing} of"
        made.append(f"{found} {summary['traces']} traces{_instead(corruption)}")
    return made


def _instead(corruption: CorruptionConfig) -> str:
    if not corruption.steps:
        return ""
    others = [rule for rule in ("blank_line", "reflection", "model") if rule != corruption.steps]
    return f"; take corruption.steps={' or '.join(others)}"
