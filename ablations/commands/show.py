"""The command `show`."""

from pathlib import Path
from typing import Annotated

from typer import Option

from ablations.commands.arguments import Overrides, path, write

EXAMPLES = ("corruption=random_digits --trace 3", "corruption=delete_steps --html deleted.html")


def command(
    overrides: Overrides,
    trace: Annotated[
        str | None, Option(help="id, or position from 0; default: the first corrupted")
    ] = None,
    html: Annotated[
        Path | None, Option(parser=path, help="page to write, instead of printing")
    ] = None,
) -> None:
    """Show a trace before and after its corruption, with the changes marked."""
    from rich.console import Console

    from ablations.show.trace import render, show
    from ablations.studies.cells import Studies
    from distill.store.artifacts import Store

    config = Studies().one(overrides).config
    shown = show(config, trace, Store(Path(config.artifacts)))
    if html:
        from ablations.show.html import trace_page

        write(trace_page(shown), html)
    else:
        console = Console()
        console.print(render(shown, console))
