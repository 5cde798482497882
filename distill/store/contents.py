"""Hashes what files and folders hold; a file that did not change is read once."""

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any


def content_hash(path: Path) -> str:
    """SHA-256 of a file, or of the names and hashes of all files below a folder.

    Raises:
        FileNotFoundError: the folder is empty.
    """
    if path.is_file():
        return file_hash(path)["sha256"]
    names = files(path)
    if not names:
        raise FileNotFoundError(f"{path} is an empty folder; its content is part of an identity")
    hashes = [[name, file_hash(path / name)["sha256"]] for name in names]
    return hashlib.sha256(json.dumps(hashes, separators=(",", ":")).encode()).hexdigest()


def files(folder: Path) -> list[str]:
    """Every file below a folder, relative to it, by name."""
    root, found = os.fspath(folder), []
    for place, _, names in os.walk(root):
        paths = (os.path.join(place, name) for name in names)
        found += [os.path.relpath(path, root) for path in paths if os.path.isfile(path)]
    return sorted(found)


def file_hash(path: Path) -> dict[str, Any]:
    """Its `bytes` and `sha256`."""
    stat = path.stat()
    return {
        "bytes": stat.st_size,
        "sha256": _sha256(os.fspath(path), stat.st_size, stat.st_mtime_ns, stat.st_ino),
    }


@lru_cache(maxsize=65_536)
def _sha256(path: str, size: int, modified: int, inode: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
