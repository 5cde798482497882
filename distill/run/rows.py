"""Sample rows of a run: in the artifact of its scores, or collected next to its record.

A collected run, its record with its rows, is enough to go on with a study where no artifact is.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

KEPT = ("problem_id", "sample", "correct")
"""Columns that are read in any case."""

SAMPLES = "samples.parquet"
"""The rows in an artifact."""


def collected(folder: Path, benchmark: str) -> Path:
    """Where a run's collected rows are, next to `run.json`."""
    return folder / f"{benchmark}.parquet"


def is_collected(folder: Path, record: Mapping[str, Any]) -> bool:
    """Whether a scored run has all its rows next to its record.

    Raises:
        ValueError: they cannot be read, or are not those that the record's scores were computed
            from; names the file.
    """
    files = {name: collected(folder, name) for name in record["scores"]}
    if not files or not all(file.is_file() for file in files.values()):
        return False
    for name, file in files.items():
        check_rows(read_rows(file, KEPT), record["scores"][name]["summary"], f"{name} in {file}")
    return True


def read_rows(file: Path, columns: Sequence[str] | None) -> "pyarrow.Table":
    """One row per (problem, sample), with these columns, as far as they are there; None: all.

    Raises:
        ValueError: the file cannot be read, or lacks one of `KEPT`; names it.
    """
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


def check_rows(rows: "pyarrow.Table", summary: Mapping[str, Any], name: str) -> None:
    """Raise ValueError, which begins with `name`, if a score was not computed from these rows."""
    from pyarrow import compute

    right = compute.sum(rows["correct"]).as_py() or 0
    asked = summary["problems"] * summary["samples"]
    if right != round(summary["accuracy"] * len(rows)) or len(rows) != asked:
        raise ValueError(
            f"{name}: {right} of {len(rows)} rows are correct, not the recorded "
            f"{summary['accuracy']:.4f} of {asked}"
        )
