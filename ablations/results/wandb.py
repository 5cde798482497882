"""Read finished runs of a W&B project as the frames of `runs`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ablations.results.runs import SCORES, frame
from distill.run.formats import upgraded
from distill.stages import Stage


def wandb_runs(path: str, study: str | None = None) -> pd.DataFrame:
    """The finished cells of a W&B project in the columns of `ablations.results.runs.runs`.

    Args:
        path: `entity/project`.
        study: only this group's; None: all.

    Raises:
        ValueError: W&B has no such project, or a run lacks what `distill.run.tracking` writes;
        names
            it.
    """
    return frame(_records(path, study))


def _records(path: str, study: str | None) -> Iterator[tuple[Path, dict[str, Any]]]:
    """What a `run.json` holds, of every cell; of a cell that was tracked twice, the last time."""
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
        raise ValueError(f"W&B run {place} has no {', '.join(missing)}; no run of this program")
    config = upgraded(json.loads(summary["config"]), summary.get("format", 1))
    benchmarks = config["evaluation"]["benchmarks"]
    scores = {name: _below(summary, f"{name}/") for name in benchmarks}
    stages = {s.value: _below(summary, f"stages/{s.value}/") for s in Stage}
    return {
        "cell": summary["cell"],
        "label": summary["label"],
        "study": config["study"],
        "commit": summary.get("commit"),
        "config": config,
        "stages": {
            name: {"summary": told, "seconds": summary[f"seconds/{name}"]}
            for name, told in stages.items()
            if f"seconds/{name}" in summary
        },
        "scores": {
            name: {
                "summary": dict.fromkeys(SCORES) | told,  # W&B keeps no empty values
                "seconds": summary.get(f"seconds/evaluate/{name}"),
            }
            for name, told in scores.items()
            if "accuracy" in told
        },
    }


def _below(summary: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name[len(prefix) :]: v for name, v in summary.items() if name.startswith(prefix)}
