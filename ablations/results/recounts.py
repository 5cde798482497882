"""Reads counts of corrupted traces that older records lack, from a table beside the records."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

FILE = "changed.csv"
"""Table in the folder of a study's records; `python -m ablations collect` writes it."""

COUNTED = ("units", "damaged", "share", "changed")
"""Its columns besides `key`, that of the corrupted traces, and `arm`: `distill.corruptions.tally`
says what they count."""


def older(record: Mapping[str, Any]) -> bool:
    """Whether a run counted drawn units as damaged, changed or not, and no `changed`."""
    corrupted = record["stages"].get("corrupt")
    return corrupted is not None and "changed" not in corrupted["summary"]


def recounted(record: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """An older record, read from `path`, with the counts of `FILE`, where that has its traces.

    Raises:
        ValueError: the table lacks a column, or counts other units than the run did.
    """
    if not older(record):
        return record
    file = path.absolute().parents[1] / FILE
    if not file.is_file():
        return record
    corrupted = record["stages"]["corrupt"]
    made = _read(file, file.stat().st_mtime_ns).get(corrupted.get("key"))
    if made is None:
        return record
    if made["units"] != corrupted["summary"]["units"]:
        raise ValueError(
            f"{file} counts {made['units']:.0f} units of {path}, which recorded "
            f"{corrupted['summary']['units']}; delete it and collect the study again"
        )
    corrupted = corrupted | {"summary": corrupted["summary"] | made}
    return {**record, "stages": record["stages"] | {"corrupt": corrupted}}


@cache
def _read(file: Path, modified: int) -> dict[str, dict[str, float]]:
    table = pd.read_csv(file)
    missing = [name for name in ("key", *COUNTED) if name not in table]
    if missing:
        raise ValueError(f"{file} has no column {', '.join(missing)}")
    keys, rows = table["key"], table[[*COUNTED]].astype(object).to_dict("records")
    return {key: {str(n): v for n, v in row.items()} for key, row in zip(keys, rows, strict=True)}
