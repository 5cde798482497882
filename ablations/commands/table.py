"""The command `table`."""

from typing import Annotated, Literal

from typer import Argument, Option

from ablations.commands.arguments import Out, Overrides, Recorded, write

EXAMPLES = (
    "demo",
    "table2 --format csv --out table2.csv",
    "table5 --study table2 --runs analysis/results/table2",
    "r1_table5 --format latex",
)


TABLE = """a study: its arms, and verdicts on what it expects; a paper's table (table1 to table7,
r1_table5, r1_table6): ours, published, difference, and the same; or imported runs: both verdicts"""


def command(
    table: Annotated[str, Argument(help=TABLE, metavar="TABLE")],
    overrides: Overrides,
    study: Annotated[
        str | None, Option(help="for a paper's table; default: the one that runs its arms")
    ] = None,
    runs: Recorded = None,
    arms: Annotated[bool, Option("--arms", help="nothing but the arms")] = False,
    format: Annotated[Literal["md", "latex", "csv", "html"], Option(help="of the text")] = "md",
    out: Out = None,
) -> None:
    """Print scores per arm, or a paper's table next to the published numbers."""
    from ablations.commands.answers.table import tabulate

    text = tabulate(table, format, study=study, overrides=overrides, folder=runs, arms_only=arms)
    write(text, out)
