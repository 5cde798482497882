"""Arguments that several commands take, and the ways in which a command prints its answer."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from ablations.studies.plan import Planned


def path(text: str | Path) -> Path:
    """A path given as an option; an empty one would be the current folder."""
    from distill import checks

    try:
        return Path(checks.path("it", str(text)))
    except ValueError as error:
        raise BadParameter(str(error)) from error


Study = Annotated[str, Argument(help="a file in conf/study/, or `single`", metavar="STUDY")]
Overrides = Annotated[
    list[str],
    Argument(
        help="as for `python -m distill`, before or after options",
        metavar="OVERRIDES",
        default_factory=list,
        show_default=False,
    ),
]
Recorded = Annotated[
    Path | None, Option(parser=path, help="folder of recorded runs; default: the study's")
]
Out = Annotated[Path | None, Option(parser=path, help="file to write, instead of printing")]


def planned(study: str, overrides: Sequence[str]) -> "list[Planned]":
    """The runs of a study with the keys of their artifacts."""
    from ablations.studies.cells import Studies
    from ablations.studies.plan import plan

    return plan(Studies().cells(study, overrides))


@contextmanager
def wide_frames() -> Iterator[None]:
    """Lets frames hold strings as Python's, within.

    Those of a study have a hundred columns and few rows. pandas would hold each column of strings
    as an array of Arrow, and selecting rows takes a call for each.
    """
    import pandas as pd

    with pd.option_context("mode.string_storage", "python"):
        yield


def told(error: Exception) -> str:
    """What a request failed on."""
    from distill.checks import refused

    return refused(error) if isinstance(error, OSError) else str(error)


def show(answer: "RenderableType") -> None:
    """Print tables and texts as wide as the terminal, in colour where there is one."""
    from rich.console import Console

    Console().print(answer)


def folded(*names: str) -> "Table":
    """A table with these columns, whose long texts are wrapped."""
    from rich.table import Column, Table

    return Table(*(Column(name, overflow="fold") for name in names), header_style="bold")


def write(text: str, out: Path | None) -> None:
    """Write a text to a file and print the file's name; without a file, print the text.

    Raises:
        ValueError: the file cannot be written; names it.
    """
    if out:
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ValueError(f"{out} cannot be written: {error.strerror}") from error
        print(f"wrote {out}")
    else:
        print(text, end="")


def write_all(folder: Path, texts: Iterable[tuple[str, str]]) -> None:
    """Write texts, which come with their names, to files in a folder that need not exist yet.

    Raises:
        ValueError: the folder or a file cannot be written; names it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{folder} is no folder for tables: {error.strerror}") from error
    for name, text in texts:
        write(text, folder / name)
