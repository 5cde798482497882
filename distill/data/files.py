"""Read the rows of a file, or of a folder of files, each with its place.

The name says the kind: JSON lines, a JSON array, CSV or TSV with a header, Parquet; `.gz` may
follow, and capitals do not count. A folder holds shards of one kind, at any depth and in the order
of their names, or is what `save_to_disk` of `datasets` wrote. Cells of CSV and TSV are text.
"""

import csv
import gzip
import io
import json
import re
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from distill.store.canonical import files, local_path

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

_SAVED = ("dataset_dict.json", "state.json")
"""What `save_to_disk` writes next to one data set, and next to its splits."""

_ABOUT = {"dataset_info.json", "dataset_infos.json"}
"""Files that `datasets` puts next to shards."""

_SPLIT = re.compile(r"(?:^|[^a-z])(train|validation|valid|val|dev|test)(?:[^a-z]|$)")
_SPLITS = {"valid": "validation", "val": "validation", "dev": "validation"}


def read(name: str, split: str) -> Found:
    """The rows of a file or folder, lazily.

    Args:
        name: as seen from here or from the checkout.
        split: which split, where a folder has several; a file is always read whole.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: it is empty, of a kind that is not read, or broken in a way that leaves no rows
            to tell apart; names the file.
    """
    path = find(name)
    if not path.is_dir():
        return _read(path, path.name)
    if any((path / file).is_file() for file in _SAVED):
        return _saved_rows(path, split)
    found = shards(path, split)
    return (row for shard in found for row in _read(path / shard, shard))


def find(name: str) -> Path:
    """The file or folder of this name. Raises FileNotFoundError where there is none."""
    path = local_path(name)
    if path is None or not (path.is_file() or path.is_dir()):
        raise FileNotFoundError(f"there is no file {name!r}, seen from here or from the checkout")
    return path


def shards(folder: Path, split: str) -> list[str]:
    """The files of a folder that hold its rows, relative to it.

    Names that begin with a dot or an underscore, and files of no kind that is read, are passed
    over. Where names tell several splits apart (`train-00000-of-00002.parquet`), one is read.

    Raises:
        ValueError: there are none, they are of several kinds, or none is of the split.
    """
    kinds = {
        name: _suffix(name)
        for name in files(folder)
        if _suffix(name) in _KINDS
        and not any(part.startswith((".", "_")) for part in Path(name).parts)
        and Path(name).name not in _ABOUT
    }
    if not kinds:
        raise ValueError(f"{folder} has no file of a kind that is read: {READ}")
    if len({_KINDS[kind] for kind in kinds.values()}) > 1:
        counts = ", ".join(f"{n} {kind}" for kind, n in sorted(Counter(kinds.values()).items()))
        raise ValueError(f"{folder} has shards of several kinds ({counts}); name one of the files")
    splits = {name: _split(name) for name in kinds}
    there = sorted(set(filter(None, splits.values())))
    if len(there) < 2:
        return list(kinds)
    if not (chosen := [name for name, found in splits.items() if found == split]):
        raise ValueError(f"{folder} has the splits {', '.join(there)}, but split={split!r}")
    return chosen


def _read(path: Path, name: str) -> Found:
    """The rows of one file, which errors and places call by the name."""
    rows = _kind(path)
    try:
        with path.open("rb") as file:
            packed = path.name.lower().endswith(".gz")
            yield from rows(cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file, name)
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{name} is broken: {error}") from error


def _kind(path: Path) -> Callable[[BinaryIO, str], Found]:
    if _suffix(path.name) not in _KINDS:
        raise ValueError(f"{path} is of no kind that is read: {READ}")
    if not path.stat().st_size:
        raise ValueError(f"no rows in {path}: it is empty")
    return _KINDS[_suffix(path.name)]


def _suffix(name: str) -> str:
    return Path(name.lower().removesuffix(".gz")).suffix


def _split(name: str) -> str:
    found = _SPLIT.search(name.lower())
    return _SPLITS.get(found[1], found[1]) if found else ""


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


def _csv_rows(file: BinaryIO, name: str) -> Found:
    return _table_rows(file, name, ",")


def _tsv_rows(file: BinaryIO, name: str) -> Found:
    return _table_rows(file, name, "\t")


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


def _saved_rows(folder: Path, split: str) -> Found:
    """What `save_to_disk` wrote: a data set, or several splits of which one is read."""
    from datasets import DatasetDict, load_from_disk

    try:
        made = load_from_disk(str(folder))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ValueError(f"{folder} cannot be read as a saved data set: {error}") from error
    if isinstance(made, DatasetDict):
        if split not in made:
            there = ", ".join(map(str, made))
            raise ValueError(f"{folder} has the splits {there}, but split={split!r}")
        made = made[split]
    for number, row in enumerate(made, 1):
        yield f"{folder.name}:{number}", dict(row)


_KINDS: dict[str, Callable[[BinaryIO, str], Found]] = {
    ".jsonl": _json_rows,
    ".ndjson": _json_rows,
    ".json": _json_rows,
    ".csv": _csv_rows,
    ".tsv": _tsv_rows,
    ".parquet": _parquet_rows,
}

READ = (
    "JSON lines or a JSON array (.jsonl, .ndjson, .json), CSV (.csv), TSV (.tsv) and Parquet "
    "(.parquet), each also with .gz; a folder of such files of one kind, or of save_to_disk"
)
"""The kinds of files that are read, for errors."""
