"""A format names the fields of its rows and reads them by what each may be.

Where a field stands in a row is said by `columns` (`distill/data/columns.py`), what its value may
count as by `distill/data/values.py`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

from distill.data import values
from distill.data.columns import ABSENT, Row, find, there_are
from distill.data.config import SourceConfig
from distill.data.values import RowError

T = TypeVar("T")


@dataclass(frozen=True)
class Format(Generic[T]):
    """A schema of rows."""

    name: str
    fields: tuple[str, ...]
    """All that `read` may ask a row for."""

    read: Callable[["Fields"], T]


@dataclass(frozen=True)
class Fields:
    """The fields of one row. A method raises RowError for a value that does not count as such."""

    row: Row
    declared: tuple[str, ...]
    """All that may be asked for; see `Format.fields`."""

    columns: Mapping[str, str]
    """Field -> place, of those that are not in the column of their own name."""

    def value(self, field: str) -> Any:
        """Whatever stands in an optional field; None where it is absent or null."""
        found = self._find(field)
        return None if found is ABSENT else found

    def needed(self, field: str) -> Any:
        """Whatever stands in a needed field. Raises RowError where it is absent."""
        found = self._find(field)
        if found is ABSENT:
            place = self.columns.get(field, field)
            raise RowError(f"no {field}: no column {place}; has {', '.join(self.row)}")
        return found

    def has(self, field: str) -> bool:
        """Whether `columns` names the field or the row has a column of its name."""
        return field in self.columns or self._find(field) is not ABSENT

    def text(self, field: str) -> str:
        """The text of a needed field, empty where it is null."""
        return values.text(self.needed(field), self.name(field))

    def optional(self, field: str, default: str = "") -> str:
        """The text of an optional field; the default where it is absent, null, NaN or empty."""
        value = self.value(field)
        missing = values.kind(value) == "NaN"
        return default if missing else values.text(value, self.name(field)) or default

    def answer(self, field: str = "answer") -> str:
        """The answer in a needed field; see `distill.data.values.answer`."""
        return values.answer(self.needed(field), self.name(field))

    def whole(self, field: str) -> int:
        """The whole number in a needed field."""
        return values.whole(self.needed(field), self.name(field))

    def truth(self, field: str) -> bool | None:
        """Whether an optional field is true; None where it says nothing."""
        return values.truth(self.value(field), self.name(field))

    def level(self, field: str = "difficulty") -> float | None:
        """The number in an optional field; None where there is none."""
        return values.level(self.value(field), self.name(field))

    def items(self, field: str) -> list[Any]:
        """The list in an optional field, of whatever items; empty where it is absent or null."""
        return values.items(self.value(field), self.name(field))

    def texts(self, field: str) -> list[str]:
        """The list of texts in an optional field; empty where it is absent or null."""
        return values.texts(self.value(field), self.name(field))

    def name(self, field: str) -> str:
        """The field as errors name it, with its place where that is not its own name."""
        return f"{field} ({self.columns[field]})" if field in self.columns else field

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
                f"{', '.join(format.fields)}{nearest(unknown, format.fields)}"
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
        except (
            *(TypeError, KeyError, AttributeError, IndexError, ValueError),
            *(ArithmeticError, RecursionError),
        ) as error:
            raise RowError(f"not of its schema: {type(error).__name__}: {error}") from error

    def check(self) -> None:
        """Call it after the last row. Raises ValueError where no row had a column that is named."""
        if self._example is not None and self._unseen:
            named = ", ".join(f"{place} ({field})" for field, place in self._unseen.items())
            there = there_are(self._example, self._unseen.values())
            raise ValueError(f"columns: no row has {named}; {there}")


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
            near = nearest([source.format], self)
            raise ValueError(f"{self._option} must be one of {known}; got {source.format!r}{near}")
        return Reader(self[source.format], source.columns)


def nearest(names: Iterable[str], known: Iterable[str]) -> str:
    """What to append to an error about unknown names: the nearest known ones, if there are any."""
    known = list(known)
    near = dict.fromkeys(n for name in names for n in get_close_matches(name, known, 1))
    return f"; nearest: {', '.join(near)}" if near else ""
