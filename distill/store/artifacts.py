"""The store makes each stage's artifact once: identity, lock, atomic completion.

`artifacts/<stage>/<key>/` holds what the stage wrote and `recipe.json`. It is made in
`<key>.partial/` under a file lock and renamed when complete, so it exists whole or not at all.
The key is the SHA-256 of canonical JSON of the stage's name and VERSION, its positional
arguments (config fields with their defaults, keys of input artifacts; optional inputs that are
absent do not enter it) and its pins (what from outside changes the output). Keyword arguments say
how a stage is run and enter no key.
"""

import json
import os
import platform
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from distill.store.canonical import RECIPE, Artifact, canonical, file_hash, files, labels
from distill.store.identity import artifact_key, identify, version

MAKING = "while making "
"""Begins the note that an error of a stage gets; the artifact's stage and key follow."""

RECORDED_VERSIONS = ("distill", "torch", "transformers", "trl", "peft", "datasets", "vllm")


class ArtifactError(RuntimeError):
    """A complete artifact is not what was made."""


class Store:
    """The artifacts below one folder."""

    def __init__(self, root: Path, say: Callable[[str], None] = lambda line: None) -> None:
        """A store below `root`; `say` is called with what is made, continued or waited for."""
        self.root = root
        self.say = say

    def artifact(self, stage: Callable[..., None], *identity: Any, **how: Any) -> Artifact:
        """The artifact that `produce` would make or serve; nothing is made.

        Raises:
            TypeError: a value has no stable JSON form; the message says which field.
        """
        recipe = identify(stage, *identity)
        name, key = stage.__name__, artifact_key(recipe)
        return Artifact(name, key, self.root / name / key, recipe)

    def produce(self, stage: Callable[..., None], *identity: Any, **how: Any) -> Artifact:
        """Serve the stage's artifact, making it first if it does not exist.

        A second process that wants the same artifact waits until the first is done. Whatever a
        killed attempt left in `<key>.partial/` is handed to the stage again, which continues or
        overwrites it.

        Raises:
            ArtifactError: a file of a complete artifact is missing or was changed after it was
                made.
            ValueError: today's limits do not allow it, see `serve`.
            Exception: whatever the stage raises; its note names the artifact.
        """
        artifact = self.artifact(stage, *identity)
        if not artifact.exists:
            artifact.path.parent.mkdir(parents=True, exist_ok=True)
            lock = artifact.path.with_name(artifact.key + ".lock")
            with locked(lock, f"makes {artifact.stage} {artifact.key[:12]}", self.say):
                if not artifact.exists:
                    self._make(artifact, stage, identity, how)
        verify(artifact.path)
        self.serve(artifact, stage, *identity, **how)
        return artifact

    def serve(
        self, artifact: Artifact, stage: Callable[..., None], *identity: Any, **how: Any
    ) -> None:
        """Let a stage look at its artifact whenever it is used, not only when it is made.

        The stage's module may have a function `served` that takes what the stage takes. It raises
        ValueError where today's limits do not allow the artifact, and may return warnings.
        """
        look = getattr(sys.modules[stage.__module__], "served", None)
        if look and artifact.exists:
            for warning in look(*map(_as_paths, identity), **how, out=artifact.path) or ():
                self.say(f"  warning: {warning}")

    def used(self, stage: Callable[..., None], *identity: Any, **how: Any) -> Artifact:
        """The artifact that `produce` would serve, which is looked at where it exists.

        Raises:
            ValueError: today's limits do not allow it, see `serve`.
        """
        artifact = self.artifact(stage, *identity)
        self.serve(artifact, stage, *identity, **how)
        return artifact

    def _make(
        self,
        artifact: Artifact,
        stage: Callable[..., None],
        identity: tuple[Any, ...],
        how: dict[str, Any],
    ) -> None:
        partial = artifact.partial
        if os.path.lexists(artifact.path):  # else found when its rightful content is moved there
            raise _changed(artifact.path, f"{RECIPE} missing")
        if os.path.lexists(partial) and not partial.is_dir():
            raise NotADirectoryError(f"{partial} must be a folder; delete it")
        verb = "continuing" if partial.exists() else "making"
        self.say(f"{verb} {artifact.stage}/{artifact.key[:12]}")
        partial.mkdir(exist_ok=True)
        begun = time.time()
        inputs = [_as_paths(value) for value in identity]
        try:
            stage(*inputs, **how, out=partial)
        except Exception as error:
            error.add_note(f"{MAKING}{artifact.stage}/{artifact.key[:12]}")
            raise
        written = [name for name in files(partial) if not name.startswith(RECIPE)]
        record: dict[str, Any] = {
            "identity": artifact.recipe,
            "key": artifact.key,
            "labels": _all_labels(artifact, identity),
            "how": {name: canonical(value, name) for name, value in how.items() if _stable(value)},
            "seconds": round(time.time() - begun, 3),
            "host": socket.gethostname(),
            "python": platform.python_version(),
            "versions": {name: version(name) for name in RECORDED_VERSIONS if version(name)},
            "files": {name: file_hash(partial / name) for name in written},
        }
        for name in written:
            _flush(partial / name)
        _write_whole(partial / RECIPE, json.dumps(record, indent=1, sort_keys=True))
        os.rename(partial, artifact.path)
        _flush(artifact.path.parent)
        if "summary.json" in written:
            counts = {n: v for n, v in artifact.summary().items() if isinstance(v, int) and v}
            words = (f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items())
            self.say(f"  {', '.join(words)}")


