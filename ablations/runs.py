"""`run.json` files -> frames: one row per (run, benchmark), one row per evaluated sample."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablations.records import launched_in, records
from distill.config import Stage
from distill.store import canonical_json
from distill.trace import digest

if TYPE_CHECKING:
    from ablations.plan import Planned

IDENTITY = {
    "cell": ("cell",),
    "label": ("label",),
    "study": ("study", "name"),
    "commit": ("commit",),
    "teacher": ("config", "teacher", "name"),
    "dataset": ("config", "dataset", "name"),
    "size": ("config", "size", "traces"),
    "student": ("config", "student", "name"),
    "training": ("config", "training", "name"),
    "method": ("config", "training", "method"),
    "corruption": ("config", "corruption", "name"),
    "fraction": ("config", "corruption", "fraction"),
    "mode": ("config", "corruption", "mode"),
    "unit": ("config", "corruption", "unit"),
    "scope": ("config", "corruption", "scope"),
    "steps": ("config", "corruption", "steps"),
    "training_seed": ("config", "training", "seed"),
    "corruption_seed": ("config", "corruption", "seed"),
}
"""Column -> its place in `run.json`; what the run is."""

COUNTS = {
    "units": ("stages", "corrupt", "summary", "units"),
    "damaged": ("stages", "corrupt", "summary", "damaged"),
    "damaged_share": ("stages", "corrupt", "summary", "share"),
    "rows": ("stages", "train", "summary", "rows"),
    "dropped": ("stages", "train", "summary", "dropped"),
} | {f"seconds_{s}": ("stages", s.value, "seconds") for s in Stage if s is not Stage.evaluate}
"""Column -> its place in `run.json`; empty for runs without that stage. `units` could be damaged,
`damaged` were, in the traces selected; `rows` were trained on, `dropped` were too long in some
arm."""

SCORES = (
    *("problems", "samples", "accuracy", "low", "high", "standard_error"),
    *("truncated", "unclosed", "undecided", "tokens", "keywords"),
)
"""Columns of a benchmark's summary, see `distill.evaluate.scores`; what else is there are its
diagnostics, each a column after these. `seconds_evaluate` is the last."""

SETTINGS = ("training_setting", "evaluation_setting")
"""Hashes of what a run was trained and scored with, besides its arm and its seeds: arms are
compared only where these are equal. The untrained student has no `training_setting`."""

ARM = ("corruption", "fraction", "mode", "unit", "scope", "steps")
"""What an arm is."""


def runs(folder: Path) -> pd.DataFrame:
    """The finished runs of a study (`runs/demo`) or of all (`runs`): one row per (run, benchmark).

    Columns: `IDENTITY`, `SETTINGS`, `COUNTS`, `benchmark`, `SCORES`, diagnostics,
    `seconds_evaluate`. A run that ended before `evaluate` is one row without benchmark and scores.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: a record is broken; names the file. It is never left out.
    """
    rows = [row for path, record in records(folder) for row in _rows(record, path)]
    return pd.DataFrame(rows, columns=None if rows else _columns())


def planned_runs(planned: "Iterable[Planned]") -> pd.DataFrame:
    """The cells of a study in the columns of `runs`, without counts and scores."""
    rows = [row for one in planned for row in _rows(one.record(), one.folder)]
    return pd.DataFrame(rows, columns=None if rows else _columns())


def samples(folder: Path) -> pd.DataFrame:
    """The responses in `runs(folder)`: one row per (run, benchmark, problem, sample).

    Columns: those of `samples.parquet` (see `distill.evaluate`), and of the run `cell`, `benchmark`
    and all of `IDENTITY` and `SETTINGS` that tell arms and seeds apart.

    Raises:
        ValueError: the rows are gone, or are not those that the record's score was computed from.
    """
    frames = []
    for path, record in records(folder):
        identity = _identity(record, path)
        for benchmark, stage in record["scores"].items():
            rows = pd.read_parquet(_rows_file(path, record, stage))
            summary = stage["summary"]
            right = int(rows["correct"].eq(True).sum())
            if right != round(summary["accuracy"] * len(rows)) or len(rows) != _asked(summary):
                raise ValueError(
                    f"{path}: {right} of {len(rows)} rows of {benchmark} in {stage['path']} are "
                    f"right, not the recorded {summary['accuracy']:.4f} of {_asked(summary)}"
                )
            settings = _settings(record, benchmark)
            frames.append(rows.assign(**identity, **settings, benchmark=benchmark))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _rows(record: Mapping[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    identity = _identity(record, path)
    counts = {name: _at(record, place, path, optional=True) for name, place in COUNTS.items()}
    for benchmark, stage in (record["scores"] or {None: None}).items():
        scores: dict[str, Any] = dict.fromkeys(SCORES)
        if stage is not None:
            missing = [name for name in SCORES if name not in stage["summary"]]
            if missing:
                raise ValueError(
                    f"{path} has no {', '.join(missing)} in scores.{benchmark}.summary"
                )
            scores |= stage["summary"]
        settings = _settings(record, benchmark)
        seconds = {"seconds_evaluate": stage["seconds"] if stage else None}
        yield identity | settings | counts | {"benchmark": benchmark} | scores | seconds


def _identity(record: Mapping[str, Any], path: Path) -> dict[str, Any]:
    return {name: _at(record, place, path) for name, place in IDENTITY.items()}


def _at(
    record: Mapping[str, Any], place: tuple[str, ...], path: Path, optional: bool = False
) -> Any:
    value: Any = record
    for depth, name in enumerate(place):
        if optional and depth == 1 and name not in value:
            return None
        if not isinstance(value, Mapping) or name not in value:
            raise ValueError(f"{path} has no {'.'.join(place)}; it is no record of this version")
        value = value[name]
    return value


def _settings(record: Mapping[str, Any], benchmark: str | None) -> dict[str, str | None]:
    """`SETTINGS` of a run."""
    config = record["config"]
    evaluation = config["evaluation"]
    scored = [evaluation["benchmarks"].get(benchmark), evaluation["sampling"], config["engine"]]
    seeded = {name: value for name, value in config["training"].items() if name != "seed"}
    data = [config[name] for name in ("teacher", "dataset", "size", "selection")]
    student = [config["student"], config["prompt"]]
    trained = None
    if config["training"]["method"] != "none":
        trained = digest(canonical_json([*data, *student, seeded]))
    return dict(zip(SETTINGS, (trained, digest(canonical_json([*scored, *student]))), strict=True))


def _rows_file(path: Path, record: dict[str, Any], stage: dict[str, Any]) -> Path:
    """Artifacts are recorded as seen from the folder that the run was launched in."""
    file = launched_in(path, record) / stage["path"] / "samples.parquet"
    if not file.is_file():
        raise ValueError(
            f"{path} was scored on {file}, which is gone; run its study again to have it made"
        )
    return file


def _asked(summary: Mapping[str, Any]) -> int:
    return summary["problems"] * summary["samples"]


def _columns() -> list[str]:
    return [*IDENTITY, *SETTINGS, *COUNTS, "benchmark", *SCORES, "seconds_evaluate"]
