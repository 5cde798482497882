"""What became of the runs of a sweep: told by the launcher or read from disk, shown as a table."""

import time
from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus

from distill.config import Config
from distill.run import references
from distill.run.record import (
    FAILED,
    LOCK,
    RUN,
    Outcome,
    percent,
    read,
    read_finished,
    reason,
    run_folder,
    run_label,
    scores,
    short_labels,
)
from distill.store.artifacts import ArtifactError, Store, is_locked
from distill.store.identity import run_key

MADE = ("done", "done before")
"""States of a run that has a record."""

NO_RESULT = "no result"
"""State of a run whose worker was lost before it was done or failed."""


def told(result: JobReturn) -> Outcome | None:
    """The outcome that a launcher returns; None if it returns none."""
    if result.status is JobStatus.COMPLETED:
        return result.return_value if isinstance(result.return_value, Outcome) else None
    if not isinstance(result._return_value, BaseException):
        return None
    label = run_label(result.overrides or ())
    return Outcome(label, "", "failed", {}, 0.0, reason(result._return_value))


def finished(words: Sequence[str], config: Config) -> Outcome | None:
    """The outcome of a run that was made before and may be used; None of any other.

    What is wrong with a run is told where it is launched.
    """
    begun, store = time.perf_counter(), Store(Path(config.artifacts))
    try:
        planned = references.made(config, store.artifact)
        key = run_key(planned)
        record = read_finished(run_folder(config, key), planned)
        if record is None:
            return None
        references.run(config, store.used)
    except (ValueError, TypeError, OSError, ArtifactError):
        return None
    spent = time.perf_counter() - begun
    return Outcome(run_label(words), key, "done before", scores(record), spent)


def on_disk(words: Sequence[str], config: Config, begun: float, ended: str) -> Outcome:
    """What became of a run since `begun` (in seconds of the epoch), by the files in its folder."""
    label = run_label(words)
    try:
        planned = references.made(config, Store(Path(config.artifacts)).artifact)
        key, folder = run_key(planned), run_folder(config, run_key(planned))
        if record := read_finished(folder, planned):
            new = (folder / RUN).stat().st_mtime >= begun
            return Outcome(label, key, "done" if new else "done before", scores(record), 0.0)
        failure = folder / FAILED
        if failure.is_file() and failure.stat().st_mtime >= begun:
            return Outcome(label, key, "failed", {}, 0.0, read(failure).get("why", ""))
        if is_locked(folder / LOCK):
            return Outcome(label, key, NO_RESULT, {}, 0.0, "it is still running")
    except (ValueError, TypeError, OSError, ArtifactError) as error:
        return Outcome(label, "", "failed", {}, 0.0, reason(error))
    return Outcome(label, key, NO_RESULT, {}, 0.0, ended)


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print what became of every run, as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shared, names = short_labels([outcome.label for outcome in outcomes])
    table = Table(title=shared or None, header_style="bold")
    for name in ("run", "state", "score, 95 % interval", "seconds"):
        table.add_column(name, overflow="fold", justify="right" if name == "seconds" else "left")
    reasons = _reasons(outcomes, names)
    if any(reasons):
        table.add_column("why it failed", overflow="fold")
    for outcome, label, why in zip(outcomes, names, reasons, strict=True):
        lines = [f"{name} {percent(score)}" for name, score in outcome.scores.items()]
        colour = {"failed": "red", NO_RESULT: "yellow", "done": "green"}.get(outcome.state, "")
        state = Text(outcome.state, colour)
        seconds = f"{outcome.seconds:.1f}"
        failure = [Text(why)] if any(reasons) else []
        table.add_row(Text(label), state, "\n".join(lines), seconds, *failure)
    Console().print(table)


def _reasons(outcomes: Sequence[Outcome], names: Sequence[str]) -> list[str]:
    """Why each run failed; of those that failed at one artifact the others refer to the first."""
    first: dict[str, str] = {}
    reasons = []
    for outcome, name in zip(outcomes, names, strict=True):
        failure = outcome.at or outcome.why
        if failure and failure in first:
            reasons.append(f"{outcome.at or 'the same'}: see {first[failure]}")
            continue
        first[failure] = name
        reasons.append(": ".join(filter(None, (outcome.at, outcome.why))))
    return reasons
