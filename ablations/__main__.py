"""Questions about studies: `python -m ablations COMMAND`. Nothing here trains."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablations.plan import Planned

Command = Callable[[argparse.Namespace], int]

EXAMPLES = """\
examples
  python -m ablations plan table2 training.seed=0,1,2
  python -m ablations status demo
  python -m ablations table demo --format csv --out demo.csv
  python -m ablations show corruption=shuffle_steps corruption.fraction=0.67 --trace 3
  python -m ablations explain "corruption=none training.seed=0" "corruption=none training.seed=1"
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; exit code 1: a wrong request, or a study that is not all done."""
    asked = _arguments(arguments)
    try:
        return asked.command(asked)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"ablations: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        if not type(error).__module__.startswith(("hydra.", "omegaconf.")):
            raise
        print(f"ablations: {error}", file=sys.stderr)
        return 1


def plan_command(asked: argparse.Namespace) -> int:
    """What a study would make, cell by cell, and what of it exists."""
    from rich.console import Console

    from ablations.plan_table import plan_table

    Console().print(plan_table(_planned(asked.study, asked.overrides)))
    return 0


def status_command(asked: argparse.Namespace) -> int:
    """What became of every cell; exit code 0 only if all are done."""
    from rich.console import Console

    from ablations.status import status

    text, done = status(_planned(asked.study, asked.overrides))
    Console().print(text)
    return 0 if done else 1


def table_command(asked: argparse.Namespace) -> int:
    """Scores by arm: n, intervals, differences to correct traces."""
    from ablations.markdown import markdown
    from ablations.runs import planned_runs, runs, samples
    from ablations.tables import table

    planned = _planned(asked.study, asked.overrides)
    folder = planned[0].folder.parent
    made = table(runs(folder), samples(folder), planned_runs(planned))
    text = made.to_csv(index=False) if asked.format == "csv" else markdown(made) + "\n"
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


def show_command(asked: argparse.Namespace) -> int:
    """One trace before and after its damage, marked."""
    from rich.console import Console

    from ablations.show import render, show
    from ablations.studies import Studies
    from distill.store import Store

    config = Studies().one(asked.overrides).config
    console = Console()
    shown = show(config, asked.trace, Store(Path(config.artifacts)))
    console.print(render(shown, console))
    return 0


def explain_command(asked: argparse.Namespace) -> int:
    """Which fields make two runs differ."""
    import re
    import shlex

    from rich.console import Console

    from ablations.explain import Identity, explain, of_plan, of_record
    from ablations.plan import plan
    from ablations.studies import Studies

    studies = Studies()

    def identity(text: str) -> Identity:
        if re.fullmatch(r"[0-9a-f]{4,64}", text):
            return of_record(text, Path(asked.runs))
        return of_plan(plan([studies.one(shlex.split(text))])[0])

    Console().print(explain(identity(asked.a), identity(asked.b)))
    return 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; overrides may also follow an option, which argparse alone forbids."""
    parser = _parser()
    asked, more = parser.parse_known_args(arguments)
    if more and ("overrides" not in asked or any(text.startswith("-") for text in more)):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    if more:
        asked.overrides += more
    return asked


def _planned(study: str, overrides: Sequence[str]) -> "list[Planned]":
    from ablations.plan import plan
    from ablations.studies import Studies

    return plan(Studies().cells(study, overrides))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m ablations",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Command, *examples: str) -> argparse.ArgumentParser:
        doc = command.__doc__
        lines = "\n".join(["examples", *(f"  python -m ablations {name} {e}" for e in examples)])
        form = argparse.RawDescriptionHelpFormatter
        made = commands.add_parser(
            name, help=doc, description=doc, epilog=lines, formatter_class=form
        )
        made.set_defaults(command=command)
        return made

    for name, command, examples in (
        ("plan", plan_command, ("demo", "table2 training.seed=0,1,2 world=paper")),
        ("status", status_command, ("demo", "table2 training.seed=0,1,2")),
        ("table", table_command, ("demo", "table2 --format csv --out table2.csv")),
    ):
        asking = add(name, command, *examples)
        asking.add_argument("study", help="a file in conf/study/, or `single`")
        _add_overrides(asking)
        if name == "table":
            asking.add_argument("--format", choices=("md", "csv"), default="md", help="default: md")
            asking.add_argument("--out", type=Path, help="file to write, instead of printing")
    showing = add(
        "show", show_command, "corruption=random_digits --trace 3", "corruption=delete_steps"
    )
    _add_overrides(showing)
    showing.add_argument("--trace", help="id, or place from 0; default: the first damaged")
    explaining = add(
        "explain",
        explain_command,
        '"corruption=none" "corruption=none training.seed=1"',
        "3f2a 9c41",
    )
    for name in ("a", "b"):
        explaining.add_argument(
            name, help="overrides in quotes, or the first digits of a run's key"
        )
    explaining.add_argument("--runs", default="runs", help="where runs are; default: runs")
    return parser


def _add_overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("overrides", nargs="*", help="as for `python -m distill`")


if __name__ == "__main__":
    sys.exit(main())
