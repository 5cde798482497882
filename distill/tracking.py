"""The W&B writer: one W&B run a cell. Offline unless asked, and never a condition of a result."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distill.config import Config
from distill.trace import read_rows


class Tracker:
    """Takes the rows of a training curve and the scores of one cell."""

    def __init__(self, run: Any) -> None:
        """Args: run: a `wandb.Run`, or None to take everything and keep nothing."""
        self._run = run
        self._curve_seen = False

    def log(self, row: dict[str, Any]) -> None:
        """One row of the training curve."""
        self._curve_seen = True
        if self._run:
            self._run.log({f"train/{name}": value for name, value in row.items()}, step=row["step"])

    def finish(self, record: dict[str, Any]) -> None:
        """The scores, and the curve if this run did not train but was served a trained student."""
        if not self._run:
            return
        if "train" in record["stages"] and not self._curve_seen:
            for row in read_rows(Path(record["stages"]["train"]["path"]) / "curve.jsonl"):
                self.log(row)
        for benchmark, stage in record["scores"].items():
            for name, value in stage["summary"].items():
                self._run.summary[f"{benchmark}/{name}"] = value
        for stage, made in record["stages"].items():
            self._run.summary[f"seconds/{stage}"] = made["seconds"]


@contextmanager
def track(config: Config, key: str, label: str, folder: Path) -> Iterator[Tracker]:
    """The cell's W&B run: id = cell key, group = study; always finished, whatever happens."""
    if config.tracking.name == "none":
        yield Tracker(None)
        return
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    run = wandb.init(
        project=config.tracking.project,
        entity=config.tracking.entity,
        mode=config.tracking.mode.value,
        id=key[:16],
        name=label or None,
        group=config.study.name,
        job_type="cell",
        config=asdict(config),
        dir=folder,
        resume="allow" if config.tracking.mode == "online" else None,
        settings=wandb.Settings(silent=True, console="off", disable_git=True, save_code=False),
    )
    failed = True
    try:
        yield Tracker(run)
        failed = False
    finally:
        run.finish(exit_code=int(failed))
