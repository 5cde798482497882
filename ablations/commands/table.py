"""The command `table`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, BadParameter, Option

from ablations.commands.arguments import Overrides, Recorded, path, wide_frames, write, write_all

EXAMPLES = (
    "demo",
    "table2 --format csv --out table2.csv",
    "table5 --study table2 --runs analysis/results/table2",
    "r1_table5 --format latex",
    "table2,table5 --format md,latex --out build/tables",
)

FORMATS = ("md", "latex", "csv", "html")

TABLE = """a study: its arms, and verdicts on what it expects; a paper's table (table1 to table7,
r1_table5, r1_table6): ours, published, difference, and the same; or imported runs: both verdicts.
Several are separated by commas"""


def _formats(text: str) -> str:
    for name in text.split(","):
        if name not in FORMATS:
            raise BadParameter(f"{name!r} is not one of {', '.join(map(repr, FORMATS))}")
    return text


def command(
    table: Annotated[str, Argument(help=TABLE, metavar="TABLE")],
    overrides: Overrides,
    study: Annotated[
        str | None, Option(help="for a paper's table; default: the one that runs its arms")
    ] = None,
    runs: Recorded = None,
    arms: Annotated[bool, Option("--arms", help="nothing but the arms")] = False,
    format: Annotated[
        str, Option(parser=_formats, help=f"of the text: {', '.join(FORMATS)}", metavar="FORMAT")
    ] = FORMATS[0],
    out: Annotated[
        Path | None,
        Option(parser=path, help="file to write, instead of printing; or folder, for several"),
    ] = None,
) -> None:
    """Print scores per arm, or a paper's table next to the published numbers.

    Several tables and formats, separated by commas, are files TABLE.FORMAT in the folder --out.
    """
    from ablations.commands.answers.table import tables

    names, forms = (list(dict.fromkeys(text.split(","))) for text in (table, format))
    files = len(names) * len(forms)
    if files > 1 and not out:
        raise ValueError(f"{files} tables are as many files; name a folder for them with --out")
    with wide_frames():
        asked = tables(names, study=study, overrides=overrides, folder=runs, arms_only=arms)
        # All of them before any is written, so that an error leaves no half.
        made = [(f"{name}.{form}", text(form)) for name, text in asked for form in forms]
    if out and (files > 1 or out.is_dir()):
        write_all(out, made)
    else:
        write(made[0][1], out)
