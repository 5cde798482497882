"""What damage does to the texts: configs -> frame of arms, counted on the corrupted traces."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from ablations.settings import arm
from ablations.show import until_corrupt
from ablations.tables import KINDS, arm_name, place
from distill import pipeline
from distill.config import STEP_RULES, Config, Method, Stage
from distill.keywords import count_keywords
from distill.steps import split
from distill.store import Store
from distill.trace import Trace, read_traces

MEASURES = {
    "characters": "characters",
    "steps": "steps",
    "digits": "digits",
    "keywords": "reflection keywords",
    "steps_left": "steps left as they were",
    "steps_in_place": "and where they were",
}
"""Column of `damage` -> its name in a figure; means a trace, and shares of the undamaged steps."""

_DIGIT = re.compile(r"\d")


def store(checkout: Path) -> Store:
    """The artifacts of a checkout."""
    return Store(checkout / Config().artifacts)


def damage(configs: Iterable[Config], store: Store) -> pd.DataFrame:
    """One row per damaged or undamaged arm, in the order of the tables.

    Corrupted traces that are not there are made, and what they are made from; nothing is trained.

    Args:
        configs: runs; untrained students have no traces and are left out.
        store: where artifacts are and go.

    Returns:
        arm, kind, corruption, fraction, and:

        traces: of the arm.
        damaged_share: of the operator's own units, in all traces.
        characters, steps, digits, keywords: means a trace, thought and solution together; steps
            of the thought alone, parted by blank lines.
        steps_left: share of a trace's undamaged steps whose text is still a step of it; mean over
            traces that are in both arms, NaN where none is.
        steps_in_place: the same, of steps that are also the k-th step as before.
    """
    arms = [config for config in configs if config.training.method is not Method.none]
    rows = [_arm(config, store) for config in arms]
    rows = sorted(rows, key=lambda row: place(row["told"]))
    columns = ["arm", "kind", "corruption", "fraction", "traces", "damaged_share", *MEASURES]
    return pd.DataFrame(rows, columns=columns).drop_duplicates("arm", ignore_index=True)


def _arm(config: Config, store: Store) -> dict[str, Any]:
    made = {s.stage: s.artifact for s in pipeline.run(until_corrupt(config), store.produce)}
    before = {trace.id: trace for trace in _traces(made[Stage.select].path)}
    counts = pd.DataFrame(_counts(trace, before) for trace in _traces(made[Stage.corrupt].path))
    told = arm(asdict(config))
    return {
        "told": told,
        "arm": arm_name(told),
        "kind": KINDS.get(config.corruption.name, "correct"),
        "corruption": config.corruption.name,
        "fraction": config.corruption.fraction,
        "traces": len(counts),
        "damaged_share": made[Stage.corrupt].summary()["share"],
        **{name: counts[name].mean() for name in MEASURES},
    }


def _counts(trace: Trace, before: Mapping[str, Trace]) -> dict[str, float]:
    text, steps = trace.thought + trace.solution, _steps(trace)
    counts: dict[str, float] = {
        "characters": len(text),
        "steps": len(steps),
        "digits": len(_DIGIT.findall(text)),
        "keywords": count_keywords(text),
        "steps_left": float("nan"),
        "steps_in_place": float("nan"),
    }
    if trace.id in before and (old := _steps(before[trace.id])):
        left = (Counter(old) & Counter(steps)).total()
        stayed = sum(a == b for a, b in zip(old, steps, strict=False))
        counts |= {"steps_left": left / len(old), "steps_in_place": stayed / len(old)}
    return counts


def _steps(trace: Trace) -> tuple[str, ...]:
    return split(trace.thought, STEP_RULES[0]).steps


def _traces(folder: Path) -> Iterator[Trace]:
    return read_traces(folder / "traces.jsonl")
