"""Rows of unfinished work are kept in a file, so that a killed stage continues where it was."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO


def kept_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a killed attempt; an incomplete last one is cut off, and so is pending again.

    Raises:
        ValueError: a whole line is no JSON object, which no kill leaves; names the line.
    """
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    for number, line in enumerate(content[:whole].split(b"\n")[:-1], 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise ValueError(f"{path}:{number} is no JSON object; delete the file to begin again")
        yield row


def append(file: TextIO, row: dict[str, Any], *, flush: bool) -> None:
    """Write a row where a kill leaves it; on `flush` also where a power cut does."""
    file.write(json.dumps(row) + "\n")
    file.flush()
    if flush:
        os.fsync(file.fileno())
