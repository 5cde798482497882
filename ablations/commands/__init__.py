"""The commands of `python -m ablations`, one file each; `app` is the program that runs them.

A command loads what it needs when it is called, so that help loads neither pandas nor Hydra.
"""

from typing import Annotated

from typer import Exit, Option, Typer

from ablations.commands import (
    collect,
    deviations,
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


COMMANDS = {
    "plan": plan,
    "status": status,
    "table": table,
    "report": report,
    "show": show,
    "explain": explain,
    "deviations": deviations,
    "import": import_,
    "collect": collect,
    "wandb-report": wandb_report,
    "wandb-sweep": wandb_sweep,
}
for name, module in COMMANDS.items():
    lines = (f"{name} {example}" for example in module.EXAMPLES)
    sentence = module.command.__doc__.partition("\n")[0]
    app.command(name, short_help=sentence, epilog=_examples(*lines))(module.command)
