"""An arm is what a corruption does: this names it and gives it its place in a table."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from distill.corruptions.declare import FIELDS, Declaration
from distill.corruptions.declare import TARGETS as TARGETS
from distill.corruptions.locate import declarations
from distill.models.config import AskConfig
from distill.store.identity import arm_group

ARM = ("corruption", "fraction", *FIELDS, "source", "asked")
"""Columns that say what an arm is; `source` is the hash of a user's operator, `asked` names the
model that the corruption asked and how, where it asked one."""

SHOWN = ("title", "target", "colour")
"""Columns that say how an arm is shown: as its operator declared when it ran."""

ORDER = (
    *("none", "wrong_answers", "random_digits", "remove_keywords"),
    *("shuffle_steps", "delete_steps", "insert_steps"),
)
"""Operators in the order of Table 2 of arXiv:2502.07374; others follow."""

WHOLE = "response"
"""Choice of an operator's `scope`: the thought and the final answer."""

PLACES = {
    "student.after": "after",
    "teacher.student": "taught by",
    "selection.problems_of": "on the problems of",
    "mix": "mixed with",
}
"""Place of a reference -> how a name says it; a part of a mixture is at `mix`."""

UNCORRUPTED = "uncorrupted"
"""Name and kind of the arm without corruption; that of the base, not trained, is `base`."""


def shown(run: Any) -> Declaration:
    """What the operator of a run declares, as recorded; nothing of the user's is imported.

    Records of older versions, and published rows, have no declaration: theirs is that of the
    project's operator of this name.
    """
    name = run["corruption"]
    own = declarations().get(name) or Declaration(title=name)
    title, target, colour = (
        text if isinstance(text := run.get(field), str) and text else getattr(own, field)
        for field in SHOWN
    )
    return replace(own, title=title, target=target, colour=colour)


def kind(run: Any) -> str:
    """`base`, `uncorrupted`, or what of a trace the run's operator damages."""
    if run["method"] == "none":
        return "base"
    return UNCORRUPTED if run["corruption"] == "none" else shown(run).target


def destroys_label(run: Any) -> bool:
    """Whether an arm's damage to something else also leaves no final answer as it was.

    So it is where a `scope` that the operator declares took in the whole response, and all of its
    units were damaged: all digits, for instance, those of the answer included. Such a student
    learns from no right answer, so its loss says nothing of the thought. At lower rates some
    answers stay right. Wrong answers have no scope: the answer itself is what they damage.
    """
    return bool(run.get("scope") == WHOLE and run["fraction"] == 1)


def arm_name(run: Any) -> str:
    """An arm in words: operator, corruption rate, and what is not the operator's default."""
    if run["method"] == "none":
        return "base"
    if run["corruption"] == "none":
        return UNCORRUPTED
    return ", ".join([f"{shown(run).title} {100 * run['fraction']:g} %", *variant(run)])


def variant(run: Any) -> list[str]:
    """What tells an arm from its operator's plain form; of a user's operator all its choices."""
    own = declarations().get(run["corruption"])
    if own:
        made = [str(run[name]) for name in own.reads if run[name] != own.reads[name][0]]
    else:
        made = [value for name in FIELDS if isinstance(value := run.get(name), str)]
    if isinstance(source := run.get("source"), str):
        made.append(f"code {source[:4]}")
    asked = run.get("asked")  # published rows have none
    return [*made, asked] if isinstance(asked, str) else made


def place(run: Any) -> tuple[Any, ...]:
    """Where an arm stands among others: sorts them in the order of Table 2."""
    name, own = run["corruption"], declarations().get(run["corruption"])
    known = ORDER.index(name) if name in ORDER else len(ORDER)
    choices = [own.reads[n].index(run[n]) for n in own.reads] if own else variant(run)
    return run["method"] != "none", known, name, choices, run["fraction"]


def asked_model(corruption: Mapping[str, Any]) -> str | None:
    """The model that a corruption asked, with a hash of all that it was asked; None: no model.

    Two arms that differ in a wording or a temperature are two arms.
    """
    if not (ask := corruption.get("ask")):
        return None
    return f"{ask['model']} ({arm_group(ask, AskConfig)[:4]})"


def teacher_name(config: Mapping[str, Any]) -> str:
    """The teacher of a config; one that is a model or a data set on the hub goes by that name."""
    teacher = config["teacher"]
    return str(teacher.get("model") or teacher.get("hub") or teacher["name"])


def refers(references: Mapping[str, Mapping[str, Any]]) -> str:
    """The runs that a run refers to in words, without their seeds; empty where there are none.

    Two runs may be called alike and differ all the same, see `ablations.results.settings`.

    Args:
        references: place -> `config` and `references` of the run that it names, as in `run.json`.
    """
    said = []
    for place, named in references.items():
        config, field = named["config"], "mix" if place.startswith("mix.") else place
        made = f"{config['size']['traces']:,} traces of {teacher_name(config)}"
        made += f", {arm_name(arm(config))}"
        if field in ("student.after", "teacher.student"):
            made = f"{config['training']['name']} on {made}"
        if field == "teacher.student":
            made = f"{config['student']['name']}, {made}"
        others = refers(named["references"])
        said.append(f"{PLACES[field]} {made}" + (f" ({others})" if others else ""))
    return "; ".join(sorted(said))


def arm(config: Mapping[str, Any]) -> dict[str, Any]:
    """What names and places the arm of a config, see `arm_name` and `place`."""
    corruption = config["corruption"]
    return corruption | {
        "corruption": corruption["kind"],
        "asked": asked_model(corruption),
        "student": config["student"]["name"],
        "method": config["training"]["method"],
    }
