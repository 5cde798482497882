"""A local file or a data set on the hub -> its rows, each with the place it is at."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.data.config import SourceConfig
from distill.models import hub
from distill.store.identity import local_path
from distill.trace.records import write_any

Row = dict[str, Any]
Placed = tuple[str, Row | str]
"""Where a row is, and the row; or why there is none."""

PARQUET = "refs/convert/parquet"
"""Branch on which the hub keeps data sets as Parquet, a folder for each subset: the way to those
with a loading script, which `datasets` >= 4 refuses."""

_SHOWN = 5


def pins(source: SourceConfig) -> dict[str, Any]:
    """The commit of a data set on the hub; a local file is an identity by its content already.

    Raises:
        OSError: the hub does not tell: no network, no such data set, or no right to see it.
    """
    return {"commit": commit(source)} if source.hub else {}


def commit(source: SourceConfig) -> str:
    """The commit that `source.revision` stands for; looked up in the hub's cache here first."""
    return hub.commit("dataset", source.hub or "", source.revision)


def rows(source: SourceConfig) -> Iterator[Placed]:
    """Rows that pass `source.where`, in order, read as they are asked for.

    Args:
        source: `path` names JSON lines, one JSON array of objects, or Parquet (`.parquet`).

    Yields:
        The place (`file:line`, `file:row` or `hub@commit:row`, from 1, without a folder) and the
        row; or a text: why there is none (no JSON, no object, no column that `where` names).

    Raises:
        ValueError: neither a path nor a hub id is set.
        FileNotFoundError: there is no such file.
    """
    if not (source.path or source.hub):
        raise ValueError(
            "there are no rows to read: set path (a local file) or hub (a data set's id)"
        )
    found = _file_rows(source.path) if source.path else _hub_rows(source)
    patterns = {column: re.compile(text) for column, text in source.where.items()}
    for place, row in found:
        absent = [] if isinstance(row, str) else [name for name in patterns if name not in row]
        if absent:
            yield place, f"where names {', '.join(absent)}; has {', '.join(row)}"
        elif isinstance(row, str) or _passes(row, patterns):
            yield place, row


def set_aside(
    out: Path, rejected: Sequence[tuple[str, str]], total: int, source: SourceConfig
) -> int:
    """Name the unusable rows in `out/rejected.jsonl`; no file if there are none.

    Args:
        out: the stage's folder.
        rejected: place and reason of each.
        total: rows read, usable or not.
        source: whose `max_rejected` is the greatest share allowed.

    Returns:
        How many were unusable.

    Raises:
        ValueError: more than the share allowed; names the first places and reasons.
    """
    write_any(out / "rejected.jsonl", [{"place": place, "why": why} for place, why in rejected])
    if len(rejected) > source.max_rejected * total:
        first = "; ".join(f"{place}: {why}" for place, why in rejected[:_SHOWN])
        raise ValueError(
            f"{len(rejected)} of {total} rows are unusable, more than max_rejected="
            f"{source.max_rejected} allows; fields with other columns are named by "
            f"columns={{FIELD: COLUMN}}. {first}"
        )
    return len(rejected)


def _passes(row: Row, patterns: Mapping[str, re.Pattern[str]]) -> bool:
    values = {name: "" if row[name] is None else str(row[name]) for name in patterns}
    return all(pattern.search(values[name]) for name, pattern in patterns.items())


def _file_rows(name: str) -> Iterator[Placed]:
    path = local_path(name)
    if path is None or not path.is_file():
        raise FileNotFoundError(f"there is no file {name!r}, seen from here or from the checkout")
    if path.suffix == ".parquet":
        return _parquet_rows(path)
    return _array_rows(path) if _first_character(path) == "[" else _line_rows(path)


def _line_rows(path: Path) -> Iterator[Placed]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"{path.name}:{number}", _object(line)


def _array_rows(path: Path) -> Iterator[Placed]:
    try:
        items = json.loads(path.read_bytes().decode("utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path.name} begins as a JSON array and is none: {error}") from error
    for number, item in enumerate(items, 1):
        yield f"{path.name}:{number}", item if isinstance(item, dict) else "not an object"


def _parquet_rows(path: Path) -> Iterator[Placed]:
    import pyarrow.parquet

    number = 0
    for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=1024):
        for row in batch.to_pylist():
            number += 1
            yield f"{path.name}:{number}", row


def _hub_rows(source: SourceConfig) -> Iterator[Placed]:
    from datasets import load_dataset

    version = commit(source)
    part = {"data_dir" if source.revision == PARQUET else "name": source.subset}
    made = load_dataset(source.hub, split=source.split, revision=version, **part)
    for number, row in enumerate(made, 1):
        yield f"{source.hub}@{version}:{number}", dict(row)


def _object(line: bytes) -> Row | str:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return row if isinstance(row, dict) else "not an object"


def _first_character(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4096).decode("utf-8-sig", errors="replace")
    return head.lstrip()[:1]
