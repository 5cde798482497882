"""What does each kind of damage do to the text of the traces?"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablations.findings.curves import operator_curves
from ablations.render.grid import Grid
from ablations.render.wording import per_cent
from ablations.results.arms import SHOWN, arm, arm_name, kind, place, variant
from ablations.results.records import records
from ablations.results.recounts import COUNTED as RECOUNTED
from ablations.results.recounts import FILE, older, recounted
from ablations.show.trace import until_corrupt
from ablations.studies.recorded import recorded_config
from distill.config import Config
from distill.corruptions.config import STEP_RULES
from distill.run.references import made as made_of
from distill.stages import Stage
from distill.store.artifacts import Store
from distill.trace.keywords import count_keywords
from distill.trace.records import Trace, read_traces
from distill.trace.steps import split
from distill.training.config import Method

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEASURES = {
    "changed": "text changed",
    "characters": "characters",
    "steps": "steps",
    "digits": "digits",
    "keywords": "reflection keywords",
    "steps_left": "steps unchanged",
    "steps_in_place": "steps unchanged and in place",
}
"""Column of `frame` -> its name in tables and figures: means per trace, and shares of its words or
of the uncorrupted steps."""

COUNTED = ("characters", "steps", "digits", "keywords")
"""Those of `MEASURES` that are counts."""

_DIGIT = re.compile(r"\d")


def artifacts(checkout: Path) -> Store:
    """The artifacts of a checkout."""
    return Store(checkout / Config().artifacts)


def frame(configs: Iterable[Config], store: Store) -> pd.DataFrame:
    """One row per arm with traces, uncorrupted or damaged, in the order of the tables.

    Corrupted traces that do not exist yet are generated, with everything they depend on; nothing
    is trained.

    Args:
        configs: runs; untrained students have no traces and are ignored.
        store: where artifacts are read and written.

    Returns:
        arm, kind, variant, corruption, fraction, `SHOWN`, and:

        traces: of the arm.
        damaged_share: share of the operator's own units that was damaged, in all traces.
        changed: share of a trace's words that was deleted or inserted, mean over all traces, see
            `distill.corruptions.changed.changed`; the measure in which operators are comparable.
        characters, steps, digits, keywords: means per trace, thought and solution together; steps
            of the thought alone, separated by blank lines.
        steps_left: share of a trace's uncorrupted steps whose text is still one of its steps; mean
            over traces that are in both arms, NaN where none is.
        steps_in_place: the same, of steps that are also still the k-th step.
    """
    arms = [config for config in configs if config.training.method is not Method.none]
    rows = sorted((_arm(config, store) for config in arms), key=lambda row: place(row["run"]))
    told = ["arm", "kind", "variant", "corruption", "fraction", *SHOWN]
    columns = [*told, "traces", "damaged_share", *MEASURES]
    return pd.DataFrame(rows, columns=columns).drop_duplicates("arm", ignore_index=True)


def grid(arms: pd.DataFrame, title: str) -> Grid:
    """The arms as texts; in brackets, counts as per cent of those of the uncorrupted arm."""
    uncorrupted = arms[arms["kind"] == "uncorrupted"].iloc[0]
    rows = []
    for _, row in arms.iterrows():
        relative = {name: per_cent(row[name] / uncorrupted[name], 0) for name in COUNTED}
        counts = [f"{row[name]:,.1f} ({share})" for name, share in relative.items()]
        names = ("damaged_share", "steps_left", "steps_in_place")
        damaged, *left = (per_cent(row[name], 0) for name in names)
        rows.append([row["arm"], damaged, per_cent(row["changed"]), *counts, *left])
    return Grid(title, ("arm", "units damaged", *MEASURES.values()), rows)


def figure(arms: pd.DataFrame) -> "Figure":
    """Every measure against corruption rate, one curve per operator, without its variants.

    One axis per measure, all beginning at the uncorrupted arm, which `arms` must have: 0 % of its
    words are changed, and of the other measures it has 100 %.
    """
    from matplotlib.figure import Figure

    uncorrupted = arms[arms["kind"] == "uncorrupted"]
    drawn = Figure(figsize=(13, 6), layout="constrained")
    axes = drawn.subplots(2, 4, sharex=True, sharey=True)
    drawn.delaxes(axes.flat[-1])
    for axis, (measure, name) in zip(axes.flat[:-1], MEASURES.items(), strict=True):
        for curve in operator_curves(arms):
            if curve.arms.empty or curve.arms[measure].isna().all():
                continue
            points = pd.concat([uncorrupted, curve.arms]).sort_values("fraction")
            whole = 1 if measure == "changed" else uncorrupted[measure].iloc[0]
            share = points[measure] / whole
            axis.plot(100 * points["fraction"], 100 * share, label=curve.name, **curve.look)
        axis.set_title(name, loc="left", fontsize="medium")
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[-1]:
        axis.set(xlim=(-4, 104), xlabel="corruption rate, % of units")
    axes[0, -1].tick_params(labelbottom=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("of uncorrupted traces, %")
    axes[0, 0].set_ylabel("of all words, or of uncorrupted traces, %")
    handles, labels = drawn.axes[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return drawn


def amounts(found: Iterable[tuple[Path, Mapping[str, Any]]], store: Store) -> pd.DataFrame:
    """How much the corruption of recorded runs changed: one row per arm and its corrupted traces.

    Of older records, which do not say it, what the table beside them says (see
    `ablations.results.recounts`); else the traces are generated again, in `store`, where neither a
    model nor the network is needed, and counted if their units are as many as the run had.

    Args:
        found: records, see `ablations.results.records.records`; the untrained base has no traces.
        store: where artifacts are read and written.

    Returns:
        key, arm, units, damaged, share, changed: NaN in `changed` where it cannot be known here;
        `damaged` then counts units that were drawn, whether they changed or not.
    """
    rows: dict[str, dict[str, Any]] = {}
    for path, record in found:
        corrupted = record["stages"].get(Stage.corrupt.value)
        if corrupted is None or corrupted["key"] in rows:
            continue
        summary = recounted(record, path)["stages"][Stage.corrupt.value]["summary"]
        if "changed" not in summary:
            summary = summary | (_again(record, store) or {"changed": float("nan")})
        run = arm(record["config"])
        named = {"key": corrupted["key"], "arm": arm_name(run), "run": run}
        rows[corrupted["key"]] = named | {name: summary[name] for name in RECOUNTED}
    made = sorted(rows.values(), key=lambda row: place(row["run"]))
    frame = pd.DataFrame(made, columns=["key", "arm", *RECOUNTED])
    return frame.astype({"share": float, "changed": float})


def write_amounts(folder: Path, store: Store) -> int:
    """Write the table of `ablations.results.recounts` beside the older records of a study.

    Returns:
        How many corrupted corpora it has; no table is written where none is known.
    """
    lacking = [(path, record) for path, record in records(folder) if older(record)]
    known = amounts(lacking, store).dropna(subset="changed")
    if len(known):
        known.to_csv(folder / FILE, index=False)
    return len(known)


def sentence(arms: pd.DataFrame) -> str:
    """How unequal equal rates are: what operators leave of a trace at their lowest rate."""
    known = arms[arms["corruption"].ne("none") & arms["steps_left"].notna()]
    if known["corruption"].nunique() < 2:
        return "Fewer than two operators on the same traces: they cannot be compared."
    least = known.loc[known.groupby("corruption")["fraction"].idxmin()].sort_values("steps_left")
    uncorrupted = arms[arms["kind"] == "uncorrupted"].iloc[0]
    lengths = known["characters"] / uncorrupted["characters"]
    fewest, most = least.iloc[0], least.iloc[-1]
    shortest, longest = known.loc[lengths.idxmin(), "arm"], known.loc[lengths.idxmax(), "arm"]
    return (
        "Equal corruption rates are not equal damage. At the lowest rate of each operator between "
        f"{per_cent(fewest['steps_left'], 0)} ({fewest['arm']}) and "
        f"{per_cent(most['steps_left'], 0)} ({most['arm']}) of a trace's steps are unchanged; over "
        f"all rates traces are {per_cent(lengths.min(), 0)} ({shortest}) to "
        f"{per_cent(lengths.max(), 0)} ({longest}) as long as uncorrupted ones."
    )


def _again(record: Mapping[str, Any], store: Store) -> dict[str, Any] | None:
    """The counts of a run's corrupted traces, generated again; None where that cannot be done."""
    config = until_corrupt(recorded_config(record))
    if not _at_hand(config):
        return None
    made = made_of(config, store.produce)[-1].artifact.summary()
    return made if made["units"] == record["stages"]["corrupt"]["summary"]["units"] else None


