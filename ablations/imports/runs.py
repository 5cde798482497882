"""Imports model outputs as runs: re-grades them and keeps the original verdicts next to ours."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from ablations.imports import outputs
from ablations.imports.outputs import Foreign
from ablations.render.grid import Grid, markdown
from ablations.render.wording import interval
from ablations.results.records import records
from ablations.results.responses import responses
from ablations.studies.cells import Cell, Studies
from distill.compute import ComputeConfig
from distill.config import Config, StudyConfig
from distill.data.config import BenchmarkConfig, DatasetConfig
from distill.evaluation import evaluate
from distill.evaluation.intervals import run_interval
from distill.evaluation.scores import scores, warning, write_samples
from distill.grading import grade
from distill.models.prompt import parse_foreign
from distill.run.compose import CONF
from distill.run.record import RUN, commit, read_record
from distill.store.artifacts import write_json
from distill.store.identity import canonical_json, content_hash
from distill.trace.records import Problem

log = logging.getLogger(__name__)

THEIRS = "their_correct"
"""Column of the sample rows and field of a score's summary: the verdict in the imported file."""

KINDS = ("math", "choice", "countdown", "sign_puzzle")
"""Kinds of problems that can be graded from question and answer alone."""

NOTE = (
    "Per cent correct, with our 95 % interval clustered by problem; boxed: ours if only answers in "
    "a box or another mark count. only ours, only theirs: "
    "responses that one grader calls correct and the other does not; undecided: by ours."
)


