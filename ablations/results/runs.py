"""Reads `run.json` files into frames: one row per (run, benchmark), or per evaluated sample."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablations.results.arms import SHOWN, asked_model, refers, teacher_name
from ablations.results.records import records, references_of
from ablations.results.recounts import older, recounted
from ablations.results.responses import responses
from ablations.results.settings import SETTINGS, settings, unprompted
from distill.corruptions.declare import FIELDS
from distill.stages import Stage

if TYPE_CHECKING:
    from ablations.studies.cells import Cell
    from ablations.studies.plan import Planned

IDENTITY = {
    "cell": "cell",
    "label": "label",
    "study": "study.name",
    "commit": "commit",
    "teacher": "config.teacher.name",
    "dataset": "config.dataset.name",
    "size": "config.size.traces",
    "student": "config.student.name",
    "training": "config.training.name",
    "method": "config.training.method",
    "prompt": "config.prompt.name",
    "corruption": "config.corruption.kind",
    **{n: f"config.corruption.{n}" for n in ("fraction", *FIELDS, "source", *SHOWN)},
    "training_seed": "config.training.seed",
    "corruption_seed": "config.corruption.seed",
}
"""Column -> its field in `run.json`; they tell which run it is. If the teacher is a model or a data
set on the hub, `teacher` is the name of that; `size` counts the traces of a mixture's parts."""

COUNTS = {
    "units": "corrupt.summary.units",
    "damaged": "corrupt.summary.damaged",
    "damaged_share": "corrupt.summary.share",
    "changed": "corrupt.summary.changed",
    "rows": "train.summary.rows",
    "dropped": "train.summary.dropped",
} | {f"seconds_{s}": f"{s.value}.seconds" for s in Stage if s is not Stage.evaluate}
"""Column -> its field below `stages` in `run.json`; empty for runs without that stage. `damaged` of
the `units` in the selected traces were corrupted, which `changed` this share of the words of a
trace (see `distill.corruptions.changed.changed`); the student was trained on `rows` traces, and
`dropped` were too long in at least one arm, or are not given back by the student's tokenizer."""

SCORES = (
    *("problems", "samples", "accuracy", "low", "high", "standard_error"),
    *("truncated", "unclosed", "undecided", "tokens", "keywords"),
    *("accuracy_boxed", "unread"),
)
"""Columns of a benchmark's summary, see `distill.evaluation.scores.scores`. Other fields of it
follow: diagnostics, and `refused`, the share of requests that a server refused, if any.
`seconds_evaluate` is the last column."""

NEWER = ("accuracy_boxed", "unread", "changed")
"""Of `SCORES` and `COUNTS`, those that older records do not have; empty there. They counted as
damaged what was drawn, changed or not. `changed.csv` beside the records has both of what they were
trained on, where it could be counted again (`ablations.results.recounts`)."""


def runs(folder: Path) -> pd.DataFrame:
    """The finished runs of a study (`runs/demo`) or of all (`runs`): one row per (run, benchmark).

    Columns: `IDENTITY`, `asked`, `refers` (`ablations.results.arms.refers`), `SETTINGS`,
    `unprompted_setting` (`ablations.results.settings.unprompted`), `COUNTS`, `benchmark`, `SCORES`,
    diagnostics, `seconds_evaluate`. A run that ended before `evaluate` is one row without benchmark
    and scores.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: a record is broken; names the file. No record is skipped.
    """
    return frame(records(folder))


def frame(found: Iterable[tuple[Path, Mapping[str, Any]]]) -> pd.DataFrame:
    """Records in the columns of `runs`; each comes with the path that errors name."""
    rows = [row for path, record in found for row in _rows(record, path)]
    names = [*IDENTITY, "asked", "refers", *SETTINGS, "unprompted_setting", *COUNTS]
    names += ["benchmark", *SCORES, "seconds_evaluate"]
    return pd.DataFrame(rows, columns=None if rows else names)


def planned_runs(planned: "Iterable[Planned]") -> pd.DataFrame:
    """Planned runs in the columns of `runs`, without counts and scores."""
    return frame((one.folder, one.cell.record(one.key)) for one in planned)


def asked_runs(cells: "Iterable[Cell]") -> pd.DataFrame:
    """Runs that a study asks for in the same columns; `cell` is empty, since no key is computed."""
    return frame((Path(cell.label), cell.record(None)) for cell in cells)


def samples(folder: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The responses in `runs(folder)`: one row per (run, benchmark, problem, sample).

    Args:
        folder: as for `runs`.
        columns: of `distill.evaluation.scores.COLUMNS`, or diagnostics;
            `ablations.results.responses.KEPT` are always included. None: all.

    Returns:
        These columns, `benchmark`, and of the run all of `IDENTITY` and `SETTINGS`. A diagnostic
        that a benchmark does not have is empty in its rows.

    Raises:
        ValueError: see `ablations.results.responses.responses`.
    """
    return sample_rows(records(folder), columns)


def sample_rows(
    found: Iterable[tuple[Path, dict[str, Any]]], columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """The same of records, each with its path."""
    import pyarrow

    tables, identities = [], []
    for path, record in found:
        identity = _identity(record, path)
        for benchmark in record["scores"]:
            tables.append(responses(path, record, benchmark, columns))
            setting = settings(record["config"], benchmark, references_of(record))
            identities.append(identity | setting | {"benchmark": benchmark})
    if not tables:
        return pd.DataFrame()
    made = pyarrow.concat_tables(tables, promote_options="default").to_pandas()
    places = np.repeat(np.arange(len(tables)), [len(rows) for rows in tables])
    known = pd.DataFrame(identities).take(places).reset_index(drop=True)
    return pd.concat([made.drop(columns=[c for c in known if c in made]), known], axis=1)


def _rows(record: Mapping[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    identity = _identity(record, path)
    made = record["stages"]
    recount = recounted(record, path)
    lacking = NEWER if older(recount) else ()
    counts = {
        name: _at(recount, f"stages.{field}", path)
        if field.split(".")[0] in made and name not in lacking
        else None
        for name, field in COUNTS.items()
    }
    for benchmark, stage in (record["scores"] or {None: None}).items():
        scores: dict[str, Any] = dict.fromkeys(SCORES)
        if stage is not None:
            missing = [name for name in SCORES if name not in (*stage["summary"], *NEWER)]
            if missing:
                names = ", ".join(missing)
                raise ValueError(f"{path} has no {names} in scores.{benchmark}.summary")
            scores |= stage["summary"]
        asked = record["config"], benchmark, references_of(record)
        known: dict[str, Any] = {**settings(*asked), "unprompted_setting": unprompted(*asked)}
        seconds = {"seconds_evaluate": stage["seconds"] if stage else None}
        yield identity | known | counts | {"benchmark": benchmark} | scores | seconds


def _identity(record: Mapping[str, Any], path: Path) -> dict[str, Any]:
    made = {name: _at(record, field, path) for name, field in IDENTITY.items()}
    named = {
        "teacher": teacher_name(record["config"]),
        "asked": asked_model(record["config"]["corruption"]),
        "refers": refers(references_of(record)),
    }
    parts = [one["config"] for at, one in references_of(record).items() if at.startswith("mix.")]
    made["size"] += sum(part["size"]["traces"] for part in parts)
    return made | named


def _at(record: Mapping[str, Any], field: str, path: Path) -> Any:
    """The value at a dotted field of a record; raises ValueError with the record's path."""
    try:
        return reduce(getitem, field.split("."), record)
    except (KeyError, TypeError):
        raise ValueError(f"{path} has no {field}; it is no record of this version") from None
