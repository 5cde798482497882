"""The command `report`."""

from pathlib import Path
from typing import Annotated

from typer import Option

from ablations.commands.arguments import Overrides, Recorded, Study, path, wide_frames, write

EXAMPLES = ("demo", "table2 --runs analysis/results/table2 --out page.html")


def command(
    study: Study,
    overrides: Overrides,
    runs: Recorded = None,
    out: Annotated[
        Path | None, Option(parser=path, help="page to write; default: STUDY.html")
    ] = None,
) -> None:
    """Write a self-contained HTML report of a study."""
    from ablations.report.html import Request, report

    with wide_frames():
        page = report(Request(study, overrides, runs))
    write(page, out or Path(f"{study}.html"))