def verify(folder: Path) -> None:
    """Raise ArtifactError if a complete artifact is not, file for file, what was made."""
    recorded = read_recipe(folder)["files"]
    there = set(files(folder)) - {RECIPE}
    changed = [n for n, made in recorded.items() if n not in there or file_hash(folder / n) != made]
    if changed or there - set(recorded):
        names = ", ".join(sorted(changed) + sorted(there - set(recorded)))
        raise _changed(folder, f"{names} missing, changed or added since")


def read_recipe(folder: Path) -> dict[str, Any]:
    """The whole `recipe.json` of a complete artifact.

    Raises:
        ArtifactError: it is missing, cannot be read, or is not JSON with the fields of a recipe.
    """
    try:
        recipe = json.loads((folder / RECIPE).read_bytes())
    except FileNotFoundError:
        raise _changed(folder, f"{RECIPE} missing") from None
    except (OSError, ValueError, RecursionError) as error:
        raise _changed(folder, f"{RECIPE} cannot be read ({error})") from error
    wanted = {"identity": dict, "key": str, "files": dict, "seconds": int | float, "versions": dict}
    found = recipe if isinstance(recipe, dict) else {}
    if wrong := [name for name, kind in wanted.items() if not isinstance(found.get(name), kind)]:
        raise _changed(folder, f"{RECIPE} lacks {', '.join(wrong)}")
    return found


def _changed(folder: Path, what: str) -> ArtifactError:
    return ArtifactError(
        f"{folder} is not what was made: {what}. Delete the folder to have it made again."
    )


def is_locked(path: Path) -> bool:
    """Whether a process holds this file lock."""
    if not path.is_file():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


@contextmanager
def locked(path: Path, makes: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold a file lock; one that another process holds is waited for, and `say` is told what for.

    Args:
        path: the lock file; it is created, and stays.
        makes: what its holder does, such as `makes train_student 0f3c5e1d9a7b`.
        say: called with one line if there is a wait.

    Raises:
        OSError: there is something that is no lock file, or it cannot be opened; names the path.
    """
    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0.2)
        except Timeout:
            say(f"waiting for another process that {makes}")
            lock.acquire()
    except (OSError, NotImplementedError) as error:
        kind = "a link" if path.is_symlink() else "a folder" if path.is_dir() else ""
        found = f"it is {kind}; delete it" if kind else str(error)
        raise OSError(f"{path} cannot be locked: {found}") from error
    try:
        yield
    finally:
        lock.release()


def read_json(path: Path) -> Any:
    """What `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, whole or not at all."""
    _write_whole(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def _write_whole(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    _flush(new)
    os.replace(new, path)


def _all_labels(artifact: Artifact, identity: tuple[Any, ...]) -> dict[str, str]:
    named = zip(artifact.recipe["arguments"], identity, strict=True)
    return {label: text for name, value in named for label, text in labels(value, name).items()}


def _as_paths(value: Any) -> Any:
    if isinstance(value, Artifact):
        return value.path
    if isinstance(value, list | tuple):
        return type(value)(_as_paths(item) for item in value)
    return value


def _stable(value: Any) -> bool:
    try:
        canonical(value)
    except TypeError:
        return False
    return True


def _flush(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
