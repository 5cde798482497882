"""SHA-256 of files; of large ones it is remembered from process to process while nothing changed.

A file is taken for unchanged if its size, inode and both of its times (`mtime`, and `ctime`, which
no program can set) are the same to the nanosecond. Digests of files from `LARGE` bytes are kept in
the user's cache folder, one small file each, which is replaced as a whole: models may lie in
folders that cannot be written, and what others can write is not believed.

What could be wrong is not remembered, as git does not trust its index about files that are younger
than the index: a file that changed within `SETTLED` seconds before it was read, or later by the
clock here, may change again without another time. Nor is one whose `ctime` has whole seconds: its
file system may count no smaller ones, or, as images do, keep the times of another file.

The environment variable `DISTILL_DIGESTS` names another folder; empty, all files are read in full.
"""

import hashlib
import json
import os
import tempfile
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

FOLDER = "DISTILL_DIGESTS"
"""Environment variable: the folder of remembered digests; empty: none is remembered or believed."""

LARGE = 8 << 20
"""Bytes from which the digest of a file is remembered; a smaller one is read in milliseconds."""

SETTLED = 60.0
"""Seconds that a file must have stayed the same before it is read. Times of files move in steps of
up to 10 ms, a file server's clock may be behind, and what is written through a memory map changes
the times only once in every half minute or so."""


def sha256(path: Path, found: os.stat_result) -> str:
    """SHA-256 of a file's content; a file that did not change is read once.

    Args:
        path: the file.
        found: what `path.stat()` just gave.

    Raises:
        OSError: the file cannot be read.
    """
    return _sha256(os.fspath(path), _state(found))


State = tuple[int, int, int, int]


def _state(stat: os.stat_result) -> State:
    return stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns


@lru_cache(maxsize=65_536)
def _sha256(path: str, state: State) -> str:
    with open(path, "rb") as file:
        if state[0] < LARGE or (folder := _folder()) is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        now = _state(os.fstat(file.fileno()))  # once open: a network disk asks its server then
        name = hashlib.sha256(os.fsencode(os.path.abspath(path))).hexdigest()
        if (known := _remembered(folder / name, now)) is not None:
            return known
        settled = now[3] % 10**9 and max(now[2:]) / 1e9 < time.time() - SETTLED
        made = hashlib.file_digest(file, "sha256").hexdigest()
        if settled and _state(os.fstat(file.fileno())) == now:
            _remember(folder, name, now, made)
        return made


def _folder() -> Path | None:
    if (named := os.environ.get(FOLDER)) is not None:
        return Path(named) if named else None
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(caches, "distill", "digests")


def _remembered(file: Path, state: State) -> str | None:
    """The digest of a file in this state; None if none is known, or it was half written."""
    try:
        text, _, check = file.read_text(encoding="ascii").partition("\n")
        if check != hashlib.sha256(text.encode()).hexdigest():
            return None
        *kept, made = json.loads(text)
    except (OSError, ValueError, TypeError):
        return None
    return made if kept == list(state) else None


def _remember(folder: Path, name: str, state: State, made: str) -> None:
    """Keep a digest, where the folder can be written; else it is computed again."""
    text = json.dumps([*state, made])
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, new = tempfile.mkstemp(prefix=f"{name[:16]}.", suffix=".new", dir=folder)
        try:
            with open(number, "w", encoding="ascii") as file:
                file.write(text + "\n" + hashlib.sha256(text.encode()).hexdigest())
            os.replace(new, folder / name)
        except OSError:
            os.unlink(new)
            raise
