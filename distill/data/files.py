"""Read the rows of a file, or of a folder of files, each with its place.

The name says the kind: JSON lines, a JSON array, CSV or TSV with a header, Parquet; `.gz` may
follow, and capitals do not count. A folder holds shards of one kind, at any depth and in the order
of their names, or is what `save_to_disk` of `datasets` wrote. Cells of CSV and TSV are text.
"""

import gzip
import re
import zlib
from collections import Counter
from pathlib import Path
from typing import BinaryIO, cast

from distill.data.kinds import KINDS, READ, Found, Rows
from distill.store.canonical import files, local_path

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


def unfit(folder: Path, split: str) -> str:
    """Why a folder cannot be read, told by the names of its files alone; empty if it may be."""
    try:
        if not any((folder / file).is_file() for file in _SAVED):
            shards(folder, split)
    except ValueError as error:
        return str(error)
    return ""


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
        name: suffix(name)
        for name in files(folder, (".", "_"))
        if suffix(name) in KINDS and Path(name).name not in _ABOUT
    }
    if not kinds:
        raise ValueError(f"{folder} has no file of a kind that is read: {READ}")
    if len({KINDS[kind] for kind in kinds.values()}) > 1:
        counts = ", ".join(f"{n} {kind}" for kind, n in sorted(Counter(kinds.values()).items()))
        raise ValueError(f"{folder} has shards of several kinds ({counts}); name one of the files")
    splits = {name: _split(name) for name in kinds}
    there = sorted(set(filter(None, splits.values())))
    if len(there) < 2:
        return list(kinds)
    if not (
        chosen := [name for name, found in splits.items() if found == _SPLITS.get(split, split)]
    ):
        raise ValueError(f"{folder} has the splits {', '.join(there)}, but split={split!r}")
    return chosen


def suffix(name: str) -> str:
    """What tells the kind of a file, in small letters and without `.gz`."""
    return Path(name.lower().removesuffix(".gz")).suffix


def _read(path: Path, name: str) -> Found:
    """The rows of one file, which errors and places call by the name."""
    rows = _kind(path)
    try:
        with path.open("rb") as file:
            packed = path.name.lower().endswith(".gz")
            yield from rows(cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file, name)
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"{name} is broken: {error}") from error


def _kind(path: Path) -> Rows:
    if suffix(path.name) not in KINDS:
        raise ValueError(f"{path} is of no kind that is read: {READ}")
    if not path.stat().st_size:
        raise ValueError(f"no rows in {path}: it is empty")
    return KINDS[suffix(path.name)]


def _split(name: str) -> str:
    found = _SPLIT.search(name.lower())
    return _SPLITS.get(found[1], found[1]) if found else ""


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
