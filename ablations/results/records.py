"""Finding the JSON records of runs; a broken one is an error, never an absent run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distill.run.record import RUN, read_record


def records(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every `run.json` in a study's folder, or in those of all studies below `runs`, by name.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: one is not JSON, or of a later version; names it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}; python -m distill study=NAME makes runs/NAME")
    for path in sorted(path for depth in ("", "*/", "*/*/") for path in folder.glob(depth + RUN)):
        yield path, read_record(path)


def launched_in(path: Path, record: dict[str, Any]) -> Path:
    """The folder from which this `run.json` was launched: its relative paths start there.

    Of records at an absolute `runs` nobody knows it, and here is as good as any.
    """
    runs = Path(record["config"]["runs"])
    return Path.cwd() if runs.is_absolute() else path.absolute().parents[2 + len(runs.parts)]


MADE = Path("runs")
"""Folder of a checkout in which `python -m distill` keeps the runs of each study."""


RECORDED = Path("analysis", "results")
"""Folder of a checkout that holds what the README reports."""


def study_folder(checkout: Path, study: str) -> Path:
    """The folder of a study's runs: those made in this checkout, else those recorded in it.

    Args:
        checkout: where `python -m distill` was launched.
        study: a file in `conf/study/`, or any name of a folder of runs.

    Raises:
        FileNotFoundError: there are neither; says which command makes them.
    """
    for folder in (checkout / MADE / study, checkout / RECORDED / study):
        if any(folder.glob(f"*/{RUN}")):
            return folder
    raise FileNotFoundError(
        f"no runs of {study} in {MADE / study} or {RECORDED / study}; make them by: "
        f"python -m distill study={study}"
    )
