"""An arm is what a corruption does: this names it and gives it its place in a table."""

from collections.abc import Mapping
from typing import Any

from distill.corruptions.config import CORRUPTION_CHOICES
from distill.models.config import AskConfig
from distill.store.identity import arm_group

ARM = ("corruption", "fraction", "mode", "unit", "scope", "steps", "asked")
"""Columns that say what an arm is; `asked` names the model that the corruption asked and how, where
it asked one."""

NAMES = {
    "none": "uncorrupted",
    "wrong_answers": "wrong answers",
    "random_digits": "random digits",
    "remove_keywords": "keywords removed",
    "shuffle_steps": "steps shuffled",
    "delete_steps": "steps deleted",
    "insert_steps": "steps inserted",
}
"""Operator -> its name in a table, in the order of Table 2 of arXiv:2502.07374. Other operators
follow, under their own names."""

KINDS = {
    **dict.fromkeys(("wrong_answers", "random_digits", "remove_keywords"), "content"),
    **dict.fromkeys(("shuffle_steps", "delete_steps", "insert_steps"), "structure"),
}
"""Operator -> what of a trace it damages. An arm without corruption is of the kind `base` (not
trained) or `uncorrupted`."""


def arm_name(run: Any) -> str:
    """An arm in words: operator, corruption rate, and what is not the operator's default."""
    if run["method"] == "none":
        return "base"
    if run["corruption"] == "none":
        return NAMES["none"]
    choices = CORRUPTION_CHOICES.get(run["corruption"], {})
    variant = [str(run[name]) for name in choices if run[name] != choices[name][0]]
    asked = run.get("asked")  # published rows have none
    variant += [asked] if isinstance(asked, str) else []
    name = NAMES.get(run["corruption"], run["corruption"])
    return ", ".join([f"{name} {100 * run['fraction']:g} %", *variant])


def place(run: Any) -> tuple[Any, ...]:
    """Where an arm stands among others: sorts them in the order of Table 2."""
    order = list(NAMES)
    known = order.index(run["corruption"]) if run["corruption"] in order else len(order)
    choices = CORRUPTION_CHOICES.get(run["corruption"], {})
    variant = [choices[name].index(run[name]) for name in choices]
    return run["method"] != "none", known, run["corruption"], variant, run["fraction"]


def asked_model(corruption: Mapping[str, Any]) -> str | None:
    """The model that a corruption asked, with a hash of all that it was asked; None: no model.

    Two arms that differ in a wording or a temperature are two arms.
    """
    if not (ask := corruption.get("ask")):
        return None
    return f"{ask['model']} ({arm_group(ask, AskConfig)[:4]})"


def arm(config: Mapping[str, Any]) -> dict[str, Any]:
    """What names and places the arm of a config, see `arm_name` and `place`."""
    corruption = config["corruption"]
    return corruption | {
        "corruption": corruption["kind"],
        "asked": asked_model(corruption),
        "student": config["student"]["name"],
        "method": config["training"]["method"],
    }
