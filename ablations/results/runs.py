"""`run.json` files -> frames: one row per (run, benchmark), one row per evaluated sample."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablations.results.arms import asked_model
from ablations.results.records import records
from ablations.results.responses import responses
from ablations.results.settings import SETTINGS, settings
from distill.stages import Stage

if TYPE_CHECKING:
    from ablations.studies.cells import Cell
    from ablations.studies.plan import Planned

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
    "corruption": ("config", "corruption", "kind"),
    "fraction": ("config", "corruption", "fraction"),
    "mode": ("config", "corruption", "mode"),
    "unit": ("config", "corruption", "unit"),
    "scope": ("config", "corruption", "scope"),
    "steps": ("config", "corruption", "steps"),
    "training_seed": ("config", "training", "seed"),
    "corruption_seed": ("config", "corruption", "seed"),
}
"""Column -> its place in `run.json`; what the run is. A teacher that is a model, or traces on the
hub, goes by that name."""

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
"""Columns of a benchmark's summary, see `distill.evaluation.scores.scores`. What else is there
follows: its diagnostics, and `refused`, the share that a server refused, empty where it refused
none. `seconds_evaluate` is the last."""


def runs(folder: Path) -> pd.DataFrame:
    """The finished runs of a study (`runs/demo`) or of all (`runs`): one row per (run, benchmark).

    Columns: `IDENTITY`, `SETTINGS`, `COUNTS`, `benchmark`, `SCORES`, diagnostics,
    `seconds_evaluate`. A run that ended before `evaluate` is one row without benchmark and scores.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: a record is broken; names the file. It is never left out.
    """
    return frame(records(folder))


def frame(found: Iterable[tuple[Path, Mapping[str, Any]]]) -> pd.DataFrame:
    """Records, each with the path that errors name, in the columns of `runs`."""
    rows = [row for path, record in found for row in _rows(record, path)]
    return pd.DataFrame(rows, columns=None if rows else _columns())


def planned_runs(planned: "Iterable[Planned]") -> pd.DataFrame:
    """The cells of a study in the columns of `runs`, without counts and scores."""
    rows = [row for one in planned for row in _rows(one.record(), one.folder)]
    return pd.DataFrame(rows, columns=None if rows else _columns())


def asked_runs(cells: "Iterable[Cell]") -> pd.DataFrame:
    """The same of cells whose identity nobody needs: `cell` is empty."""
    rows: list[dict[str, Any]] = []
    for cell in cells:
        config = asdict(cell.config)
        record = {"cell": None, "label": cell.label, "study": config["study"], "config": config}
        scores = dict.fromkeys(cell.config.evaluation.benchmarks)
        rows += _rows(record | {"stages": {}, "scores": scores, "commit": None}, Path(cell.label))
    return pd.DataFrame(rows, columns=None if rows else _columns())


def samples(folder: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The responses in `runs(folder)`: one row per (run, benchmark, problem, sample).

    Args:
        folder: as for `runs`.
        columns: of `distill.evaluation.scores.COLUMNS` or a diagnostic;
        `ablations.results.responses.KEPT` come in any
            case. None: all that there are.

    Returns:
        These columns, and of the run `cell`, `benchmark` and all of `IDENTITY` and `SETTINGS` that
        tell arms and seeds apart. A diagnostic that a benchmark has not is empty in its rows.

    Raises:
        ValueError: the rows are gone, cannot be read, or are not those that the record's score was
            computed from; names the file.
    """
    import pyarrow

    tables, identities = [], []
    for path, record in records(folder):
        identity = _identity(record, path)
        for benchmark in record["scores"]:
            tables.append(responses(path, record, benchmark, columns))
            known = settings(record["config"], benchmark)
            identities.append(identity | known | {"benchmark": benchmark})
    if not tables:
        return pd.DataFrame()
    made = pyarrow.concat_tables(tables, promote_options="default").to_pandas()
    places = np.repeat(np.arange(len(tables)), [len(rows) for rows in tables])
    told = pd.DataFrame(identities).take(places).reset_index(drop=True)
    return pd.concat([made.drop(columns=[c for c in told if c in made]), told], axis=1)


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
        known = settings(record["config"], benchmark)
        seconds = {"seconds_evaluate": stage["seconds"] if stage else None}
        yield identity | known | counts | {"benchmark": benchmark} | scores | seconds


def _identity(record: Mapping[str, Any], path: Path) -> dict[str, Any]:
    made = {name: _at(record, place, path) for name, place in IDENTITY.items()}
    teacher = record["config"]["teacher"]
    named = teacher.get("model") or teacher.get("hub") or made["teacher"]
    return made | {"teacher": named, "asked": asked_model(record["config"]["corruption"])}


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


def _columns() -> list[str]:
    return [*IDENTITY, "asked", *SETTINGS, *COUNTS, "benchmark", *SCORES, "seconds_evaluate"]
