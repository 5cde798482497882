"""Lists what produced the numbers of a study: commands, versions, configs, costs and failures."""

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ablations.findings.study import Request
from ablations.papers.tables import PAPERS, tables_of
from ablations.render.grid import ABSENT, Grid
from ablations.results.arms import arm, arm_name, place
from ablations.results.records import references_of
from ablations.studies.cells import SINGLE
from ablations.studies.chain import WITHIN
from ablations.studies.plan import short
from distill.run.record import FAILED, percent, read, scores, words_of
from distill.stages import Stage

Records = Sequence[Mapping[str, Any]]
"""`run.json` files."""


def command(study: str, label: str) -> str:
    """The command that makes one run of a study; what a shell would take for its own is quoted."""
    named = [] if study == SINGLE else [f"study={study}", "hydra.mode=RUN"]
    words = [shlex.quote(word) if "$" in word else word for word in words_of(label)]
    return " ".join(["python -m distill", *named, *words])


def commands(asked: Request) -> list[str]:
    """The commands that print the report and the tables of the same runs."""
    folder = ["--runs", asked.folder.as_posix()] if asked.folder else []
    papers = {
        name: "" if PAPERS[name][1] == asked.study else f" --study {asked.study}"
        for name in tables_of(asked.study)
    }
    tables = dict.fromkeys(f"table {name}{of}" for name, of in ({asked.study: ""} | papers).items())
    made = (f"report {asked.study}", *tables)
    return [" ".join(["python -m ablations", what, *asked.overrides, *folder]) for what in made]


def costs(records: Records) -> Grid:
    """Wall time and tokens by stage; an artifact that several runs share counts once.

    Imported responses have no wall time.
    """
    made: dict[str, dict[str, tuple[float, float]]] = {stage.value: {} for stage in Stage}
    for record in records:
        for stage, one in record["stages"].items():
            made[stage][one["key"]] = (one["seconds"], one["summary"].get("tokens", 0))
        for one in record["scores"].values():
            summary = one["summary"]
            responses = summary["problems"] * summary["samples"] * (1 - summary.get("refused", 0))
            tokens = responses * (summary["tokens"] or 0)
            made[Stage.evaluate.value][one["key"]] = (one["seconds"] or 0.0, tokens)
    rows = [
        _cost(stage, list(artifacts.values())) for stage, artifacts in made.items() if artifacts
    ]
    rows.append(_cost("all", [cost for artifacts in made.values() for cost in artifacts.values()]))
    header = ("stage", "artifacts", "wall time, h:mm:ss", "longest", "tokens")
    return Grid("Cost by stage, each artifact counted once", header, rows)


def versions(records: Records) -> list[str]:
    """`library version` lines; several versions if the runs differ."""
    found: dict[str, set[str]] = {}
    for record in records:
        for stage in [*record["stages"].values(), *record["scores"].values()]:
            for library, version in stage["versions"].items():
                found.setdefault(library, set()).add(str(version))
    commits = {record["commit"] or "none recorded" for record in records}
    lines = [f"{library} {', '.join(sorted(found[library]))}" for library in sorted(found)]
    return [*lines, f"commit of this repository: {', '.join(sorted(commits))}"] if records else []


def configs(records: Records) -> tuple[list[str], Grid]:
    """The configs of one run or more: the value of each field that most have, and the exceptions.

    Returns:
        usual: `field: value` lines, the most frequent value of each field.
        runs: one row per run, by student and in the order of the tables, with its scores, the
            command that makes it, and the fields in which it differs from `usual`.
    """
    written = partial(json.dumps, ensure_ascii=False, sort_keys=True)
    flat = [{name: written(leaf) for name, leaf in _leaves(one["config"])} for one in records]
    names = dict.fromkeys(name for one in flat for name in one if not name.startswith("study."))
    usual = {
        name: Counter(one.get(name, ABSENT) for one in flat).most_common(1)[0][0] for name in names
    }
    rows = []
    arms = [arm(record["config"]) for record in records]
    order = sorted(range(len(flat)), key=lambda at: (arms[at]["student"], place(arms[at]), at))
    for at in order:
        record, one = records[at], flat[at]
        own = {name: one.get(name, ABSENT) for name in names}
        fields = [f"{name}: {value}" for name, value in own.items() if value != usual[name]]
        found = "; ".join(f"{name} {percent(s)}" for name, s in scores(dict(record)).items())
        line = command(record["study"]["name"], record["label"])
        name = f"{arm_name(arms[at])}, {arms[at]['student']}, {short(record['cell'])}"
        rows.append([name, found or "not scored", line, "; ".join(fields)])
    lines = [f"{name}: {value}" for name, value in usual.items() if value != ABSENT]
    return lines, Grid("Runs", ("run", "score [95 %]", "command", "differs in"), rows)


def references(records: Records) -> Grid | None:
    """The runs that runs refer to, each artifact once; None if no run refers to another.

    One row per artifact that a reference stands for: the place of the first reference to it, that
    reference, the artifact, and how many of the runs need it.
    """
    first: dict[str, list[str]] = {}
    needed: Counter[str] = Counter()
    for record in records:
        named = list(_referred(references_of(record)))
        needed.update({key for key, *_ in named})
        for key, where, text, stage in named:
            first.setdefault(key, [where, text, f"{stage} {short(key)}"])
    rows = [[*row, str(needed[key])] for key, row in first.items()]
    header = ("place", "reference", "artifact", "runs that need it")
    return Grid("Runs that these runs refer to", header, rows) if rows else None


def failures(folder: Path) -> Grid | None:
    """Runs whose last attempt failed, with the reason; None if there are none.

    Raises:
        ValueError: a file is not JSON; names it.
    """
    found = [read(path) for path in sorted(folder.glob(f"*/{FAILED}"))]
    rows = [[one["label"] or "(defaults)", one["why"]] for one in found]
    return Grid("Failed", ("run", "why"), rows) if rows else None


def _cost(stage: str, spent: Sequence[tuple[float, float]]) -> list[str]:
    seconds, tokens = [cost[0] for cost in spent], sum(cost[1] for cost in spent)
    times = [_time(sum(seconds)), _time(max(seconds, default=0.0))]
    return [stage, f"{len(spent):,}", *times, f"{tokens:,.0f}" if tokens else ""]


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _referred(named: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Key, place, text and stage of every reference, nested ones first."""
    for where, one in named.items():
        yield from _referred(one["references"], f"{above}{where}{WITHIN}")
        yield one["key"], f"{above}{where}", one["text"], one["stage"]


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of every leaf of a config."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
