"""Where the runs of a study are: made here, or recorded in the repository."""

from pathlib import Path

from distill.cells import RUN

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
