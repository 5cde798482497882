"""Find the fields of a format in the columns of a source's rows.

`columns` of a data set, of a recorded teacher and of `python -m ablations import` is one language:
field of the format -> its place in a row. A place is

* the name of a column, whatever characters it has: `gold`, `Correct Answer`, `pass@1`, `a.b`;
* else a path into objects and lists, indices from 0: `doc.question`, `resps.0.0`;
* else a JMESPath expression (https://jmespath.org): `messages[?role=='user'].content`;
* places joined by `+`, which give one text: `thought+solution`. All must be there, as text or
  numbers; null is empty;
* places separated by `|`: the first that is there and neither null nor empty counts:
  `problem|question`. Within an expression put `|` in brackets: `(messages[?x].content | [0])`.

A field that `columns` names is read there and nowhere else; a place that no row has is an error. A
field that it does not name is the column of its own name.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from distill.data.values import written

Row = Mapping[str, Any]

ABSENT = object()
"""What is found at a place that a row does not have; null is None."""

_TOKEN = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`(?:\\.|[^`\\])*`|.", re.DOTALL)
_DEPTH = dict.fromkeys("([{", 1) | dict.fromkeys(")]}", -1)
_JMESPATH = re.compile(r"[\[\](){}*@&\"'`]")


def find(row: Row, place: str) -> Any:
    """The value at a place of a row, as the module says; `ABSENT` where there is none."""
    if place in row:
        return row[place]
    found = [_joined(row, choice) for choice in _split(place, "|")]
    there = [value for value in found if value is not ABSENT]
    filled = [value for value in there if value is not None and value != ""]
    return next(iter(filled or there), ABSENT)


def there_are(row: Row, places: Iterable[str]) -> str:
    """The nearest columns of a row to places that it does not have, and all its columns."""
    columns = list(_columns(row))
    near = dict.fromkeys(n for place in places for n in get_close_matches(place, columns, 1))
    return (f"nearest: {', '.join(near)}; " if near else "") + f"there are {', '.join(columns)}"


def _joined(row: Row, choice: str) -> Any:
    terms = (choice,) if choice in row else _split(choice, "+")
    parts = [_at(row, term) for term in terms]
    if len(parts) == 1:
        return parts[0]
    if any(part is ABSENT for part in parts):
        return ABSENT
    return "".join(written(part, term) for part, term in zip(parts, terms, strict=True))


def _at(row: Row, path: str) -> Any:
    value: Any = row
    for step in (path,) if path in row else path.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
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
