"""A study as one self-contained page: its answer, what it rests on, and how to make it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from ablations import findings, formats, power_grids
from ablations.examples import examples
from ablations.figures import dose_response, forest
from ablations.markdown import NOTE, grids
from ablations.page import inline, render
from ablations.paper_figures import data_size, students
from ablations.paper_grids import paper_grids
from ablations.papers import PAPERS
from ablations.plan import plan
from ablations.power_table import comparisons
from ablations.provenance import command, configs, costs, failures, versions
from ablations.records import records
from ablations.responses import GRADED
from ablations.runs import asked_runs, runs, samples
from ablations.sections import Section, sections
from ablations.studies import Cell, Studies
from ablations.tables import in_sections, table


@dataclass(frozen=True)
class Request:
    """Which study, and of which runs."""

    study: str
    overrides: Sequence[str] = ()
    """As on the command line."""

    folder: Path | None = None
    """Recorded runs, such as `analysis/results/table2`; None: those of the study in `runs/`."""


def report(asked: Request) -> str:
    """The page, the same bytes for the same runs.

    Sections stand in the order of the tables; a study of which nothing was run has its plan.

    Raises:
        FileNotFoundError: the folder that was named is not there.
        ValueError: no such study, or a broken record; names it.
    """
    cells = Studies().cells(asked.study, asked.overrides)
    folder = asked.folder or Path(cells[0].config.runs) / cells[0].config.study.name
    there = asked.folder is not None or folder.is_dir()
    found = list(records(folder)) if there else []
    done, rows = (runs(folder), samples(folder, GRADED)) if found else (asked_runs([]), _NOTHING)
    planned = asked_runs(cells)
    arms = table(done, rows, in_sections(planned, done) if asked.folder else planned)
    made = [record for _, record in found]
    parts = sections(arms, done, rows, made)
    scored = [section for section in parts if not section.done.empty]
    shared, each = configs(made) if made else ("", None)
    return render(
        "report.html.j2",
        study=asked.study,
        hypothesis=cells[0].config.study.hypothesis,
        commands=_commands(asked),
        made=len(made),
        arms=len(arms),
        missing_arms=int((arms["state"] != "done").sum()),
        missing=_missing(parts),
        cells=[command(asked.study, cell.label) for cell in cells],
        sections=[_view(section, f"s{place}") for place, section in enumerate(scored, 1)],
        figures=_across(arms),
        published=_published(asked.study, arms),
        power=_power(cells, scored),
        power_note=power_grids.NOTE,
        examples=examples(cells, found),
        costs=_html(costs(made)) if made else None,
        versions=versions(made),
        shared=shared,
        runs=_html(each) if each else None,
        failed=_html(failures(folder)) if there else None,
        unscored=[r["label"] for r in made if not r["scores"]],
    )


@dataclass(frozen=True)
class View:
    """One section as the template takes it."""

    name: str
    title: str
    answer: str
    effects: str
    forest: Markup | None
    dose: Markup | None
    slopes: Markup | None
    table: Markup
    responses: Markup


_NOTHING = pd.DataFrame({"cell": [], "benchmark": []})


def _view(section: Section, name: str) -> View:
    arms, said = section.arms, findings.answer(section)
    effects = findings.effects(section)
    compared = section.done["difference"].notna().any()
    damaged = section.done["kind"].isin(("content", "structure")).any()
    return View(
        name=name,
        title=section.title,
        answer=said,
        effects=effects,
        forest=inline(
            forest(arms),
            f"{name}-forest",
            f"Change of accuracy to correct traces by arm, {section.title}. {effects} "
            "The numbers are in the table of this section.",
        )
        if compared
        else None,
        dose=inline(
            dose_response(arms),
            f"{name}-dose",
            f"Accuracy against the share damaged, {section.title}; ours left, published right. "
            f"{said} The numbers are in the tables of this section.",
        )
        if damaged
        else None,
        slopes=_html(findings.slopes(section)),
        table=Markup(formats.html(grids(arms), NOTE)),
        responses=_html(findings.responses(section)) or Markup(),
    )


def _missing(parts: list[Section]) -> list[str]:
    """The arms that were not run, a line a section that has any."""
    names = [
        (section.title, section.arms.loc[section.arms["state"] != "done", "arm"])
        for section in parts
    ]
    return [f"{title}: {', '.join(arms)}" for title, arms in names if len(arms)]


def _across(arms: pd.DataFrame) -> list[tuple[str, Markup]]:
    """Figures over several sections, where they differ in size or student."""
    correct = arms[(arms["kind"] == "correct") & (arms["state"] == "done")]
    figures = []
    if correct["size"].nunique() > 1:
        text = "Accuracy by traces trained on, ours and published"
        figures.append((text, inline(data_size(arms), "data-size", text)))
    if correct["student"].nunique() > 1:
        text = "Accuracy before and after training by student, ours and published"
        figures.append((text, inline(students(arms), "students", text)))
    return figures


def _published(study: str, arms: pd.DataFrame) -> list[tuple[str, Markup]]:
    """Every paper's table that runs this study's arms, ours beside it."""
    made = []
    for name, (paper, of) in PAPERS.items():
        if of == study:
            title = (paper.__doc__ or name).partition("\n")[0].rstrip(".")
            made.append((title, Markup(formats.html(*paper_grids(paper(arms), title)))))
    return made


def _power(cells: Sequence[Cell], scored: list[Section]) -> list[Markup]:
    """At the variance measured where there is one, else at the one assumed."""
    measured = [grid for section in scored if (grid := power_grids.measured_power(section))]
    grids = measured or [power_grids.assumed_power(comparisons(plan(cells)))]
    return [html for grid in grids if grid.rows and (html := _html(grid))]


def _commands(asked: Request) -> list[str]:
    """What makes the page and its tables again of the same runs."""
    folder = ["--runs", asked.folder.as_posix()] if asked.folder else []
    papers = [name for name, (_, study) in PAPERS.items() if study == asked.study]
    tables = dict.fromkeys([f"table {name}" for name in [asked.study, *papers]])
    rest = [*asked.overrides, *folder]
    return [
        " ".join(["python -m ablations", what, *rest])
        for what in (f"report {asked.study}", *tables)
    ]


def _html(grid: formats.Grid | None) -> Markup | None:
    """The grid without a note."""
    return None if grid is None else Markup(formats.html([grid], ""))
