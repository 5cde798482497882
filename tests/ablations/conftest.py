"""Runs made by hand: real configs of `conf/`, records and sample rows without any training."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from ablations.studies.cells import Cell, Studies
from distill.run.formats import FORMAT
from distill.run.record import RUN
from distill.run.references import planned

Answers = Sequence[bool | Sequence[bool | None] | None]
"""Right or wrong by problem, or by problem and sample; None is undecided."""


@pytest.fixture(scope="session")
def studies() -> Studies:
    """The studies in `conf/`."""
    return Studies()


@pytest.fixture
def make_run(tmp_path: Path, studies: Studies) -> Callable[..., Path]:
    """(overrides, right answers by problem) -> `run.json` of a run launched in `tmp_path`."""

    def make(
        overrides: Sequence[str],
        right: Answers | Mapping[str, Answers],
        name: str = "",
        samples: int = 1,
        truncated: int = 1,
    ) -> Path:
        cell = studies.one(["study=smoke", *overrides])
        return write_run(tmp_path, cell, right, name, samples, truncated)

    return make


def as_planned(cells: Sequence[Cell]) -> list[Any]:
    """Cells as a plan has them; nothing is looked up on disk."""
    return [_planned(cell, f"{number}") for number, cell in enumerate(cells)]


def write_run(
    root: Path,
    cell: Cell,
    right: Answers | Mapping[str, Answers],
    name: str = "",
    samples: int = 1,
    truncated: int = 1,
) -> Path:
    """Write the record and the rows of a run; its key is a name, since nothing was made.

    Args:
        root: where it was launched.
        cell: its config.
        right: by problem, of each of its benchmarks or by benchmark.
        name: of the run.
        samples: of a problem that has one answer in `right`; all are answered alike.
        truncated: how many problems, the first ones, have truncated responses.
    """
    key = (name or f"{abs(hash(cell.label)):x}").rjust(64, "0")
    scores = {}
    for benchmark in cell.config.evaluation.benchmarks:
        answers = right[benchmark] if isinstance(right, Mapping) else right
        artifact = Path("artifacts", "evaluate_student", f"{benchmark}-{key}")
        scores[benchmark] = _scored(root / artifact, answers, samples, truncated)
        scores[benchmark]["path"] = artifact.as_posix()
    counts = {
        "corrupt": {"units": 10, "damaged": 7, "share": 0.7, "changed": 0.25},
        "train": {"rows": 60, "dropped": 4},
    }
    trained = cell.config.training.method != "none"
    record = {
        "format": FORMAT,
        "cell": key,
        "label": cell.label,
        "study": asdict(cell.config.study),
        "config": asdict(cell.config),
        "stages": {name: _stage(summary) for name, summary in counts.items()} if trained else {},
        "scores": scores,
        "commit": None,
        "references": planned(cell.config),
    }
    folder = root / "runs" / cell.config.study.name / key[-16:]
    folder.mkdir(parents=True)
    (folder / RUN).write_text(json.dumps(record))
    return folder / RUN


def _planned(cell: Cell, key: str) -> SimpleNamespace:
    record = {
        "cell": key,
        "label": cell.label,
        "study": asdict(cell.config.study),
        "config": asdict(cell.config),
        "stages": {},
        "scores": dict.fromkeys(cell.config.evaluation.benchmarks),
        "commit": None,
        "references": planned(cell.config),
    }
    return SimpleNamespace(key=key, cell=cell, folder=None, record=lambda: record)


def _scored(folder: Path, right: Answers, samples: int, truncated: int) -> dict[str, Any]:
    """Write the rows of one benchmark, and return what the record has of it."""
    answers = [one if isinstance(one, Sequence) else [one] * samples for one in right]
    rows = [
        {
            "problem_id": f"p{i}",
            "sample": sample,
            "correct": answer,
            "tokens": 10 + i,
            "truncated": i < truncated,
            "thought_closed": True,
            "keywords": 2,
        }
        for i, answered in enumerate(answers)
        for sample, answer in enumerate(answered)
    ]
    folder.mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(folder / "samples.parquet")
    (count,) = {len(answered) for answered in answers}
    summary = {
        "problems": len(answers),
        "samples": count,
        "accuracy": sum(row["correct"] is True for row in rows) / len(rows),
        "standard_error": None,
        "low": 0.0,
        "high": 1.0,
        "truncated": truncated / len(answers),
        "unclosed": 0.0,
        "undecided": sum(row["correct"] is None for row in rows) / len(rows),
        "tokens": 12.0,
        "keywords": 2.0,
    }
    return _stage(summary)


def _stage(summary: dict[str, Any]) -> dict[str, Any]:
    return {"key": "0" * 64, "seconds": 1.5, "how": {}, "versions": {}, "summary": summary}
