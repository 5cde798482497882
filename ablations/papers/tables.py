"""The papers' tables with our numbers next to the published ones, one function per table."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from ablations.papers.comparison import compared
from ablations.reference import title
from ablations.results.arms import arm_name, place
from distill.corruptions.declare import STEP_RULES

METHOD_NAMES = {"sft": "full fine-tuning", "lora": "LoRA", "rl": "reinforcement learning"}
"""Method -> its name in a row."""


def table1(arms: pd.DataFrame) -> pd.DataFrame:
    """Sizes of the training set by full fine-tuning and LoRA (arXiv:2502.07374, Table 1)."""
    return compared("table1", _undamaged(arms), _trained, ("student",))


def table2(arms: pd.DataFrame) -> pd.DataFrame:
    """Damage to content and structure (arXiv:2502.07374, Table 2).

    Metric `change` is the difference to uncorrupted traces. On a benchmark that the paper does not
    have, ours is compared with the change of the paper's average.
    """
    shared = ("student", "training", "size")
    return compared("table2", arms, published_name(arms), shared, ("accuracy", "change"), place)


def table3(arms: pd.DataFrame) -> pd.DataFrame:
    """General abilities (arXiv:2502.07374, Table 3)."""
    return compared("table3", _undamaged(arms), _taught, ("student",))


def table4(arms: pd.DataFrame) -> pd.DataFrame:
    """Long and short traces: accuracy, tokens, keywords (arXiv:2502.07374, Table 4)."""
    shared, metrics = ("student", "training", "size"), ("accuracy", "tokens", "keywords")
    return compared("table4", _undamaged(arms), _length, shared, metrics)


def table5(arms: pd.DataFrame) -> pd.DataFrame:
    """Tokens and keywords per response with steps deleted (arXiv:2502.07374, Table 5)."""
    return _lengths("table5", "delete_steps", arms)


def table6(arms: pd.DataFrame) -> pd.DataFrame:
    """Tokens and keywords per response with steps inserted (arXiv:2502.07374, Table 6)."""
    return _lengths("table6", "insert_steps", arms)


def table7(arms: pd.DataFrame) -> pd.DataFrame:
    """Tokens and keywords per response with steps shuffled (arXiv:2502.07374, Table 7)."""
    return _lengths("table7", "shuffle_steps", arms)


def r1_table5(arms: pd.DataFrame) -> pd.DataFrame:
    """Students distilled from DeepSeek-R1 (arXiv:2501.12948, Table 5)."""
    return compared("r1_table5", _undamaged(arms), _student, (), ("accuracy", "majority", "rating"))


def r1_table6(arms: pd.DataFrame) -> pd.DataFrame:
    """Distillation and reinforcement learning (arXiv:2501.12948, Table 6)."""
    return compared("r1_table6", _undamaged(arms), _student, (), ("accuracy", "majority"))


def published_name(arms: pd.DataFrame) -> Callable[[Any], str]:
    """Names an arm as the published one that it is: the paper's steps are those that a model finds.

    An arm with such steps has the name of its operator's plain form, unless the arms have that too.
    """
    plain = {
        tuple(one)
        for one in arms.loc[arms["steps"] != "model", ["corruption", "fraction"]].to_numpy()
    }

    def name(run: Any) -> str:
        if run["steps"] == "model" and (run["corruption"], run["fraction"]) not in plain:
            run = {**run, "steps": STEP_RULES[0], "asked": None}
        return arm_name(run)

    return name


PAPERS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str | None]] = {
    "table1": (table1, "table1"),
    "table2": (table2, "table2"),
    "table3": (table3, "table3"),
    "table4": (table4, "table4"),
    "table5": (table5, "table2"),
    "table6": (table6, "table2"),
    "table7": (table7, "table2"),
    "r1_table5": (r1_table5, "r1_distill"),
    "r1_table6": (r1_table6, None),
}
"""Name of a paper's table -> its function, and the study in `conf/study/` that runs its arms."""


ALSO = {
    "table1_paper": ("table1",),
    "table2_paper": ("table2", "table5", "table6", "table7"),
    **{name: (name,) for name in ("table5", "table6", "table7")},
}
"""Further studies that have the arms of papers' tables."""


def tables_of(study: str) -> list[str]:
    """The papers' tables, of `PAPERS`, whose arms a study runs."""
    return [name for name, (_, of) in PAPERS.items() if of == study or name in ALSO.get(study, ())]


def paper_title(name: str) -> str:
    """Title of one of `PAPERS`: the first line of its function's docstring."""
    return (PAPERS[name][0].__doc__ or name).partition("\n")[0].rstrip(".")


def _lengths(table: str, corruption: str, arms: pd.DataFrame) -> pd.DataFrame:
    asked = arms[arms["corruption"].isin(("none", corruption)) & (arms["method"] != "none")]
    shared = ("student", "training", "size")
    return compared(table, asked, published_name(arms), shared, ("tokens", "keywords"), place)


def _undamaged(arms: pd.DataFrame) -> pd.DataFrame:
    return arms[arms["corruption"] == "none"]


def _trained(run: Mapping[str, Any]) -> str:
    if run["method"] == "none":
        return "base"
    if run["method"] == "other":
        return title(run["student"])
    thousands = float(f"{run['size'] / 1000:.2g}")  # as printed: 16,710 traces are 17k
    return f"{METHOD_NAMES[run['method']]}, {thousands:g}k traces"


def _taught(run: Mapping[str, Any]) -> str:
    name = _trained(run)
    return name if run["method"] in ("none", "other") else f"{title(run['teacher'])}, {name}"


def _length(run: Mapping[str, Any]) -> str:
    if run["method"] == "none":
        return "base"
    return "short traces" if title(run["teacher"]) == title("numina_cot") else "long traces"


def _student(run: Mapping[str, Any]) -> str:
    name = title(run["student"])
    if run["method"] == "other":
        return name
    kind = {"none": "untrained", "sft": "distilled", "rl": METHOD_NAMES["rl"]}
    return f"{name}, {kind.get(run['method'], run['method'])}"
