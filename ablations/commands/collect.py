"""The command `collect`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ablations.commands.arguments import path

EXAMPLES = ("table2 --out analysis/results/table2",)


def command(
    study: Annotated[str, Argument(help="whose runs are in runs/STUDY", metavar="STUDY")],
    runs: Annotated[
        Path | None, Option(parser=path, help="folder of the runs; default: runs/STUDY")
    ] = None,
    out: Annotated[Path | None, Option(parser=path, help="default: analysis/results/STUDY")] = None,
) -> None:
    """Copy a study's records and sample rows, without texts, to a folder for version control.

    If records are older than the count of what corruption changed, it is counted on their traces,
    generated again, and written beside them to changed.csv, where no model or network is needed.
    """
    from ablations.findings.damage import artifacts, write_amounts
    from ablations.results.collect import collect
    from distill.checks import FILE_NAME

    FILE_NAME.check("STUDY", study)
    out, folder = out or Path("analysis", "results", study), runs or Path("runs", study)
    count = collect(folder, out)
    if not count:
        raise ValueError(f"there is no finished run in {folder}; name another folder with --runs")
    print(f"{count} run(s) in {out}")
    if counted := write_amounts(out, artifacts(Path())):
        print(f"changed.csv: what {counted} corruption(s) of older runs changed")
