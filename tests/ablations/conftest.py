"""Runs made by hand: real configs of `conf/`, records and sample rows without any training."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from ablations.studies.cells import Cell, Studies
from distill.run.formats import FORMAT
from distill.run.record import RUN


@pytest.fixture(scope="session")
def studies() -> Studies:
    """The studies in `conf/`."""
    return Studies()


@pytest.fixture
def make_run(tmp_path: Path, studies: Studies) -> Callable[..., Path]:
    """(overrides, right answers by problem) -> `run.json` of a run launched in `tmp_path`."""

    def make(
        overrides: Sequence[str], right: Sequence[bool | None], name: str = "", samples: int = 1
    ) -> Path:
        cell = studies.one(["study=smoke", *overrides])
        return write_run(tmp_path, cell, right, name, samples)

    return make


def write_run(
    root: Path, cell: Cell, right: Sequence[bool | None], name: str = "", samples: int = 1
) -> Path:
    """Write the record and the rows of a run; its key is a name, since nothing was made.

    The samples of a problem are all answered alike.
    """
    key = (name or f"{abs(hash(cell.label)):x}").rjust(64, "0")
    artifact = Path("artifacts", "evaluate_student", key)
    rows = [
        {
            "problem_id": f"p{i}",
            "sample": sample,
            "correct": answer,
            "tokens": 10 + i,
            "truncated": i == 0,
            "thought_closed": True,
            "keywords": 2,
        }
        for i, answer in enumerate(right)
        for sample in range(samples)
    ]
    (root / artifact).mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(root / artifact / "samples.parquet")
    summary = {
        "problems": len(right),
        "samples": samples,
        "accuracy": sum(answer is True for answer in right) / len(right),
        "standard_error": None,
        "low": 0.0,
        "high": 1.0,
        "truncated": 1 / len(right),
        "unclosed": 0.0,
        "undecided": 0.0,
        "tokens": 12.0,
        "keywords": 2.0,
    }
    counts = {
        "corrupt": {"units": 10, "damaged": 7, "share": 0.7},
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
        "scores": {"sign_puzzle": _stage(summary) | {"path": artifact.as_posix()}},
        "commit": None,
    }
    folder = root / "runs" / cell.config.study.name / key[-16:]
    folder.mkdir(parents=True)
    (folder / RUN).write_text(json.dumps(record))
    return folder / RUN


def _stage(summary: dict[str, object]) -> dict[str, object]:
    return {"key": "0" * 64, "seconds": 1.5, "how": {}, "versions": {}, "summary": summary}
