"""The command `explain`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ablations.commands.arguments import path, show

EXAMPLES = ('"corruption=none" "corruption=none training.seed=1"', "3f2a 9c41")

Run = Annotated[
    str, Argument(help="overrides in quotes, or the first digits of a run's key", metavar="RUN")
]


def command(
    a: Run,
    b: Run,
    runs: Annotated[Path, Option(parser=path, help="folder of all runs")] = Path("runs"),
) -> None:
    """List the fields in which two runs differ, and the artifacts that they share."""
    from ablations.commands.answers.explain import explain, identity

    show(explain(identity(a, runs), identity(b, runs)))
