"""Reads the finished runs of a W&B project into the frame of `ablations.results.runs`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ablations.results.runs import SCORES, frame
from distill.run.formats import upgraded, upgraded_references
from distill.stages import Stage


def wandb_runs(path: str, study: str | None = None) -> pd.DataFrame:
    """The finished runs of a W&B project in the columns of `ablations.results.runs.runs`.

    Args:
        path: `entity/project`.
        study: whose runs; None: those of all studies.

    Raises:
        ValueError: W&B has no such project, or a run lacks what `distill.run.tracking` writes;
            names it.
    """
    return frame(_records(path, study))


def _records(path: str, study: str | None) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every run in the form of `run.json`; of a run that was tracked twice, the last record."""
    import wandb

    wanted = {"jobType": "cell", "state": "finished"} | ({"group": study} if study else {})
    cells: dict[str, tuple[Path, dict[str, Any]]] = {}
    for run in wandb.Api().runs(path, wanted, lazy=False):
        place = Path(path, run.id)
        record = _record(dict(run.summary_metrics), place)
        cells[record["cell"]] = (place, record)
    yield from cells.values()


def _record(summary: Mapping[str, Any], place: Path) -> dict[str, Any]:
    missing = [name for name in ("cell", "label", "config") if name not in summary]
    if missing:
        raise ValueError(f"W&B run {place} has no {', '.join(missing)}; it is not a run of distill")
    form = summary.get("format", 1)
    config = upgraded(json.loads(summary["config"]), form)
    benchmarks = config["evaluation"]["benchmarks"]
    scores = {name: _below(summary, f"{name}/") for name in benchmarks}
    stages = {s.value: _below(summary, f"stages/{s.value}/") for s in Stage}
    return {
        "cell": summary["cell"],
        "label": summary["label"],
        "study": config["study"],
        "commit": summary.get("commit"),
        "config": config,
        "references": upgraded_references(json.loads(summary.get("references", "{}")), form),
        "stages": {
            name: {"summary": one, "seconds": summary[f"seconds/{name}"]}
            for name, one in stages.items()
            if f"seconds/{name}" in summary
        },
        "scores": {
            name: {
                "summary": dict.fromkeys(SCORES) | one,  # W&B keeps no empty values
                "seconds": summary.get(f"seconds/evaluate/{name}"),
            }
            for name, one in scores.items()
            if "accuracy" in one
        },
    }


def _below(summary: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name[len(prefix) :]: v for name, v in summary.items() if name.startswith(prefix)}
