"""Which fields, pins and inputs make two runs differ, stage by stage."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omegaconf.errors import OmegaConfBaseException
from rich.console import Group
from rich.text import Text

from ablations.commands.arguments import folded
from ablations.render.grid import ABSENT
from ablations.results.records import launched_in, records, references_of
from ablations.studies.cells import Cell, Studies
from ablations.studies.chain import WITHIN, Referred
from ablations.studies.plan import Planned, plan, short
from ablations.studies.recorded import recorded_config
from distill.run.overrides import split
from distill.stages import Stage
from distill.store.artifacts import read_recipe
from distill.store.identity import RECIPE

Recipes = dict[str, tuple[str, dict[str, Any]]]
"""Step -> key and canonical identity of its artifact."""

UNKNOWN = "its recipe is not on this machine; see the fields below, or code and libraries"
"""Why two artifacts differ if one is only recorded, as in `analysis/results/`."""


@dataclass(frozen=True)
class Identity:
    """The config of a run and the identities of its artifacts."""

    name: str
    config: dict[str, Any]
    recipes: Recipes
    """Step (`train`, `evaluate sign_puzzle`, `student.after: train`) -> key and canonical identity
    of its artifact, in order; the identity is empty if the artifact is not on this machine."""

    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Place of each run that it refers to -> that run's config."""

    known_by_last: frozenset[str] = frozenset()
    """Places whose run is recorded by its last step alone, since it would be made otherwise now."""


def identity(text: str, runs: Path) -> Identity:
    """The identity of the run with these overrides, or of one in `runs` by 4 digits of its key."""
    if re.fullmatch(r"[0-9a-f]{4,64}", text):
        return from_record(text, runs)
    return from_plan(plan([Studies().one(split(text, "the run"))])[0])


def from_plan(planned: Planned) -> Identity:
    """The identity of a run as it would be made now."""
    recipes = _of_links(planned.referred)
    recipes |= {
        f"{step.stage.value} {step.benchmark}".strip(): (step.artifact.key, step.artifact.recipe)
        for step in planned.made
    }
    configs = {link.place: asdict(link.config) for own in planned.referred for link in own.links()}
    return Identity(planned.cell.label, asdict(planned.cell.config), recipes, configs)


def from_record(prefix: str, folder: Path) -> Identity:
    """The identity of a run as it was made, by the first digits of its key.

    Raises:
        ValueError: no run in the folder has a key that begins with them, or several do.
    """
    found = {r["cell"]: (path, r) for path, r in records(folder) if r["cell"].startswith(prefix)}
    if len(found) != 1:
        some = ", ".join(sorted(key[:16] for key in found)) or "none"
        raise ValueError(f"{prefix!r} must begin the key of one run in {folder}; it begins: {some}")
    ((path, record),) = found.values()
    there = record["stages"]
    steps = {stage: there[stage] for stage in map(str, Stage) if stage in there}
    steps |= {f"evaluate {name}": stage for name, stage in record["scores"].items()}
    recipes, configs, by_last = _recorded_links(references_of(record), _as_now(record))
    for step, stage in steps.items():
        made = launched_in(path, record) / stage["path"]
        known = stage["path"] and (made / RECIPE).is_file()
        recipes[step] = stage["key"], read_recipe(made)["identity"] if known else {}
    name = f"{record['cell'][:16]} {record['label']}"
    return Identity(name, record["config"], recipes, configs, frozenset(by_last))


def _of_links(links: Sequence[Referred]) -> Recipes:
    """The steps of the runs that a run refers to, those that are made first first."""
    return {
        f"{link.place}: {step.stage.value}": (step.artifact.key, step.artifact.recipe)
        for own in links
        for link in own.links()
        for step in link.made
    }


def _as_now(record: Mapping[str, Any]) -> list[Referred]:
    """What a recorded run refers to as it would be made now; none where it could not be."""
    if not references_of(record):
        return []
    try:
        return plan([Cell(record["label"], (), recorded_config(record))])[0].referred
    except (ValueError, OmegaConfBaseException):
        return []


