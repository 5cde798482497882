"""How much an arm was damaged, and what is said where that is nothing or far less than asked."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.declare import FIELDS
from distill.corruptions.operators import Damaged
from distill.trace.records import Trace

FAR = 0.5
"""A realised share below this part of the asked one is far below it."""

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
        self.places: list[int] = []
        # Of a single step none can be moved, dropped or replaced: it would be the whole thought.
        self.least = 2 if corruption.steps and corruption.fraction < 1 else 1

    def count(self, damaged: Iterable[Damaged], rows: TextIO) -> Iterator[Trace]:
        """Yield the traces; count each, and write a row on it."""
        for item in damaged:
            if not isinstance(item, Damaged):
                raise ValueError(
                    f"{self.corruption.kind} yields a {type(item).__name__}, and not a Damaged for "
                    "each trace"
                )
            self.traces += 1
            self.units += item.units
            self.damaged += item.damaged
            self.untouched_traces += not item.damaged
            self.nothing_to_damage += item.units < self.least
            if item.places is not None:
                self.places.append(item.places)
            counts = {"units": item.units, "damaged": item.damaged, "places": item.places}
            rows.write(json.dumps({"id": item.trace.id} | counts) + "\n")
            yield item.trace

    def compare(self, given: int) -> None:
        """Raise ValueError unless there are as many traces as were given."""
        if self.traces != given:
            raise ValueError(
                f"{self.corruption.kind} yields {self.traces} traces for {given}; an operator "
                "yields a Damaged for each trace, in order"
            )

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
                f"{self.units} units: {finder(corruption)} finds too few in each of {found} "
                f"traces{_instead(corruption)}"
            )

    def summary(self) -> dict[str, Any]:
        """The counts, for `summary.json`.

        `traces`; `units` that could be damaged, `damaged`, their `share` (null where there is no
        unit); `untouched_traces`, those with nothing damaged, and of them `nothing_to_damage`.
        Where one unit is changed in several `places` (edited answers): how many in all, in the
        median trace and at most.
        """
        names = ("traces", "units", "damaged", "untouched_traces", "nothing_to_damage")
        counts = {name: getattr(self, name) for name in names}
        share = self.damaged / self.units if self.units else None
        places = sorted(self.places)
        changed: dict[str, int] = {}
        if places:
            changed = {"places": sum(places), "places_median": places[len(places) // 2]}
            changed |= {"places_most": places[-1]}
        return counts | {"share": share} | changed


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
