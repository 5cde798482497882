"""Read the rows of one open file, by its kind: JSON lines or an array, CSV, TSV, Parquet."""

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

Row = dict[str, Any]
Placed = tuple[str, Row]
"""Place of a row (`file:line`, `file:row` or `hub@commit:row`, from 1, without folder), and it."""


@dataclass(frozen=True)
class Rejected:
    """An input row, or one of several responses in it, that is not used."""

    place: str
    """Of the row; see `Placed`."""

    why: str
    """What stands before its first colon is the reason by which rows are counted."""

    response: int | None = None
    """Which response of several, from 1; None: the whole row."""


Found = Iterator[Placed | Rejected]

Rows = Callable[[BinaryIO, str], Found]
"""Reads an open file, which places and errors call by the name."""


def _json_rows(file: BinaryIO, name: str) -> Found:
    """JSON lines; or one array, where that is how the file begins."""
    head = file.read(4096)
    file.seek(0)
    if head.decode("utf-8-sig", errors="replace").lstrip()[:1] == "[":
        yield from _array_rows(file, name)
        return
    for number, line in enumerate(file, 1):
        if line.strip(b" \t\r\n\xef\xbb\xbf"):
            yield _object(line, f"{name}:{number}")


def _object(line: bytes, place: str) -> Placed | Rejected:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return Rejected(place, f"not JSON: {error}")
    return (place, row) if isinstance(row, dict) else Rejected(place, "not an object")


def _array_rows(file: BinaryIO, name: str) -> Found:
    try:
        items = json.loads(file.read().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} begins like a JSON array but is not one: {error}") from error
    for number, item in enumerate(items, 1):
        place = f"{name}:{number}"
        yield (place, item) if isinstance(item, dict) else Rejected(place, "not an object")


TABLES = {".csv": ",", ".tsv": "\t"}
"""Suffix of tables with a header -> what separates their cells."""


def _table_rows(file: BinaryIO, name: str, delimiter: str) -> Found:
    """Rows below a header. Raises ValueError where a quote is never closed, or columns repeat."""
    csv.field_size_limit(sys.maxsize)  # by default a trace of more than 128 KiB is an error
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    lines = csv.reader(text, delimiter=delimiter, strict=True)
    header: list[str] = []
    while True:
        place = f"{name}:{lines.line_num + 1}"
        try:
            cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            if "end of data" in str(error):
                raise ValueError(f"{place}: a quote that opens here is never closed") from error
            yield Rejected(place, f"not {delimiter!r}-separated: {error}")
            continue
        if not cells:
            continue
        if not header:
            header = cells
            if repeated := [cell for cell, count in Counter(cells).items() if count > 1]:
                raise ValueError(f"{name} has several columns {', '.join(map(repr, repeated))}")
        elif len(cells) == len(header):
            yield place, dict(zip(header, cells, strict=True))
        else:
            why = f"{len(cells)} for the {len(header)} of the header"
            yield Rejected(place, f"another number of cells than the header: {why}")


def _parquet_rows(file: BinaryIO, name: str) -> Found:
    import pyarrow.parquet

    number = 0
    whole = pyarrow.BufferReader(file.read()) if name.lower().endswith(".gz") else file
    try:
        for batch in pyarrow.parquet.ParquetFile(whole).iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                number += 1
                yield f"{name}:{number}", row
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{name} cannot be read as Parquet: {error}") from error


KINDS: dict[str, Rows] = {
    ".jsonl": _json_rows,
    ".ndjson": _json_rows,
    ".json": _json_rows,
    **{kind: partial(_table_rows, delimiter=sign) for kind, sign in TABLES.items()},
    ".parquet": _parquet_rows,
}
"""Suffix, in small letters -> what reads such a file."""

READ = (
    "JSON lines or a JSON array (.jsonl, .ndjson, .json), CSV (.csv), TSV (.tsv) and Parquet "
    "(.parquet), each also with .gz; a folder of such files of one kind, or of save_to_disk"
)
"""The kinds of files that are read, for errors."""