def _recorded_links(
    references: Mapping[str, Any], now: Sequence[Referred], above: str = ""
) -> tuple[Recipes, dict[str, dict[str, Any]], set[str]]:
    """Recipes, configs, and places known by their last step, of recorded references.

    A record has the key of what a reference stands for; where it is the same now, so is all that it
    was made of.
    """
    recipes: Recipes = {}
    configs: dict[str, dict[str, Any]] = {}
    by_last: set[str] = set()
    for place, named in references.items():
        where = f"{above}{place}"
        same = [link for link in now if link.place == where]
        needs = [other for link in same for other in link.needs]
        inner = _recorded_links(named["references"], needs, f"{where}{WITHIN}")
        configs |= inner[1] | {where: named["config"]}
        if same and same[0].last.artifact.key == named["key"]:
            recipes |= _of_links(same)
            continue
        recipes |= inner[0] | {f"{where}: {named['stage']}": (named["key"], {})}
        by_last |= inner[2] | {where}
    return recipes, configs, by_last


def _in_order(a: Sequence[str], b: Sequence[str]) -> list[str]:
    """The steps of two runs; one that only the second has stands where it has it."""
    steps, place = list(a), 0
    for step in b:
        if step in steps:
            place = steps.index(step) + 1
        else:
            steps.insert(place, step)
            place += 1
    return steps


def explain(a: Identity, b: Identity) -> Group:
    """A table of shared and differing artifacts, then every config field that differs."""
    steps = _in_order(list(a.recipes), list(b.recipes))
    keys_a, keys_b = ({key for key, _ in i.recipes.values()} for i in (a, b))
    table = folded("stage", "A", "B", "what differs")
    first = None
    for step in steps:
        (key_a, recipe_a), (key_b, recipe_b) = (i.recipes.get(step, ("", {})) for i in (a, b))
        if key_a == key_b or (not key_b and key_a in keys_b):
            table.add_row(step, short(key_a), "=", Text("shared", "green"))
            continue
        if not key_a and (key_b in keys_a or step.rpartition(": ")[0] in a.known_by_last):
            continue
        if not key_b and step.rpartition(": ")[0] in b.known_by_last:
            continue
        first = first or step
        if not (key_a and key_b):
            why = f"only {'A' if key_a else 'B'} has this stage"
        elif recipe_a and recipe_b:
            why = "\n".join(_lines(recipe_a, recipe_b))
        else:
            why = UNKNOWN
        table.add_row(step, short(key_a) or ABSENT, short(key_b) or ABSENT, Text(why))
    verdict = "They are the same run: every artifact is shared."
    if first:
        verdict = f"The first stage that differs is {first}."
    parts: list[Any] = [Text(f"A  {a.name}\nB  {b.name}"), table, Text(verdict, "bold")]
    left, right = ({name: v for name, v in i.config.items() if name != "study"} for i in (a, b))
    fields = [_line(*difference) for difference in differences(left, right)]
    for place in (place for place in a.configs if place in b.configs):
        found = differences(a.configs[place], b.configs[place])
        fields += [f"{place}: {_line(*difference)}" for difference in found]
    if fields:
        parts.append(Text("\nConfig fields that differ, including those that change no artifact:"))
        parts.append(Text("\n".join(f"  {field}" for field in fields)))
    return Group(*parts)


def differences(a: Any, b: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(dotted name, value in `a`, value in `b`) of every differing leaf of two JSON values."""
    if a == b:
        return
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in dict.fromkeys([*a, *b]):
            below = f"{name}.{key}" if name else str(key)
            yield from differences(a.get(key, ABSENT), b.get(key, ABSENT), below)
    else:
        yield name, a, b


def _lines(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[str]:
    """Differences of two recipes; an input that differs is explained at the stage that makes it."""
    for name, left, right in differences(a, b):
        inputs = (one for one in (left, right) if isinstance(one, Mapping) and "artifact" in one)
        if any(inputs) or name.endswith(".artifact"):
            yield f"input {name.removeprefix('arguments.').removesuffix('.artifact')} differs"
        else:
            yield _line(name.removeprefix("arguments."), left, right)


def _line(name: str, a: Any, b: Any) -> str:
    return f"{name}: {_short(a)} → {_short(b)}"


def _short(value: Any) -> str:
    return str(value) if len(str(value)) <= 60 else f"{str(value)[:57]}..."
