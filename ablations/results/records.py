"""Finds the `run.json` records of runs and the folders that hold them.

A broken record is an error that names its file; it is never skipped.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distill.run.record import RUN, differing, read_record, study_runs

MADE = Path("runs")
"""Folder of a checkout in which `python -m distill` writes the runs of each study."""

SHOWN = 3
"""Differences that an error lists."""

RECORDED = Path("analysis", "results")
"""Folder of a checkout with the runs behind the README's tables."""


def study_folder(checkout: Path, study: str) -> Path:
    """The folder of a study's runs: in `runs` if there are any, else in `analysis/results`.

    Args:
        checkout: where `python -m distill` was launched.
        study: a file in `conf/study/`, or the name of any folder of runs.

    Raises:
        FileNotFoundError: neither has runs; names the command that makes them.
    """
    for folder in (checkout / MADE / study, checkout / RECORDED / study):
        if any(folder.glob(f"*/{RUN}")):
            return folder
    raise FileNotFoundError(
        f"no runs of {study} in {MADE / study} or {RECORDED / study}; make them with: "
        f"python -m distill study={study}"
    )


def records(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every `run.json` in the folder of a study, or in those of all studies below `runs`, by name.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: a record is not JSON, lacks a part, is of a later format, or has other numbers
            than its artifacts, where these are there; names the file.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}; python -m distill study=NAME makes runs/NAME")
    for path in sorted(path for depth in ("", "*/", "*/*/") for path in folder.glob(depth + RUN)):
        yield path, held(path)


def held(path: Path) -> dict[str, Any]:
    """A record that was held against its artifacts, where these are there.

    Raises:
        ValueError: it is no record, or differs from its artifacts; names the file.
    """
    record = read_record(path)
    refuse_differing(path, record, launched_in(path, record))
    return record


def refuse_differing(path: Path, record: Mapping[str, Any], folder: Path) -> None:
    """Raise ValueError if a record, read from `path`, has other numbers than its artifacts.

    Their paths are relative to `folder`; those that are not there are passed over.
    """
    if wrong := differing(record, folder):
        raise ValueError(
            f"{path} differs from its artifacts: {'; '.join(wrong[:SHOWN])}; repeat the run "
            "to record it again"
        )


def references_of(record: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The runs that a run refers to, see `distill.run.references.described`."""
    found: Mapping[str, Mapping[str, Any]] = record.get("references", {})
    return found


def launched_in(path: Path, record: dict[str, Any]) -> Path:
    """The folder from which a run was launched, to which the paths in its record are relative.

    If `runs` in the record, which is read from `path`, is absolute: the current folder.
    """
    above = path.absolute().parents
    runs = study_runs(record["config"]["runs"], record["study"]["name"])
    depth = 1 + len(runs.parts)
    return Path.cwd() if runs.is_absolute() or depth >= len(above) else above[depth]
