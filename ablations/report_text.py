"""A study section by section, as Markdown: what a report says without drawing."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ablations import claims, formats, markdown
from ablations.formats import Grid
from ablations.records import read
from ablations.responses import GRADED
from ablations.runs import COUNTS, asked_runs, runs, samples
from ablations.settings import SETTINGS
from ablations.slopes import slopes, slopes_grid, slopes_sentence
from ablations.studies import Cell, Studies
from ablations.tables import SECTION, in_sections, table
from distill.cells import FAILED
from distill.config import Config

if TYPE_CHECKING:
    from ablations.show import Shown
    from distill.store import Store

TRACES = 3
"""Damaged traces that are shown, of different operators."""

CHARACTERS = 1500
"""Of each side of a shown trace."""

NOTHING = "Nothing has been run yet."


@dataclass(frozen=True)
class Study:
    """What a study asked for, and what came of it."""

    cells: Sequence[Cell]
    folder: Path
    runs: pd.DataFrame
    samples: pd.DataFrame
    arms: pd.DataFrame
    """See `ablations.tables.table`; with the arms that have not run."""

    @classmethod
    def read(cls, name: str, overrides: Sequence[str], folder: Path | None) -> "Study":
        """A study's cells, and the runs recorded in a folder (None: its own in `runs/`)."""
        cells = Studies().cells(name, overrides)
        config = cells[0].config
        where = folder or Path(config.runs) / config.study.name
        done = runs(where) if where.is_dir() else runs_of_none()
        graded = samples(where, GRADED) if len(done) else pd.DataFrame()
        planned = asked_runs(cells)
        asked = in_sections(planned, done) if folder else planned
        return cls(cells, where, done, graded, table(done, graded, asked))

    @cached_property
    def benchmarks(self) -> list[str]:
        """Those of the first cell."""
        return sorted(self.cells[0].config.evaluation.benchmarks)

    @cached_property
    def sections(self) -> list[tuple[str, pd.DataFrame]]:
        """The damaged and correct runs that can be compared, by benchmark and settings."""
        trained = self.runs[(self.runs["method"] != "none") & self.runs["benchmark"].notna()]
        return [
            (_section(part), part)
            for _, part in trained.groupby(["benchmark", *SETTINGS], sort=False)
        ]


def runs_of_none() -> pd.DataFrame:
    """No run, in the columns of `runs`."""
    return asked_runs([])


def answer(study: Study) -> str:
    """The hypothesis, and structure against content in a sentence a section."""
    lines = [f"Expected: {study.cells[0].config.study.hypothesis}"]
    for name, part in study.sections:
        try:
            found = claims.sentence(*claims.structure_minus_content(part, study.samples))
        except ValueError as error:
            found = f"no answer yet: {error}."
        lines.append(f"**{name}.** {found}")
    if not study.sections:
        lines.append(NOTHING)
    return "\n\n".join(lines)


def effects(study: Study) -> str:
    """Differences to correct traces, as a forest plot has them."""
    done = study.arms[(study.arms["state"] == "done") & study.arms["difference"].notna()]
    rows = [
        (
            arm["arm"],
            arm["kind"],
            _section(arm),
            markdown.interval(
                arm["difference"], arm["difference_low"], arm["difference_high"], "+"
            ),
            f"{arm['p_holm']:.2g}",
        )
        for _, arm in done.iterrows()
    ]
    header = ("arm", "damages", "section", "points against correct [95 %]", "p (Holm)")
    return _table("Differences to correct traces", header, rows)


def doses(study: Study) -> str:
    """Slopes from no damage to full damage, by operator, and of structure against content."""
    found = slopes(study.runs, study.samples) if len(study.runs) else pd.DataFrame()
    if found.empty:
        return NOTHING
    parts = []
    for _, part in found.groupby(list(SECTION), sort=False, dropna=False):
        parts += [slopes_sentence(part), formats.markdown([slopes_grid(part, _section(part))], "")]
    return "\n\n".join(parts)


def scores(study: Study) -> str:
    """The table of the study's arms."""
    return markdown.markdown(study.arms)


def lengths(study: Study) -> str:
    """What responses look like, by arm."""
    done = study.arms[study.arms["state"] == "done"]
    rows = [
        (
            arm["arm"],
            _section(arm),
            _number(100 * arm["truncated"], "{:.1f} %"),
            _number(arm["tokens"], "{:.0f}"),
            _number(arm["keywords"], "{:.2f}"),
        )
        for _, arm in done.iterrows()
    ]
    return _table(
        "Means of a response", ("arm", "section", "truncated", "tokens", "keywords"), rows
    )


