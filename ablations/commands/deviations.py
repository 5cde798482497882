"""The command `deviations`."""

from pathlib import Path
from typing import Annotated

from typer import Option

from ablations.commands.arguments import Overrides, show

EXAMPLES = ("world=paper", "study=table2_paper", "study=r1_distill", "3f2a9c41 --runs runs")


def command(
    overrides: Overrides,
    paper: Annotated[
        str | None, Option(help="in conf/papers/; default: whose study it is, or the nearest")
    ] = None,
    runs: Annotated[Path, Option(help="folder of all runs, for a key")] = Path("runs"),
) -> None:
    """List where a run or a study differs from a paper, and why."""
    from ablations.commands.answers.deviations import configs, table

    show(table(configs(overrides, runs), paper))
