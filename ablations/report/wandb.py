"""W&B: a study as a report and as a sweep, and its runs read back into the frames of `runs`."""

import json
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablations.findings.study import Request, read_study
from ablations.report import parts as report_parts
from ablations.report.markdown import markdown
from ablations.report.parts import parts
from ablations.studies.cells import Studies

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2 import Report

COMMAND = "set -f; exec python -m distill hydra.mode=RUN tracking.mode=online ${0#cell=}"
"""What `wandb agent` has a shell run: the overrides of a cell come as one parameter."""


def report(
    study: str,
    overrides: Sequence[str] = (),
    folder: Path | None = None,
    entity: str | None = None,
    project: str | None = None,
) -> "Report":
    """A study as a W&B report: its page as text, W&B's own panels where they show the runs.

    Args:
        study: a file in `conf/study/`.
        overrides: as on the command line.
        folder: recorded runs; None: the study's in `runs/`.
        entity: W&B user or team; None: as `tracking.entity`, and at last the login's own.
        project: None: as `tracking.project`.

    Raises:
        FileNotFoundError: the folder that was named is not there.
        ValueError: no such study, or a record is broken; see `ablations.results.runs`.
    """
    from wandb_workspaces.reports import v2 as wr

    told = read_study(Request(study, overrides, folder))
    config = told.cells[0].config
    place: dict[str, Any] = {
        "entity": entity or config.tracking.entity or "",
        "project": project or config.tracking.project,
    }
    blocks: list[Any] = []
    for part in parts(told):
        blocks.append(wr.H1(part.title))
        for passage in part.passages:
            title = passage.title or part.title
            blocks += [wr.H2(title)] if passage.title else []
            blocks.append(wr.MarkdownBlock(markdown(passage.blocks)))
            if panels := _panels(title, told.runs if part.runs is None else part.runs):
                shown = wr.Runset(**place, name=study, filters=_filters(study, part.runs))
                blocks.append(wr.PanelGrid(runsets=[shown], panels=panels))
    return wr.Report(
        **place,
        title=f"Study {study}",
        description=config.study.hypothesis,
        blocks=blocks,
        width="fluid",
    )


def _filters(study: str, runs: pd.DataFrame | None) -> str:
    """Selects runs, or None: all of the study; a cell's key is the id of its run."""
    ids = "" if runs is None else f" and Metric('ID') in {sorted(set(runs['cell']))}"
    return f"Group = '{study}'{ids}"


def _panels(title: str, runs: pd.DataFrame) -> list[Any]:
    """What W&B draws from the runs themselves below a title, on each of their benchmarks."""
    from wandb_workspaces.reports import v2 as wr

    names = sorted(runs["benchmark"].dropna().unique())
    damage = wr.Config("corruption.kind")

    def scored(what: str = "accuracy") -> list[tuple[str, Any]]:
        return [(f"{name}: {what}", wr.SummaryMetric(f"{name}/{what}")) for name in names]

    match title:
        case report_parts.EFFECTS:
            return [wr.BarPlot(title=t, metrics=[m], groupby=damage) for t, m in scored()]
        case report_parts.DOSES:
            fraction = wr.Config("corruption.fraction")
            return [wr.ScatterPlot(title=t, x=fraction, y=m) for t, m in scored()]
        case report_parts.RESPONSES:
            means = [one for what in ("truncated", "tokens", "keywords") for one in scored(what)]
            return [wr.BarPlot(title=t, metrics=[m], groupby=damage) for t, m in means]
        case report_parts.SIZES:
            size = wr.Config("size.traces")
            return [wr.ScatterPlot(title=t, x=size, y=m) for t, m in scored()]
        case report_parts.STUDENTS:
            student = wr.Config("student.name")
            return [wr.BarPlot(title=t, metrics=[m], groupby=student) for t, m in scored()]
        case report_parts.SPENT:
            return [wr.LinePlot(title="training", x="train/step", y=["train/loss"])]
        case report_parts.CONFIGS:
            return [wr.RunComparer(diff_only="split")]
    return []


def spec(made: "Report") -> str:
    """What would be sent, as JSON; needs no login."""
    made = deepcopy(made)
    for block in made.blocks:
        for runset in getattr(block, "runsets", ()):
            runset.entity = ""  # else W&B is asked for the project's number
    model = made._to_model()  # the package has no public way to its own wire format
    told = {"title": made.title, "entity": made.entity, "project": made.project}
    blocks = json.loads(model.spec.model_dump_json(by_alias=True, exclude_none=True))
    return json.dumps(told | {"description": made.description, "spec": blocks}, indent=1)


def save(made: "Report") -> str:
    """Send a report; returns its address.

    Raises:
        wandb.errors.UsageError: there is no login.
    """
    import wandb

    made.entity = made.entity or str(wandb.Api().default_entity)
    return made.save().url


def sweep(study: str, overrides: Sequence[str] = ()) -> str:
    """A study as YAML for `wandb sweep`: a grid of its cells, each a line of overrides.

    A study is a union of grids, which W&B's parameters cannot say one by one. `wandb agent` then
    drives `python -m distill`; what is done already is not done again.

    Raises:
        ValueError: no such study, or an override with a blank, which the agent's shell would part.
    """
    import yaml

    cells = Studies().cells(study, overrides)
    torn = [text for cell in cells for text in cell.overrides if any(map(str.isspace, text))]
    if torn:
        raise ValueError(f"an override of a W&B sweep cannot hold a blank: {torn[0]!r}")
    config = cells[0].config
    told = {
        "name": study,
        "description": config.study.hypothesis,
        "project": config.tracking.project,
        "method": "grid",
        "command": ["${env}", "sh", "-c", COMMAND, "${args_no_hyphens}"],
        "parameters": {"cell": {"values": [" ".join(cell.overrides) for cell in cells]}},
    }
    return yaml.safe_dump(told, sort_keys=False, width=1000)