def power(study: Study) -> str:
    """The smallest differences that the study could show."""
    from rich.console import Console

    from ablations.plan import plan
    from ablations.power_table import power_table

    console = Console(file=io.StringIO(), width=100, color_system=None)
    with console.capture() as captured:
        console.print(power_table(plan(study.cells)))
    return f"```\n{captured.get().strip()}\n```"


def traces(study: Study) -> str:
    """Damaged traces before and after, of operators whose artifacts are on this machine."""
    parts = []
    for shown in _shown(study):
        from ablations.show import facts, sides, text

        old, new = (text(pieces, False).plain[:CHARACTERS] for pieces in sides(shown))
        parts.append("\n".join([*facts(shown), f"\n```\n{old}\n```\nbecomes\n```\n{new}\n```"]))
    if not parts:
        return "No damaged traces of this study are on this machine."
    note = f"The first {CHARACTERS} characters of each; whole: `python -m ablations show`."
    return "\n\n".join([*parts, note])


def cost(study: Study) -> str:
    """Wall time by stage and tokens of evaluation, summed over the runs recorded here."""
    if study.runs.empty:
        return NOTHING
    once = study.runs.drop_duplicates("cell")
    stages = [name for name in COUNTS if name.startswith("seconds_")]
    rows = [
        (name.removeprefix("seconds_"), f"{once[name].astype(float).sum():.0f}") for name in stages
    ]
    rows.append(("evaluate", f"{study.runs['seconds_evaluate'].astype(float).sum():.0f}"))
    tokens = (study.runs["tokens"] * study.runs["problems"] * study.runs["samples"]).astype(float)
    note = f"\n\nTokens sampled in evaluation: {tokens.sum():.0f}. Shared stages count in each run."
    return _table("Seconds", ("stage", "seconds"), rows) + note


def configs(study: Study) -> str:
    """The command of every cell, and the commits that its records name."""
    commits = sorted({str(commit) for commit in study.runs["commit"].dropna()})
    commands = "\n".join(f"python -m distill {' '.join(cell.overrides)}" for cell in study.cells)
    return f"Commits: {', '.join(commits) or 'none recorded'}.\n\n```\n{commands}\n```"


def missing(study: Study) -> str:
    """Arms that have not run, and why cells failed."""
    lines = [
        f"* {arm['arm']}: {_section(arm)}: not run"
        for _, arm in study.arms[study.arms["state"] != "done"].iterrows()
    ]
    for path in sorted(study.folder.glob(f"*/{FAILED}")):
        failure = read(path)
        lines.append(f"* failed: {failure['label']}: {failure['why']}")
    return "\n".join(lines) or "Nothing: every arm has run."


SECTIONS: dict[str, Callable[[Study], str]] = {
    "The answer": answer,
    "Effects": effects,
    "Dose and response": doses,
    "Scores": scores,
    "Truncation, tokens, keywords": lengths,
    "Power": power,
    "Traces": traces,
    "Time and tokens": cost,
    "Configs": configs,
    "Missing": missing,
}
"""Title -> text, in the order of a report."""


def _shown(study: Study) -> "Iterator[Shown]":
    from ablations.show import show
    from distill.store import Store

    operators: set[str] = set()
    for cell in study.cells:
        name, store = cell.config.corruption.name, Store(Path(cell.config.artifacts))
        if (
            len(operators) < TRACES
            and name not in {"none", *operators}
            and _made(cell.config, store)
        ):
            operators.add(name)
            yield show(cell.config, None, store)


def _made(config: Config, store: "Store") -> bool:
    """Whether the damaged traces of a run are here."""
    from ablations.show import until_corrupt
    from distill import pipeline

    steps = pipeline.run(until_corrupt(config), store.artifact)
    return bool(steps) and all(step.artifact.exists for step in steps)


def _section(of: pd.DataFrame | pd.Series) -> str:
    """What tells most sections apart, of an arm or of all in one."""
    first = of.iloc[0] if isinstance(of, pd.DataFrame) else of
    return f"{first['benchmark']}, {first['student']}"


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return formats.markdown([Grid(title, header, rows)], "") if rows else NOTHING


def _number(value: float, form: str) -> str:
    return "" if pd.isna(value) else form.format(value)
