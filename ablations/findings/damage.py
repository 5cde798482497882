"""What damage does to the texts: configs -> frame of arms, counted on the corrupted traces."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ablations.render.drawing import OPERATORS
from ablations.render.grid import Grid
from ablations.render.wording import per_cent
from ablations.results.arms import KINDS, NAMES, arm, arm_name, place
from ablations.show.trace import until_corrupt
from distill import pipeline
from distill.config import Config
from distill.corruptions.config import STEP_RULES
from distill.stages import Stage
from distill.store.artifacts import Store
from distill.trace.keywords import count_keywords
from distill.trace.records import Trace, read_traces
from distill.trace.steps import split
from distill.training.config import Method

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
        "kind": KINDS.get(config.corruption.kind, "correct"),
        "corruption": config.corruption.kind,
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


COUNTED = ("characters", "steps", "digits", "keywords")
"""Those of `MEASURES` that are counts."""


def damage_grid(arms: pd.DataFrame, title: str) -> Grid:
    """The arms as texts, counts beside what they are of the undamaged ones."""
    correct = arms[arms["kind"] == "correct"].iloc[0]
    rows = [
        [
            arm["arm"],
            per_cent(arm["damaged_share"], 0),
            *(f"{arm[name]:,.1f} ({per_cent(arm[name] / correct[name], 0)})" for name in COUNTED),
            per_cent(arm["steps_left"], 0),
            per_cent(arm["steps_in_place"], 0),
        ]
        for _, arm in arms.iterrows()
    ]
    return Grid(title, ("arm", "units damaged", *MEASURES.values()), rows)


def damage_figure(arms: pd.DataFrame) -> "Figure":
    """Every measure against dose, a curve an operator; variants of an operator are left out.

    Args:
        arms: see `damage`; with the arm on correct traces.

    Returns:
        One axis a measure, all beginning at the undamaged traces, which are 100 %.
    """
    from matplotlib.figure import Figure

    correct = arms[arms["kind"] == "correct"]
    plain = arms[~arms["arm"].str.contains(",")]
    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True, sharey=True)
    for axis, (measure, name) in zip(axes.flat, MEASURES.items(), strict=True):
        for operator, (colour, marker) in OPERATORS.items():
            curve = plain[plain["corruption"] == operator]
            if curve.empty or curve[measure].isna().all():
                continue
            points = pd.concat([correct, curve]).sort_values("fraction")
            content = KINDS[operator] == "content"
            look: dict[str, Any] = {"color": colour, "marker": marker, "label": NAMES[operator]}
            look |= (
                {"ls": "-", "fillstyle": "full"} if content else {"ls": "--", "fillstyle": "none"}
            )
            share = points[measure] / correct[measure].iloc[0]
            axis.plot(100 * points["fraction"], 100 * share, **look)
        axis.set_title(name, loc="left", fontsize="medium")
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[-1]:
        axis.set(xlim=(-4, 104), xlabel="damaged, % of units")
    for axis in axes[:, 0]:
        axis.set_ylabel("of undamaged traces, %")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def damage_sentence(arms: pd.DataFrame) -> str:
    """How unlike equal doses are: what the operators leave of a trace at their least dose."""
    known = arms[arms["corruption"].isin(KINDS) & arms["steps_left"].notna()]
    if known["corruption"].nunique() < 2:
        return "Fewer than two operators on the same traces: they cannot be compared."
    least = known.loc[known.groupby("corruption")["fraction"].idxmin()].sort_values("steps_left")
    correct = arms[arms["kind"] == "correct"].iloc[0]
    lengths = known["characters"] / correct["characters"]
    fewest, most = least.iloc[0], least.iloc[-1]
    shortest, longest = known.loc[lengths.idxmin(), "arm"], known.loc[lengths.idxmax(), "arm"]
    return (
        f"Equal doses are not equal damage. At the operators' least doses between "
        f"{per_cent(fewest['steps_left'], 0)} ({fewest['arm']}) and "
        f"{per_cent(most['steps_left'], 0)} ({most['arm']}) of a trace's steps stay as they were; "
        f"over all doses traces are {per_cent(lengths.min(), 0)} ({shortest}) to "
        f"{per_cent(lengths.max(), 0)} ({longest}) as long."
    )
