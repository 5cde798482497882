"""Find the fields of a format in the columns of a source's rows.

`columns` of a data set, of a recorded teacher and of `python -m ablations import` is one language:
field of the format -> its place in a row. A place is

* the name of a column, whatever characters it has: `gold`, `Correct Answer`, `pass@1`, `a.b`;
* else a path into objects and lists, indices from 0: `doc.question`, `resps.0.0`;
* else a JMESPath expression (https://jmespath.org): `messages[?role=='user'].content`;
* places joined by `+`, which give one text: `thought+solution`. All must be there; null is empty;
* places separated by `|`: the first that is there and neither null nor empty counts:
  `problem|question`. Within an expression put `|` in brackets: `(messages[?x].content | [0])`.

A field that `columns` names is read there and nowhere else; a place that no row has is an error. A
field that it does not name is the column of its own name.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

import jmespath
from jmespath.exceptions import JMESPathError

from distill.data.config import SourceConfig

Row = Mapping[str, Any]

ABSENT = object()
"""What is found at a place that a row does not have; null is None."""

_TOKEN = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`(?:\\.|[^`\\])*`|.", re.DOTALL)
_DEPTH = dict.fromkeys("([{", 1) | dict.fromkeys(")]}", -1)
_JMESPATH = re.compile(r"[\[\](){}*@&\"'`]")

T = TypeVar("T")


class RowError(ValueError):
    """A row that holds no problem, trace or response; the message says what is missing."""


@dataclass(frozen=True)
class Format(Generic[T]):
    """A schema of rows."""

    name: str
    fields: tuple[str, ...]
    """All that `read` may ask a row for."""

    read: Callable[["Fields"], T]


@dataclass(frozen=True)
class Fields:
    """The fields of one row."""

    row: Row
    declared: tuple[str, ...]
    """All that may be asked for; see `Format.fields`."""

    columns: Mapping[str, str]
    """Field -> place, of those that are not in the column of their own name."""

    def value(self, field: str) -> Any:
        """The value of an optional field; None where it is absent or null."""
        found = self._find(field)
        return None if found is ABSENT else found

    def text(self, field: str) -> str:
        """The text of a field, empty where it is null. Raises RowError where it is absent."""
        found = self._find(field)
        if found is ABSENT:
            place = self.columns.get(field, field)
            raise RowError(f"no {field}: no column {place}; has {', '.join(self.row)}")
        return "" if found is None else str(found)

    def _find(self, field: str) -> Any:
        assert field in self.declared, f"{field} is no declared field: {self.declared}"
        if field in self.columns:
            return find(self.row, self.columns[field])
        return self.row.get(field, ABSENT)


class Reader(Generic[T]):
    """Reads the rows of one source by a format; call it with a row."""

    def __init__(self, format: Format[T], columns: Mapping[str, str]) -> None:
        """Raises ValueError where `columns` names a field that the format does not have."""
        if unknown := [field for field in columns if field not in format.fields]:
            raise ValueError(
                f"columns: format {format.name} has no field {', '.join(unknown)}; its fields are "
                f"{', '.join(format.fields)}"
            )
        self._format = format
        self._columns = columns
        self._unseen = dict(columns)
        self._example: Row | None = None

    def __call__(self, row: Row) -> T:
        """What the format makes of a row. Raises RowError where the row cannot be used."""
        self._example = self._example or row
        try:
            self._unseen = {f: at for f, at in self._unseen.items() if find(row, at) is ABSENT}
            return self._format.read(Fields(row, self._format.fields, self._columns))
        except RowError:
            raise
        except (TypeError, KeyError, AttributeError, IndexError, ValueError) as error:
            raise RowError(f"not of its schema: {type(error).__name__}: {error}") from error

    def check(self) -> None:
        """Call it after the last row. Raises ValueError where no row had a column that is named."""
        if self._example is not None and self._unseen:
            named = ", ".join(f"{place} ({field})" for field, place in self._unseen.items())
            columns = ", ".join(_columns(self._example))
            raise ValueError(f"columns: no row has {named}; there are {columns}")


class Formats(dict[str, Format[T]]):
    """Name of a format -> its fields and how a row of it is read.

    Args:
        option: what names one of them, for errors.
        complete: returns what a format made of a row, or raises RowError where something lacks.
    """

    def __init__(self, option: str, complete: Callable[[T], T]) -> None:
        """Begin without a format."""
        self._option, self._complete = option, complete

    def declare(self, *fields: str) -> Callable[[Callable[[Fields], T]], Callable[[Fields], T]]:
        """A decorator that adds a function by its name, with the fields that it reads."""

        def add(function: Callable[[Fields], T]) -> Callable[[Fields], T]:
            name = function.__name__
            self[name] = Format(name, fields, lambda row: self._complete(function(row)))
            return function

        return add

    def reader(self, source: SourceConfig) -> Reader[T]:
        """What reads the rows of a source by the format and the columns that it names.

        Raises:
            ValueError: there is no such format, or it does not have a field that `columns` names.
        """
        if source.format not in self:
            known = ", ".join(sorted(self))
            raise ValueError(f"{self._option} must be one of {known}; got {source.format!r}")
        return Reader(self[source.format], source.columns)


def find(row: Row, place: str) -> Any:
    """The value at a place of a row, as the module says; `ABSENT` where there is none."""
    if place in row:
        return row[place]
    found = [_joined(row, choice) for choice in _split(place, "|")]
    there = [value for value in found if value is not ABSENT]
    filled = [value for value in there if value is not None and value != ""]
    return next(iter(filled or there), ABSENT)


def _joined(row: Row, choice: str) -> Any:
    terms = (choice,) if choice in row else _split(choice, "+")
    parts = [_at(row, term) for term in terms]
    if len(parts) == 1:
        return parts[0]
    if any(part is ABSENT for part in parts):
        return ABSENT
    return "".join("" if part is None else str(part) for part in parts)


def _at(row: Row, path: str) -> Any:
    value: Any = row
    for step in (path,) if path in row else path.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            found = expression.search(row) if (expression := _expression(path)) else None
            return ABSENT if found is None else found
    return value


@lru_cache(maxsize=256)
def _expression(text: str) -> Any:
    """The compiled JMESPath expression; None where the text is none."""
    try:
        return jmespath.compile(text) if _JMESPATH.search(text) else None
    except JMESPathError:
        return None


@lru_cache(maxsize=256)
def _split(place: str, sign: str) -> tuple[str, ...]:
    """The parts between signs that are outside brackets and quotes."""
    parts, depth = [""], 0
    for token in _TOKEN.findall(place):
        depth += _DEPTH.get(token, 0)
        if token == sign and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    return tuple(part.strip() for part in parts if part.strip())


def _columns(row: Row, prefix: str = "") -> Iterator[str]:
    """The columns of a row, those inside its objects too."""
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _columns(value, f"{prefix}{name}.")
        else:
            yield prefix + name
