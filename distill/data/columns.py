"""Read named columns of a source row as the fields of a format."""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]


Columns = Mapping[str, str]


class UnusableRowError(ValueError):
    """A row that holds no problem or no trace; the message says what is missing."""


def unusable(error: Exception) -> UnusableRowError:
    """What a row of another shape than its schema's did, as a reason to set it aside."""
    if isinstance(error, UnusableRowError):
        return error
    return UnusableRowError(f"not of its schema: {type(error).__name__}: {error}")


def _text(row: Row, columns: Columns, field: str) -> str:
    """The text of a field: of its column, or of several that `+` joins; empty where it is null."""
    names = columns.get(field, field).split("+")
    absent = [name for name in names if name not in row]
    if absent:
        raise UnusableRowError(f"no {field}: no column {', '.join(absent)}; has {', '.join(row)}")
    values = (row[name] for name in names)
    return "".join("" if value is None else str(value) for value in values)


def _value(row: Row, columns: Columns, field: str) -> Any:
    """The value of an optional field; None where it is absent."""
    return row.get(columns.get(field, field))
