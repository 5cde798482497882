"""Reads the sample rows of a run, and checks that its recorded score was computed from them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.results.records import launched_in
from distill.run.rows import KEPT, SAMPLES, check_rows, collected, read_rows
from distill.store.artifacts import verify
from distill.store.identity import RECIPE

if TYPE_CHECKING:
    import pyarrow

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
    rows = read_rows(file, columns)
    check_rows(rows, record["scores"][benchmark]["summary"], f"{path}: {benchmark} in {file}")
    return rows


def _file(path: Path, record: dict[str, Any], benchmark: str) -> Path:
    """`<benchmark>.parquet` next to a collected record, else the rows in the run's artifact."""
    kept = collected(path.parent, benchmark)
    if kept.is_file():
        return kept
    stage = record["scores"][benchmark]
    file = launched_in(path, record) / stage["path"] / SAMPLES
    if (file.parent / RECIPE).is_file():
        verify(file.parent)
    if not file.is_file():
        raise ValueError(
            f"{path} was scored on {file}, which is missing, as is {kept.name} next to the "
            "record; run its study again to make it"
        )
    return file
