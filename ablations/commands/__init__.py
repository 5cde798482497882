"""The commands of `python -m ablations`, one file each; `app` is the program that runs them.

A command loads what it needs when it is called, so that help loads neither pandas nor Hydra.
"""

from collections.abc import Callable, Sequence
from typing import Annotated

from typer import Exit, Option, Typer

from ablations.commands import (
    collect,
    explain,
    import_,
    plan,
    report,
    show,
    status,
    table,
    wandb_report,
    wandb_sweep,
)


def _examples(*lines: str) -> str:
    r"""The end of a help page; `\b` stops the lines below it from being wrapped."""
    return "\n".join(["\b", "Examples:", *(f"  python -m ablations {line}" for line in lines)])


def _version(asked: bool) -> None:
    from importlib.metadata import version

    if asked:
        print(f"ablations {version('distill')}")
        raise Exit


def _add(name: str, command: Callable[..., None], examples: Sequence[str]) -> None:
    first = (command.__doc__ or "").partition("\n")[0]
    lines = (f"{name} {example}" for example in examples)
    app.command(name, short_help=first, epilog=_examples(*lines))(command)


app = Typer(
    help="Plan, inspect and report studies. Never trains.",
    epilog=_examples(
        "plan table2 training.seed=0,1,2",
        "status demo",
        "table demo --format csv --out demo.csv",
        "report table2 --runs analysis/results/table2",
        "show corruption=shuffle_steps corruption.fraction=0.67 --trace 3",
        'explain "corruption=none training.seed=0" "corruption=none training.seed=1"',
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def _options(
    version: Annotated[
        bool,
        Option("--version", help="Show the version and exit.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Options of the program itself."""


_add("plan", plan.command, plan.EXAMPLES)
_add("status", status.command, status.EXAMPLES)
_add("table", table.command, table.EXAMPLES)
_add("report", report.command, report.EXAMPLES)
_add("show", show.command, show.EXAMPLES)
_add("explain", explain.command, explain.EXAMPLES)
_add("import", import_.command, import_.EXAMPLES)
_add("collect", collect.command, collect.EXAMPLES)
_add("wandb-report", wandb_report.command, wandb_report.EXAMPLES)
_add("wandb-sweep", wandb_sweep.command, wandb_sweep.EXAMPLES)