@dataclass(frozen=True)
class Request:
    """Which file to import, and how to read it."""

    file: Path
    run: str
    """Name of the run, or `@COLUMN` that holds it."""

    benchmark: str
    """Name of the benchmark, or `@COLUMN` that holds it."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """See `ablations.imports.outputs.read`."""

    form: str = "json_lines"
    kind: str = "math"
    prompt: str = "plain"
    """In `conf/prompt/`: where a thought begins and ends."""

    study: str = "imported"
    runs: Path = Path("runs")
    overrides: Sequence[str] = ()
    """How the students were trained, as for `python -m distill`; empty: not at all."""


def import_file(asked: Request, compute: ComputeConfig | None = None) -> pd.DataFrame:
    """Re-grade every response in the file, and write `run.json` and sample rows of every run.

    A run's folder is `<runs>/<study>/<16 digits>`; its key is the hash of the file, of how it was
    read, of its benchmarks and of the grader. Rejected rows go to `<runs>/<study>/rejected.jsonl`.
    Counts of tokens and truncated responses are empty unless the file has them.

    Args:
        asked: the file, and how to read it.
        compute: workers of the grader; None: those of the default config.

    Returns:
        One row per (run, benchmark): `run`, `benchmark`, `problems`, `samples`; shares `ours`,
        `low`, `high`, `boxed` (if only marked answers count; NaN in older records), `theirs` (NaN
        without verdicts); counts of responses called correct by
        `both`, `only_ours` or `only_theirs`, and `undecided` by ours; and `folder`.

    Raises:
        ValueError: as `ablations.imports.outputs.read`; an unknown kind; a benchmark's name that
            cannot name a file; or problems with unequal numbers of samples.
    """
    if asked.kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {asked.kind!r}")
    if asked.prompt not in (known := sorted(one.stem for one in (CONF / "prompt").glob("*.yaml"))):
        raise ValueError(f"no prompt {asked.prompt!r}; known: {', '.join(known)}")
    setting = ("training=none", "tracking=none", f"prompt={asked.prompt}", *asked.overrides)
    config = Studies().one(setting).config
    out = asked.runs / StudyConfig(asked.study).name
    read = outputs.read(asked.file, asked.form, asked.run, asked.benchmark, asked.columns, out)
    groups: dict[str, dict[str, list[Foreign]]] = {}
    for row in read:
        groups.setdefault(row.run, {}).setdefault(row.benchmark, []).append(row)
    graded = _graded(read, asked.kind, config, compute or config.compute)
    found = []
    for run, benchmarks in groups.items():
        tables = {name: [graded[id(row)] for row in rows] for name, rows in benchmarks.items()}
        path = _write(asked, config, run, tables) / RUN
        found.append((path, read_record(path)))
    return _compared(found)


def imported(folder: Path) -> pd.DataFrame | None:
    """The frame of `import_file` for the imported runs in a folder; None if there are none."""
    there = records(folder) if folder.is_dir() else ()
    found = [(path, record) for path, record in there if "imported" in record]
    return _compared(found) if found else None


def text(compared: pd.DataFrame) -> str:
    """The frame of `import_file` as a Markdown table."""
    return markdown([grid(compared)], NOTE)


def grid(compared: pd.DataFrame) -> Grid:
    """The frame of `import_file` as a table, to be followed by `NOTE`."""
    header = ("run", "benchmark", "n", "ours [95 %]", "boxed", "theirs", "difference", "only ours")
    rows = []
    for _, row in compared.iterrows():
        names = [row["run"], row["benchmark"], f"{row['problems']}×{row['samples']}"]
        ours = [interval(row["ours"], row["low"], row["high"])]
        ours.append(interval(row["boxed"]))
        theirs = ["", ""]
        if pd.notna(row["theirs"]):
            theirs = [f"{100 * row['theirs']:.1f}", f"{100 * (row['ours'] - row['theirs']):+.1f}"]
        counts = [str(row[name]) for name in ("only_ours", "only_theirs", "undecided")]
        rows.append([*names, *ours, *theirs, *counts])
    return Grid("Ours and theirs", (*header, "only theirs", "undecided"), rows)


def _graded(
    read: Sequence[Foreign], kind: str, config: Config, compute: ComputeConfig
) -> dict[int, dict[str, Any]]:
    """Graded sample rows as `evaluate` writes them, by the `id()` of the response in `read`."""
    parsed = [parse_foreign(config.prompt, row.response) for row in read]
    problems = [Problem.of(row.question, row.answer, kind, row.benchmark) for row in read]
    seen: Counter[tuple[str, ...]] = Counter()
    rows = []
    for row, problem in zip(read, problems, strict=True):
        place = (row.run, row.benchmark, problem.id)
        verdict = None if row.verdict is None else float(row.verdict)
        made = {"problem_id": problem.id, "sample": seen[place], "response": row.response}
        rows.append(made | {"tokens": row.tokens, "truncated": row.truncated, THEIRS: verdict})
        seen[place] += 1
    graded = evaluate.graded(problems, parsed, rows, config.grading, compute, config.keywords)
    return {id(row): one for row, one in zip(read, graded, strict=True)}


def _write(
    asked: Request, config: Config, run: str, tables: Mapping[str, list[dict[str, Any]]]
) -> Path:
    """Write the record and the sample rows of one run; returns its folder."""
    if nameless := [name for name in tables if "/" in name]:
        raise ValueError(f"benchmark {nameless[0]!r} cannot name a file; name it with --benchmark")
    origin = {
        "file": asked.file.name,
        "sha256": content_hash(asked.file),
        "format": asked.form,
        "columns": dict(asked.columns),
        "kind": asked.kind,
    }
    how = {"prompt": asdict(config.prompt), "overrides": list(asked.overrides)}
    identity = [run, sorted(tables), origin, how, grade.pins()]
    key = sha256(canonical_json(identity).encode()).hexdigest()
    summaries = {name: _summary(rows, f"{run}, {name}") for name, rows in tables.items()}
    for name, rows in tables.items():
        if told := warning(rows, config.grading.fallback):
            log.warning("%s, %s: %s", run, name, told)
    benchmarks = {
        name: BenchmarkConfig(DatasetConfig(name=name), samples=summary["samples"])
        for name, summary in summaries.items()
    }
    config = replace(
        config,
        student=replace(config.student, name=run, model=run),
        evaluation=replace(config.evaluation, name="imported", benchmarks=benchmarks),
        study=StudyConfig(asked.study),
        runs=asked.runs.as_posix(),
    )
    folder = asked.runs / asked.study / key[:16]
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        write_samples(folder / f"{name}.parquet", rows)
    made: dict[str, Any] = {"key": key, "path": "", "seconds": None, "how": {}, "versions": {}}
    results = {name: made | {"summary": summary} for name, summary in summaries.items()}
    known = {"scores": results, "commit": commit(), "imported": origin}
    write_json(folder / RUN, Cell(run, (), config).record(key) | known)
    return folder


def _summary(rows: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    """As `distill.evaluation.scores.scores`; what the file does not report is None."""
    counts = pd.Series([row["problem_id"] for row in rows]).value_counts()
    if counts.nunique() > 1:
        uneven = counts.idxmax()
        question = next(row["question"] for row in rows if row["problem_id"] == uneven)
        raise ValueError(
            f"{name}: {counts.max()} responses to {question[:60]!r}, {counts.min()} to others; "
            "every problem needs the same number"
        )
    unreported = [k for k in ("tokens", "truncated") if any(row[k] is None for row in rows)]
    return scores(rows) | dict.fromkeys(unreported)


def _compared(found: Sequence[tuple[Path, dict[str, Any]]]) -> pd.DataFrame:
    scored = ((path, record, name) for path, record in found for name in record["scores"])
    return pd.DataFrame([_compare(*one) for one in scored])


def _compare(path: Path, record: dict[str, Any], benchmark: str) -> dict[str, Any]:
    scored = record["scores"][benchmark]["summary"]
    rows = responses(path, record, benchmark, [THEIRS]).to_pylist()
    pairs = [(row["correct"], row[THEIRS]) for row in rows if row[THEIRS] is not None]
    low, high = run_interval(scored)
    return {
        "run": record["label"],
        "benchmark": benchmark,
        "problems": scored["problems"],
        "samples": scored["samples"],
        "ours": scored["accuracy"],
        "low": low,
        "high": high,
        "boxed": scored.get("accuracy_boxed"),
        "theirs": scored[THEIRS],
        "both": sum(ours is True and theirs == 1 for ours, theirs in pairs),
        "only_ours": sum(ours is True and theirs == 0 for ours, theirs in pairs),
        "only_theirs": sum(ours is not True and theirs == 1 for ours, theirs in pairs),
        "undecided": sum(row["correct"] is None for row in rows),
        "folder": path.parent.as_posix(),
    }
