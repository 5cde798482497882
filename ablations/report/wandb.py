"""Writes a study as a W&B report and as a W&B sweep."""

import json
import shlex
from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablations.findings.study import Request, read_study
from ablations.report.blocks import Panels
from ablations.report.markdown import markdown
from ablations.report.parts import parts
from ablations.studies.cells import Studies

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2 import Report

COMMAND = 'eval "exec python -m distill hydra.mode=RUN tracking.mode=online ${0#cell=}"'
"""The command line that `wandb agent` runs in a shell: a run's overrides are one parameter, quoted
as for a shell."""


def report(asked: Request, entity: str | None = None, project: str | None = None) -> "Report":
    """A study as a W&B report: the parts of its page as text, with W&B's panels of the runs.

    Args:
        asked: the study, and the folder of its runs.
        entity: W&B user or team; None: as `tracking.entity`, else that of the login.
        project: None: as `tracking.project`.

    Errors are those of `read_study`.
    """
    from wandb_workspaces.reports import v2 as wr

    found = read_study(asked)
    study, config = asked.study, found.cells[0].config
    place: dict[str, Any] = {
        "entity": entity or config.tracking.entity or "",
        "project": project or config.tracking.project,
    }
    blocks: list[Any] = []
    for part in parts(found):
        blocks.append(wr.H1(part.title))
        for passage in part.passages:
            blocks += [wr.H2(passage.title)] if passage.title else []
            blocks.append(wr.MarkdownBlock(markdown(passage.blocks)))
            if passage.panels is not None:
                runs = found.runs if part.runs is None else part.runs
                shown = wr.Runset(**place, name=study, filters=_filters(study, part.runs))
                panels = _panels(passage.panels, runs)
                blocks.append(wr.PanelGrid(runsets=[shown], panels=panels))
    return wr.Report(
        **place,
        title=f"Study {study}",
        description=config.study.hypothesis,
        blocks=blocks,
        width="fluid",
    )


def _filters(study: str, runs: pd.DataFrame | None) -> str:
    """A W&B filter for these runs, whose keys are their W&B ids; None: all of the study."""
    ids = "" if runs is None else f" and Metric('ID') in {sorted(set(runs['cell']))}"
    return f"Group = '{study}'{ids}"


def _panels(panels: Panels, runs: pd.DataFrame) -> list[Any]:
    """W&B's own charts of the runs, one per benchmark where they show scores."""
    from wandb_workspaces.reports import v2 as wr

    names = sorted(runs["benchmark"].dropna().unique())

    def scored(*means: str) -> list[tuple[str, Any]]:
        pairs = [(name, what) for what in means for name in names]
        return [(f"{name}: {what}", wr.SummaryMetric(f"{name}/{what}")) for name, what in pairs]

    def bars(field: str, *means: str) -> list[Any]:
        by = wr.Config(field)
        return [wr.BarPlot(title=t, metrics=[m], groupby=by) for t, m in scored(*means)]

    def points(field: str) -> list[Any]:
        x = wr.Config(field)
        return [wr.ScatterPlot(title=t, x=x, y=m) for t, m in scored("accuracy")]

    match panels:
        case Panels.accuracy_by_corruption:
            return bars("corruption.kind", "accuracy", "accuracy_boxed", "undecided")
        case Panels.accuracy_by_rate:
            return points("corruption.fraction")
        case Panels.responses_by_corruption:
            return bars("corruption.kind", "truncated", "tokens", "keywords")
        case Panels.accuracy_by_size:
            return points("size.traces")
        case Panels.accuracy_by_student:
            return bars("student.name", "accuracy")
        case Panels.training_loss:
            return [wr.LinePlot(title="training", x="train/step", y=["train/loss"])]
        case Panels.configs:
            return [wr.RunComparer(diff_only="split")]


def spec(made: "Report") -> str:
    """The report as the JSON that would be sent; needs no login."""
    made = deepcopy(made)
    for block in made.blocks:
        for runset in getattr(block, "runsets", ()):
            runset.entity = ""  # otherwise W&B is asked for the id of the project
    model = made._to_model()  # the package has no public way to its own wire format
    head = {"title": made.title, "entity": made.entity, "project": made.project}
    blocks = json.loads(model.spec.model_dump_json(by_alias=True, exclude_none=True))
    return json.dumps(head | {"description": made.description, "spec": blocks}, indent=1)


def save(made: "Report") -> str:
    """Send a report; returns its address.

    Raises:
        wandb.errors.UsageError: there is no login.
    """
    import wandb

    made.entity = made.entity or str(wandb.Api().default_entity)
    return made.save().url


def sweep(study: str, overrides: Sequence[str] = ()) -> str:
    """A study as YAML for `wandb sweep`: one parameter whose values are the overrides of each run.

    A study is a union of grids, which W&B cannot express with one parameter per field.
    `wandb agent` runs `python -m distill` for each value; finished runs are skipped.

    Raises:
        ValueError: no such study.
    """
    import yaml

    cells = Studies().cells(study, overrides)
    config = cells[0].config
    described = {
        "name": study,
        "description": config.study.hypothesis,
        "project": config.tracking.project,
        "method": "grid",
        "command": ["${env}", "sh", "-c", COMMAND, "${args_no_hyphens}"],
        "parameters": {"cell": {"values": [shlex.join(cell.overrides) for cell in cells]}},
    }
    return yaml.safe_dump(described, sort_keys=False, width=1000)
