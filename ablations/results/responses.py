"""Reads the sample rows of a run, and checks that its recorded score was computed from them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.results.records import launched_in
from distill.store.artifacts import verify
from distill.store.identity import RECIPE

if TYPE_CHECKING:
    import pyarrow

KEPT = ("problem_id", "sample", "correct")
"""Columns of every row of `ablations.results.runs.samples`."""

GRADED = (*KEPT, "tokens", "truncated", "keywords")
"""Columns of `samples` without any text."""


def responses(
    path: Path, record: dict[str, Any], benchmark: str, columns: Sequence[str] | None
) -> "pyarrow.Table":
    """One row per (problem, sample) of a run on one of its benchmarks, from the record at `path`.

    `columns` are as in `ablations.results.runs.samples`.

    Raises:
        ValueError: the rows are missing, cannot be read, or are not those that the record's score
            was computed from; names the file.
        ArtifactError: the artifact that holds them was changed since it was made.
    """
    file = _file(path, record, benchmark)
    rows = _read(file, columns)
    _check(rows, record["scores"][benchmark]["summary"], f"{path}: {benchmark} in {file}")
    return rows


def _file(path: Path, record: dict[str, Any], benchmark: str) -> Path:
    """`<benchmark>.parquet` next to a collected record, else the rows in the run's artifact."""
    collected = path.parent / f"{benchmark}.parquet"
    if collected.is_file():
        return collected
    stage = record["scores"][benchmark]
    file = launched_in(path, record) / stage["path"] / "samples.parquet"
    if (file.parent / RECIPE).is_file():
        verify(file.parent)
    if not file.is_file():
        raise ValueError(
            f"{path} was scored on {file}, which is missing, as is {collected.name} next to the "
            "record; run its study again to make it"
        )
    return file


def _read(file: Path, columns: Sequence[str] | None) -> "pyarrow.Table":
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(file, memory_map=True, pre_buffer=False) as opened:
            there = opened.schema_arrow.names
            missing = [name for name in KEPT if name not in there]
            if missing:
                raise ValueError(f"it has no column {', '.join(missing)}")
            asked = there if columns is None else {*KEPT, *columns}
            return opened.read([name for name in there if name in asked], use_threads=False)
    except (ArrowException, ValueError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error


def _check(rows: "pyarrow.Table", summary: Mapping[str, Any], name: str) -> None:
    """Raise ValueError if a recorded score was not computed from these rows."""
    from pyarrow import compute

    right = compute.sum(rows["correct"]).as_py() or 0
    asked = summary["problems"] * summary["samples"]
    if right != round(summary["accuracy"] * len(rows)) or len(rows) != asked:
        raise ValueError(
            f"{name}: {right} of {len(rows)} rows are correct, not the recorded "
            f"{summary['accuracy']:.4f} of {asked}"
        )
