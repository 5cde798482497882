"""Makes one run: its artifacts, its record, and what is said of it."""

import sys
import time
from pathlib import Path
from typing import Any

from distill.config import Config
from distill.run import references
from distill.run.record import (
    LOCK,
    Outcome,
    failed_at,
    percent,
    read_finished,
    reason,
    run_folder,
    scores,
    write_failure,
    write_record,
)
from distill.run.references import described
from distill.run.tracking import track
from distill.store.artifacts import Store, locked
from distill.store.identity import run_key
from distill.training.kernel import keep_compiled


def run_cell(config: Config, label: str) -> Outcome:
    """Make one run, or say that it is there already.

    A run that fails leaves `failed.json` in its folder and raises.
    """
    begun = time.perf_counter()
    store = Store(Path(config.artifacts), say=say)
    planned = references.made(config, store.artifact)
    key = run_key(planned)
    folder = run_folder(config, key)
    print(f"run {key[:16]}  {label or '(defaults)'}  -> {folder}", flush=True)
    record, state = read_finished(folder, planned), "done before"
    if record:
        references.run(config, store.used)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / LOCK, f"makes run {key[:16]}", say):
            record = read_finished(folder, planned)  # by now another process may have made it
            if not record:
                record, state = _make(config, label, key, folder, store), "done"
    return Outcome(label, key, state, scores(record), time.perf_counter() - begun)


def attempt(config: Config, label: str) -> Outcome:
    """The outcome of one run of a sweep, also where it fails."""
    begun = time.perf_counter()
    try:
        outcome = run_cell(config, label)
        for name, score in outcome.scores.items():
            say(f"{name}: {percent(score)}, {outcome.seconds:.0f} s")
        return outcome
    except Exception as error:
        print(f"failed: {reason(error)}", file=sys.stderr, flush=True)
        spent = time.perf_counter() - begun
        return Outcome(label, "", "failed", {}, spent, reason(error), failed_at(error))


def say(line: str) -> None:
    """Print a line about the run that was named last."""
    print(f"  {line}", flush=True)


def _make(config: Config, label: str, key: str, folder: Path, store: Store) -> dict[str, Any]:
    keep_compiled(store.root)
    try:
        with track(config, key, label, folder) as tracker:
            made, given = references.run(config, store.produce, tracker.log)
            record = write_record(folder, config, label, made, described(config, given))
            tracker.finish(record)
    except Exception as error:
        write_failure(folder, label, error)
        raise
    return record
