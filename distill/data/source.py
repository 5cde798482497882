"""Read the rows of a source that pass its `where`, and name those that are not used."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from distill.data import files
from distill.data.columns import ABSENT, find, there_are
from distill.data.config import SourceConfig
from distill.data.kinds import TABLES
from distill.data.kinds import Placed as Placed
from distill.data.kinds import Rejected as Rejected
from distill.data.kinds import Row as Row
from distill.data.values import RowError, written
from distill.models import hub
from distill.trace.records import read_rows, write_any

REJECTED = "rejected.jsonl"
"""File of a stage that names the input rows it does not use: `place` and `why`, and of a row with
several responses which `response`, from 1."""

PARQUET = "refs/convert/parquet"
"""Branch on which the hub keeps data sets as Parquet, one folder per subset: the way to read those
with a loading script, which `datasets` >= 4 does not run."""

_SHOWN = 5

T = TypeVar("T")


def pins(source: SourceConfig) -> dict[str, Any]:
    """The commit of a data set on the hub; a local file is identified by its content.

    Tables name their kind too: the same text may be read as another by another name.

    Raises:
        OSError: the hub does not say: no network, no such data set, or no access to it.
    """
    if source.path and (kind := files.suffix(source.path)) in TABLES:
        return {"table": kind}
    return {"commit": commit(source)} if source.hub else {}


def commit(source: SourceConfig) -> str:
    """The commit that `source.revision` stands for; looked up in the hub's cache here first."""
    return hub.commit("dataset", source.hub or "", source.revision)


def rows(source: SourceConfig) -> Iterator[Placed | Rejected]:
    """Rows that pass `source.where`, in order, read lazily; see `distill/data/files.py`.

    Yields:
        The place of a row and the row; or why there is none: it is not JSON or no object, or lacks
        a column that `where` names.

    Raises:
        ValueError: neither a path nor a hub id is set, there are no rows, none has a column that
            `where` names, or none passes it.
        FileNotFoundError: there is no such file.
    """
    if not (source.path or source.hub):
        raise ValueError("no rows to read: set path (a local file) or hub (a data set's id)")
    found = files.read(source.path, source.split) if source.path else _hub_rows(source)
    patterns = {column: re.compile(text) for column, text in source.where.items()}
    total = given = 0
    unseen, example = set(patterns), None
    for item in found:
        total += 1
        passed: bool | Rejected = True
        if not isinstance(item, Rejected):
            example = example or item[1]
            passed = _passes(*item, patterns, unseen)
        if passed:
            given += 1
            yield item if passed is True else passed
    if not total:
        raise ValueError(f"no rows in {source.path or source.hub}")
    if unseen and example:
        raise ValueError(f"where: no row has {', '.join(unseen)}; {there_are(example, unseen)}")
    if not given:
        asked = ", ".join(f"{column}: {text}" for column, text in source.where.items())
        raise ValueError(f"where passes none of the {total} rows; it asks for {asked}")


def _passes(
    place: str, row: Row, patterns: Mapping[str, re.Pattern[str]], unseen: set[str]
) -> bool | Rejected:
    """Whether the patterns are found in the row; the columns that it has are no longer unseen."""
    try:
        values = {column: find(row, column) for column in patterns}
        absent = [column for column, value in values.items() if value is ABSENT]
        unseen.intersection_update(absent)
        if absent:
            return Rejected(place, f"no column of where: {', '.join(absent)}; has {', '.join(row)}")
        return all(p.search(_sought(values[n], n)) for n, p in patterns.items())
    except (ValueError, TypeError) as error:  # an expression that does not fit the row
        return Rejected(place, f"where: {error}")


def _sought(value: Any, column: str) -> str:
    """A value as a pattern of `where` sees it: booleans as in JSON, dates as in ISO 8601."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else written(value, f"column {column}")


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
) -> dict[str, Any]:
    """Write the rejected rows to `out/rejected.jsonl`; no file if there are none.

    Returns:
        `rows` read; `rejected`, those of them of which anything is not used; `reasons`, how often
        each was given, of a row with several responses for each of them.

    Raises:
        ValueError: more than `source.max_rejected` of the `total` rows read, rejected ones
            included, are rejected; names the first places and reasons.
    """
    told = [{n: v for n, v in asdict(row).items() if v is not None} for row in rejected]
    write_any(out / REJECTED, told)
    limit_rejected(total, source, out)
    reasons = Counter(row.why.partition(":")[0] for row in rejected)
    places = {row.place for row in rejected}
    return {"rows": total, "rejected": len(places), "reasons": dict(reasons)}


def limit_rejected(total: int, source: SourceConfig, out: Path) -> None:
    """Stop where too many of the `total` rows are rejected, when read and whenever they are used.

    Raises:
        ValueError: see `report_rejected`.
    """
    file = out / REJECTED
    rejected = [Rejected(**row) for row in read_rows(file)] if file.exists() else []
    places = {row.place for row in rejected}
    if len(places) > source.max_rejected * total:
        first = "; ".join(f"{_place(row)}: {row.why}" for row in rejected[:_SHOWN])
        single = [row.place for row in rejected if row.response is not None]
        which = f" ({len({*single})} of them for {len(single)} single responses)" if single else ""
        raise ValueError(
            f"{len(places)} of {total} rows are rejected{which}, more than max_rejected="
            f"{source.max_rejected} allows; where fields are in columns of other names, "
            f"columns={{FIELD: COLUMN}} says so. {first}"
        )


def _place(row: Rejected) -> str:
    return row.place if row.response is None else f"{row.place}, response {row.response}"


def _hub_rows(source: SourceConfig) -> Iterator[Placed | Rejected]:
    from datasets import load_dataset

    version = commit(source)
    part = {"data_dir" if source.revision == PARQUET else "name": source.subset}
    made = load_dataset(source.hub, split=source.split, revision=version, **part)
    for number, row in enumerate(made, 1):
        yield f"{source.hub}@{version}:{number}", dict(row)