def _at_hand(config: Config) -> bool:
    """Whether traces can be generated without a model, the network, or code of the user's."""
    sources = [config.teacher, config.dataset]
    if config.filter.contamination:
        sources += [benchmark.dataset for benchmark in config.filter.benchmarks.values()]
    asked = (
        *(config.corruption.asks, config.corruption.source, config.filter.rating),
        *(config.teacher.convert, config.verification.judge, config.verification.reward_model),
        *(source.hub for source in sources),
    )
    paths = [Path(source.path) for source in sources if source.path]
    return config.teacher.kind != "model" and not any(asked) and all(p.exists() for p in paths)


def _arm(config: Config, store: Store) -> dict[str, Any]:
    made = {s.stage: s.artifact for s in made_of(until_corrupt(config), store.produce)}
    before = {trace.id: trace for trace in _traces(made[Stage.select].path)}
    damaged = _traces(made[Stage.corrupt].path)
    counts = pd.DataFrame(_counts(trace, before, config.keywords) for trace in damaged)
    run = arm(asdict(config))
    return {
        "run": run,
        "arm": arm_name(run),
        "kind": kind(run),
        "variant": ", ".join(variant(run)),
        **{name: run[name] for name in ("corruption", "fraction", *SHOWN)},
        "traces": len(counts),
        "damaged_share": made[Stage.corrupt].summary()["share"],
        "changed": made[Stage.corrupt].summary()["changed"],
        **{name: counts[name].mean() for name in MEASURES if name != "changed"},
    }


def _counts(trace: Trace, before: Mapping[str, Trace], keywords: str) -> dict[str, float]:
    text, steps = trace.thought + trace.solution, _steps(trace)
    counts: dict[str, float] = {
        "characters": len(text),
        "steps": len(steps),
        "digits": len(_DIGIT.findall(text)),
        "keywords": count_keywords(text, keywords),
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
