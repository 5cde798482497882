"""Read the rows of a local file or of a data set on the hub, each with its place."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from distill.data.columns import RowError
from distill.data.config import SourceConfig
from distill.models import hub
from distill.store.identity import local_path
from distill.trace.records import read_rows, write_any

Row = dict[str, Any]
Placed = tuple[str, Row]
"""Place of a row (`file:line`, `file:row` or `hub@commit:row`, from 1, without folder), and it."""

REJECTED = "rejected.jsonl"
"""File of a stage that names the input rows it does not use: `place` and `why`."""

PARQUET = "refs/convert/parquet"
"""Branch on which the hub keeps data sets as Parquet, one folder per subset: the way to read those
with a loading script, which `datasets` >= 4 does not run."""

_SHOWN = 5

T = TypeVar("T")


@dataclass(frozen=True)
class Rejected:
    """An input row that is not used: its place (see `Placed`) and the reason."""

    place: str
    why: str


def pins(source: SourceConfig) -> dict[str, Any]:
    """The commit of a data set on the hub; a local file is identified by its content.

    Raises:
        OSError: the hub does not say: no network, no such data set, or no access to it.
    """
    return {"commit": commit(source)} if source.hub else {}


def commit(source: SourceConfig) -> str:
    """The commit that `source.revision` stands for; looked up in the hub's cache here first."""
    return hub.commit("dataset", source.hub or "", source.revision)


def rows(source: SourceConfig) -> Iterator[Placed | Rejected]:
    """Rows that pass `source.where`, in order, read lazily.

    `source.path` names JSON lines, one JSON array of objects, or Parquet (`.parquet`).

    Yields:
        The place of a row and the row; or why there is none: it is not JSON or no object, or lacks
        a column that `where` names.

    Raises:
        ValueError: neither a path nor a hub id is set.
        FileNotFoundError: there is no such file.
    """
    if not (source.path or source.hub):
        raise ValueError("no rows to read: set path (a local file) or hub (a data set's id)")
    found = _file_rows(source.path) if source.path else _hub_rows(source)
    patterns = {column: re.compile(text) for column, text in source.where.items()}
    for item in found:
        if isinstance(item, Rejected):
            yield item
            continue
        place, row = item
        if absent := [name for name in patterns if name not in row]:
            yield Rejected(place, f"where names {', '.join(absent)}; has {', '.join(row)}")
        elif all(p.search("" if row[n] is None else str(row[n])) for n, p in patterns.items()):
            yield item


def parsed(
    found: Iterable[Placed | Rejected], parse: Callable[[Row], T]
) -> Iterator[tuple[str, T] | Rejected]:
    """What `parse` makes of each row, with its place; rejected where it raises RowError."""
    for item in found:
        if isinstance(item, Rejected):
            yield item
            continue
        place, row = item
        try:
            yield place, parse(row)
        except RowError as error:
            yield Rejected(place, str(error))


def report_rejected(
    rejected: Sequence[Rejected], total: int, source: SourceConfig, out: Path
) -> None:
    """Write the rejected rows to `out/rejected.jsonl`; no file if there are none.

    Raises:
        ValueError: more than `source.max_rejected` of the `total` rows read, rejected ones
            included; names the first places and reasons.
    """
    write_any(out / REJECTED, [asdict(row) for row in rejected])
    limit_rejected(total, source, out)


def limit_rejected(total: int, source: SourceConfig, out: Path) -> None:
    """Stop where too many of the `total` rows are rejected, when read and whenever they are used.

    Raises:
        ValueError: see `report_rejected`.
    """
    file = out / REJECTED
    rejected = [Rejected(**row) for row in read_rows(file)] if file.exists() else []
    if len(rejected) > source.max_rejected * total:
        first = "; ".join(f"{row.place}: {row.why}" for row in rejected[:_SHOWN])
        raise ValueError(
            f"{len(rejected)} of {total} rows are rejected, more than max_rejected="
            f"{source.max_rejected} allows; where fields are in columns of other names, "
            f"columns={{FIELD: COLUMN}} says so. {first}"
        )


def _file_rows(name: str) -> Iterator[Placed | Rejected]:
    path = local_path(name)
    if path is None or not path.is_file():
        raise FileNotFoundError(f"there is no file {name!r}, seen from here or from the checkout")
    if path.suffix == ".parquet":
        return _parquet_rows(path)
    return _array_rows(path) if _first_character(path) == "[" else _line_rows(path)


def _line_rows(path: Path) -> Iterator[Placed | Rejected]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _object(line, f"{path.name}:{number}")


def _array_rows(path: Path) -> Iterator[Placed | Rejected]:
    try:
        items = json.loads(path.read_bytes().decode("utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path.name} begins like a JSON array but is not one: {error}") from error
    for number, item in enumerate(items, 1):
        place = f"{path.name}:{number}"
        yield (place, item) if isinstance(item, dict) else Rejected(place, "not an object")


def _parquet_rows(path: Path) -> Iterator[Placed | Rejected]:
    import pyarrow.parquet

    number = 0
    for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=1024):
        for row in batch.to_pylist():
            number += 1
            yield f"{path.name}:{number}", row


def _hub_rows(source: SourceConfig) -> Iterator[Placed | Rejected]:
    from datasets import load_dataset

    version = commit(source)
    part = {"data_dir" if source.revision == PARQUET else "name": source.subset}
    made = load_dataset(source.hub, split=source.split, revision=version, **part)
    for number, row in enumerate(made, 1):
        yield f"{source.hub}@{version}:{number}", dict(row)


def _object(line: bytes, place: str) -> Placed | Rejected:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return Rejected(place, f"not JSON: {error}")
    return (place, row) if isinstance(row, dict) else Rejected(place, "not an object")


def _first_character(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4096).decode("utf-8-sig", errors="replace")
    return head.lstrip()[:1]
