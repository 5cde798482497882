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
    """Scores by arm; or a paper's table, ours beside it."""
    from ablations.tabulate import Request, tabulate

    request = Request(asked.table, asked.study, asked.overrides, asked.runs, asked.arms)
    _tell(tabulate(request, asked.format), asked.out)
    return 0


def show_command(asked: argparse.Namespace) -> int:
    """One trace before and after its damage, marked."""
    from rich.console import Console

    from ablations.show import render, show
    from ablations.show_html import trace_page
    from ablations.studies import Studies
    from distill.store import Store

    config = Studies().one(asked.overrides).config
    shown = show(config, asked.trace, Store(Path(config.artifacts)))
    if asked.html:
        _tell(trace_page(shown), asked.html)
    else:
        console = Console()
        console.print(render(shown, console))
    return 0


def report_command(asked: argparse.Namespace) -> int:
    """A study as one HTML page that needs nothing else."""
    from ablations.report import Request, report

    page = report(Request(asked.study, asked.overrides, asked.runs))
    _tell(page, asked.out or Path(f"{asked.study}.html"))
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


def import_command(asked: argparse.Namespace) -> int:
    """Outputs made elsewhere become runs; our verdicts beside theirs."""
    from ablations.imports import Request, import_file, text

    columns = dict(_pair(text) for text in asked.columns.split(",")) if asked.columns else {}
    request = Request(
        file=asked.file,
        run=asked.run,
        benchmark=asked.benchmark,
        columns=columns,
        form=asked.format,
        kind=asked.kind,
        prompt=asked.prompt,
        study=asked.study,
        runs=asked.runs,
        overrides=asked.overrides,
    )
    print(text(import_file(request)), end="")
    print(f"\nrecords: {asked.runs / asked.study}/*/run.json; responses beside them")
    return 0


def collect_command(asked: argparse.Namespace) -> int:
    """Copy a study's records and sample rows, without texts, to a folder that can be kept."""
    from ablations.collect import collect

    out = asked.out or Path("analysis", "results", asked.study)
    count = collect(asked.runs or Path("runs", asked.study), out)
    print(f"{count} run(s) in {out}")
    return 0


def wandb_report_command(asked: argparse.Namespace) -> int:
    """A study as a W&B report; needs a login, except for --dry-run."""
    from ablations.wandb_reports import report, save, spec

    made = report(asked.study, asked.overrides, asked.runs, asked.entity, asked.project)
    if asked.dry_run:
        print(spec(made))
        return 0
    try:
        print(save(made))
    except Exception as error:  # wandb raises bare ones where there is no login
        raise ValueError(f"W&B: {error}. Log in (wandb login), or add --dry-run") from error
    return 0


def wandb_sweep_command(asked: argparse.Namespace) -> int:
    """A study as a W&B sweep: YAML for `wandb sweep`, run by `wandb agent`."""
    from ablations.wandb_reports import sweep

    _tell(sweep(asked.study, asked.overrides), asked.out)
    return 0


def _tell(text: str, out: Path | None) -> None:
    """Write a text where it was asked for, and say so; else print it."""
    if out:
        out.write_text(text, encoding="utf-8")
        print(f"wrote {out}")
    else:
        print(text, end="")


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise ValueError(f"--columns takes FIELD=COLUMN pairs parted by commas, got {text!r}")
    return name.strip(), value.strip()


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
    ):
        asking = add(name, command, *examples)
        asking.add_argument("study", help="a file in conf/study/, or `single`")
        _add_overrides(asking)
    _add_table(add)
    reporting = add(
        "report", report_command, "demo", "table2 --runs analysis/results/table2 --out page.html"
    )
    reporting.add_argument("study", help="a file in conf/study/, or `single`")
    _add_overrides(reporting)
    reporting.add_argument("--runs", type=Path, help="recorded runs; default: the study's")
    reporting.add_argument("--out", type=Path, help="page to write; default: STUDY.html")
    _add_import(add)
    collecting = add("collect", collect_command, "table2 --out analysis/results/table2")
    collecting.add_argument("study", help="whose runs are in runs/STUDY")
    collecting.add_argument("--runs", type=Path, help="folder of the runs; default: runs/STUDY")
    collecting.add_argument("--out", type=Path, help="default: analysis/results/STUDY")
    _add_wandb(add)
    showing = add(
        "show",
        show_command,
        "corruption=random_digits --trace 3",
        "corruption=delete_steps --html deleted.html",
    )
    _add_overrides(showing)
    showing.add_argument("--trace", help="id, or place from 0; default: the first damaged")
    showing.add_argument("--html", type=Path, help="page to write, instead of printing")
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


def _add_table(add: Callable[..., argparse.ArgumentParser]) -> None:
    asking = add(
        "table",
        table_command,
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
        import_command,
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
        wandb_report_command,
        "demo --dry-run",
        "table2 --entity my-team --project distill",
    )
    sweeping = add("wandb-sweep", wandb_sweep_command, "table2 --out sweep.yaml")
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
