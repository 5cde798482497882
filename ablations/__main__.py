"""Questions about studies: `python -m ablations COMMAND`. Nothing here trains."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from ablations import commands

Command = Callable[[argparse.Namespace], int]

EXAMPLES = """\
examples
  python -m ablations plan table2 training.seed=0,1,2
  python -m ablations status demo
  python -m ablations table demo --format csv --out demo.csv
  python -m ablations report table2 --runs analysis/results/table2
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


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; overrides may also follow an option, which argparse alone forbids."""
    parser = _parser()
    asked, more = parser.parse_known_args(arguments)
    if more and ("overrides" not in asked or any(text.startswith("-") for text in more)):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    if more:
        asked.overrides += more
    return asked


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m ablations",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ablations {version('distill')}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Command, *examples: str) -> argparse.ArgumentParser:
        doc = command.__doc__
        lines = "\n".join(["examples", *(f"  python -m ablations {name} {e}" for e in examples)])
        form = argparse.RawDescriptionHelpFormatter
        made = subparsers.add_parser(
            name, help=doc, description=doc, epilog=lines, formatter_class=form
        )
        made.set_defaults(command=command)
        return made

    for name, command, examples in (
        ("plan", commands.plan_command, ("demo", "table2 training.seed=0,1,2 world=paper")),
        ("status", commands.status_command, ("demo", "table2 training.seed=0,1,2")),
    ):
        asking = add(name, command, *examples)
        asking.add_argument("study", help="a file in conf/study/, or `single`")
        _add_overrides(asking)
    _add_table(add)
    reporting = add(
        "report",
        commands.report_command,
        "demo",
        "table2 --runs analysis/results/table2 --out page.html",
    )
    reporting.add_argument("study", help="a file in conf/study/, or `single`")
    _add_overrides(reporting)
    reporting.add_argument("--runs", type=Path, help="recorded runs; default: the study's")
    reporting.add_argument("--out", type=Path, help="page to write; default: STUDY.html")
    _add_import(add)
    collecting = add("collect", commands.collect_command, "table2 --out analysis/results/table2")
    collecting.add_argument("study", help="whose runs are in runs/STUDY")
    collecting.add_argument("--runs", type=Path, help="folder of the runs; default: runs/STUDY")
    collecting.add_argument("--out", type=Path, help="default: analysis/results/STUDY")
    _add_wandb(add)
    showing = add(
        "show",
        commands.show_command,
        "corruption=random_digits --trace 3",
        "corruption=delete_steps --html deleted.html",
    )
    _add_overrides(showing)
    showing.add_argument("--trace", help="id, or place from 0; default: the first damaged")
    showing.add_argument("--html", type=Path, help="page to write, instead of printing")
    explaining = add(
        "explain",
        commands.explain_command,
        '"corruption=none" "corruption=none training.seed=1"',
        "3f2a 9c41",
    )
    for name in ("a", "b"):
        explaining.add_argument(
            name, help="overrides in quotes, or the first digits of a run's key"
        )
    explaining.add_argument("--runs", default="runs", help="where runs are; default: runs")
    return parser


def _add_table(add: Callable[..., argparse.ArgumentParser]) -> None:
    asking = add(
        "table",
        commands.table_command,
        "demo",
        "table2 --format csv --out table2.csv",
        "table5 --study table2 --runs analysis/results/table2",
        "r1_table5 --format latex",
    )
    asking.add_argument(
        "table",
        help="a paper's table (table1 to table7, r1_table5, r1_table6): ours, published, "
        "difference, and the arms behind; or a study: its arms; or imported runs: both verdicts",
    )
    _add_overrides(asking)
    asking.add_argument("--study", help="for a paper's table; default: the one that runs its arms")
    asking.add_argument("--runs", type=Path, help="folder of recorded runs; default: the study's")
    asking.add_argument("--arms", action="store_true", help="of a paper's table only the arms")
    formats = ("md", "latex", "csv", "html")
    asking.add_argument("--format", choices=formats, default="md", help="default: md")
    asking.add_argument("--out", type=Path, help="file to write, instead of printing")


def _add_import(add: Callable[..., argparse.ArgumentParser]) -> None:
    importing = add(
        "import",
        commands.import_command,
        "out.jsonl --run qwq --benchmark aime24 "
        "--columns question=problem,answer=gold,response=text",
        "all.jsonl --run @run --benchmark @benchmark --prompt sky_t1 "
        "--columns question=question,answer=gold,response=thought+solution,verdict=correct",
        "samples_gsm8k.jsonl --run qwen --benchmark gsm8k --format lm_eval",
    )
    importing.add_argument("file", type=Path, help="JSON lines, a JSON array, or Parquet")
    for name in ("run", "benchmark"):
        importing.add_argument(f"--{name}", required=True, help="a name, or @COLUMN that holds it")
    importing.add_argument(
        "--columns",
        help="FIELD=COLUMN,...: question, answer, response, verdict, tokens, truncated; "
        "a.b looks inside, a|b takes the first there is, a+b joins",
    )
    formats = ("json_lines", "lm_eval", "lighteval")
    importing.add_argument(
        "--format", choices=formats, default=formats[0], help=f"default: {formats[0]}"
    )
    importing.add_argument("--kind", default="math", help="of the problems; default: math")
    importing.add_argument(
        "--prompt", default="plain", help="in conf/prompt/: where thoughts end; default: plain"
    )
    importing.add_argument("--study", default="imported", help="default: imported")
    importing.add_argument("--runs", type=Path, default=Path("runs"), help="default: runs")
    _add_overrides(importing)


def _add_wandb(add: Callable[..., argparse.ArgumentParser]) -> None:
    reporting = add(
        "wandb-report",
        commands.wandb_report_command,
        "demo --dry-run",
        "table2 --entity my-team --project distill",
    )
    sweeping = add("wandb-sweep", commands.wandb_sweep_command, "table2 --out sweep.yaml")
    for command in (reporting, sweeping):
        command.add_argument("study", help="a file in conf/study/")
        _add_overrides(command)
    reporting.add_argument(
        "--runs", type=Path, help="folder of recorded runs; default: the study's"
    )
    reporting.add_argument("--entity", help="W&B user or team; default: tracking.entity")
    reporting.add_argument("--project", help="default: tracking.project")
    reporting.add_argument("--dry-run", action="store_true", help="print its spec as JSON")
    sweeping.add_argument("--out", type=Path, help="file to write, instead of printing")


def _add_overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("overrides", nargs="*", help="as for `python -m distill`")


if __name__ == "__main__":
    sys.exit(main())
