"""What `python -m ablations COMMAND` does. Each takes the parsed line, and gives the exit code."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablations.studies.plan import Planned


def plan_command(asked: argparse.Namespace) -> int:
    """What a study would make, cell by cell, and what of it exists."""
    from rich.console import Console

    from ablations.commands.plan import plan_table

    Console().print(plan_table(_planned(asked.study, asked.overrides)))
    return 0


def status_command(asked: argparse.Namespace) -> int:
    """What became of every cell; exit code 0 only if all are done."""
    from rich.console import Console

    from ablations.commands.status import status

    text, done = status(_planned(asked.study, asked.overrides))
    Console().print(text)
    return 0 if done else 1


def table_command(asked: argparse.Namespace) -> int:
    """Scores by arm; or a paper's table, ours beside it."""
    from ablations.commands.table import Request, tabulate

    request = Request(asked.table, asked.study, asked.overrides, asked.runs, asked.arms)
    _tell(tabulate(request, asked.format), asked.out)
    return 0


def show_command(asked: argparse.Namespace) -> int:
    """One trace before and after its damage, marked."""
    from rich.console import Console

    from ablations.show.html import trace_page
    from ablations.show.trace import render, show
    from ablations.studies.cells import Studies
    from distill.store.artifacts import Store

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
    from ablations.report.html import Request, report

    page = report(Request(asked.study, asked.overrides, asked.runs))
    _tell(page, asked.out or Path(f"{asked.study}.html"))
    return 0


def explain_command(asked: argparse.Namespace) -> int:
    """Which fields make two runs differ."""
    import re
    import shlex

    from rich.console import Console

    from ablations.commands.explain import Identity, explain, of_plan, of_record
    from ablations.studies.cells import Studies
    from ablations.studies.plan import plan

    studies = Studies()

    def identity(text: str) -> Identity:
        if re.fullmatch(r"[0-9a-f]{4,64}", text):
            return of_record(text, Path(asked.runs))
        return of_plan(plan([studies.one(shlex.split(text))])[0])

    Console().print(explain(identity(asked.a), identity(asked.b)))
    return 0


def import_command(asked: argparse.Namespace) -> int:
    """Outputs made elsewhere become runs; our verdicts beside theirs."""
    from ablations.imports.runs import Request, import_file, text

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
    from ablations.results.collect import collect

    out = asked.out or Path("analysis", "results", asked.study)
    count = collect(asked.runs or Path("runs", asked.study), out)
    print(f"{count} run(s) in {out}")
    return 0


def wandb_report_command(asked: argparse.Namespace) -> int:
    """A study as a W&B report; needs a login, except for --dry-run."""
    from ablations.report.wandb import report, save, spec

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
    from ablations.report.wandb import sweep

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


def _planned(study: str, overrides: Sequence[str]) -> "list[Planned]":
    from ablations.studies.cells import Studies
    from ablations.studies.plan import plan

    return plan(Studies().cells(study, overrides))
