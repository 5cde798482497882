"""How long 1,000 recorded runs of 500 samples take to become frames. Run: make bench."""

import json
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from ablations.results.responses import GRADED
from ablations.results.runs import runs, samples
from ablations.studies.cells import Studies

RUNS = 1000
SAMPLES = 500
COUNTS = {
    "corrupt": {"units": 10, "damaged": 7, "share": 0.7, "changed": 0.25},
    "train": {"rows": 1000, "dropped": 0},
}
LIMIT = 5.0
"""Seconds of CPU for both frames together; other work on the machine does not count."""


def write(folder: Path) -> None:
    """Records and rows as they are collected: a folder a run, with a response of 2,000 letters."""
    config = asdict(Studies().one(["study=smoke", "corruption=shuffle_steps"]).config)
    stage = {"key": "0" * 64, "path": "gone", "seconds": 1.0, "how": {}, "versions": {}}
    rng = np.random.default_rng(0)
    for number in range(RUNS):
        right = rng.random(SAMPLES) < 0.5
        summary = dict.fromkeys(
            ("standard_error", "low", "high", "truncated", "unclosed", "undecided", "tokens"), 0.1
        )
        summary |= {"problems": SAMPLES, "samples": 1, "accuracy": right.mean(), "keywords": 1.0}
        record = {
            "cell": f"{number:064x}",
            "label": f"training.seed={number}",
            "study": config["study"],
            "config": config | {"training": config["training"] | {"seed": number}},
            "stages": {name: stage | {"summary": made} for name, made in COUNTS.items()},
            "scores": {"sign_puzzle": stage | {"summary": summary}},
            "commit": None,
        }
        place = folder / f"{number:016x}"
        place.mkdir()
        (place / "run.json").write_text(json.dumps(record))
        rows = pd.DataFrame(
            {
                "problem_id": [f"{i:016x}" for i in range(SAMPLES)],
                "sample": np.zeros(SAMPLES, dtype=np.int32),
                "response": ["x" * 2000] * SAMPLES,
                "correct": right,
                "tokens": rng.integers(10, 500, SAMPLES, dtype=np.int32),
                "truncated": False,
                "keywords": rng.integers(0, 9, SAMPLES, dtype=np.int32),
            }
        )
        rows.to_parquet(place / "sign_puzzle.parquet")


def main() -> None:
    """Print seconds, and fail past `LIMIT`."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        wall, begun = time.perf_counter(), time.process_time()
        finished = runs(Path(name))
        between = time.process_time()
        rows = samples(Path(name), GRADED)
        ended, wall = time.process_time(), time.perf_counter() - wall
    assert len(finished) == RUNS and len(rows) == RUNS * SAMPLES
    print(
        f"runs: {between - begun:.2f} s, samples: {ended - between:.2f} s of CPU for "
        f"{len(rows):,} rows; {wall:.1f} s in all; load {os.getloadavg()[0]:.1f}"
    )
    if ended - begun > LIMIT:
        raise SystemExit(f"{ended - begun:.1f} s of CPU, more than {LIMIT:.0f}")


if __name__ == "__main__":
    main()
