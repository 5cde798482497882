"""The tracker writes each run to W&B, offline unless asked; no result depends on it."""

import atexit
import json
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distill.config import Config
from distill.trace.records import read_rows

SAMPLES = 100
"""Rows of a benchmark's sample table at most, the first; all are in `samples.parquet`."""

LONGEST = 128
"""Characters of a run's name that W&B takes."""

PATIENCE = 600.0
"""Seconds that W&B may take to end; half of it for what it still has to send, the rest of which
stays on disk for `wandb sync`."""

SHOWN = ("problem_id", "sample", "question", "answer", "response", "extracted", "correct", "why")
"""Columns of the sample table."""


class Tracker:
    """Takes the rows of a training curve and the scores of one run; whatever fails is a warning."""

    def __init__(self, run: Any) -> None:
        """Args: run: a `wandb.Run`, or None to record nothing."""
        self._run = run
        self._seen: set[int] = set()

    def log(self, row: dict[str, Any]) -> None:
        """One row of the training curve."""
        self._seen.add(row["step"])
        with self._or_without():
            self._log(row)

    def finish(self, record: dict[str, Any]) -> None:
        """The scores, a table of samples, and references to the artifacts.

        Also what is missing of the curve: this run may have continued a killed training, or was
        served a trained student.
        """
        with self._or_without():
            self._finish(record)

    @contextmanager
    def _or_without(self) -> Iterator[None]:
        """Go on without W&B from the first of its errors, which is told."""
        try:
            yield
        except Exception as error:
            self._run = None
            _warn(error)

    def _log(self, row: dict[str, Any]) -> None:
        if self._run:
            self._run.log({f"train/{name}": value for name, value in row.items()})

    def _finish(self, record: dict[str, Any]) -> None:
        if not self._run:
            return
        if "train" in record["stages"]:
            for row in read_rows(Path(record["stages"]["train"]["path"]) / "curve.jsonl"):
                if row["step"] not in self._seen:
                    self._log(row)
        for name in ("format", "cell", "label", "commit"):
            self._run.summary[name] = record[name]
        # W&B keeps neither empty objects nor whole floats, which are part of a run's settings.
        for name in ("config", "references"):
            if name in record:
                self._run.summary[name] = json.dumps(record[name], sort_keys=True)
        for stage, made in record["stages"].items():
            self._keep(stage, f"stages/{stage}", made)
            self._run.summary[f"seconds/{stage}"] = made["seconds"]
        for benchmark, made in record["scores"].items():
            self._keep(f"evaluate-{benchmark}", benchmark, made)
            self._run.summary[f"seconds/evaluate/{benchmark}"] = made["seconds"]
            self._show(benchmark, Path(made["path"]) / "samples.parquet")

    def _keep(self, name: str, prefix: str, made: dict[str, Any]) -> None:
        """The counts of a stage or the scores of a benchmark, and where its files are."""
        import wandb

        for key, value in made["summary"].items():
            if value is None or isinstance(value, bool | int | float | str):
                self._run.summary[f"{prefix}/{key}"] = value
        plain = re.sub(r"[^\w.-]", "_", name)  # W&B takes no other characters here
        artifact = wandb.Artifact(
            f"{plain}-{made['key'][:16]}", name.partition("-")[0], metadata={"key": made["key"]}
        )
        artifact.add_reference(Path(made["path"]).absolute().as_uri(), name, checksum=False)
        self._run.log_artifact(artifact)

    def _show(self, benchmark: str, path: Path) -> None:
        import wandb
        from pyarrow.parquet import ParquetFile

        with ParquetFile(path) as file:
            rows = next(file.iter_batches(SAMPLES)).to_pylist()
            count = file.metadata.num_rows
        names: list[str | int] = [name for name in SHOWN if name in rows[0]]
        table = wandb.Table(names, [[row[name] for name in names] for row in rows])
        self._run.log({f"samples/{benchmark}, first {len(rows)} of {count}": table})


@contextmanager
def track(config: Config, key: str, label: str, folder: Path) -> Iterator[Tracker]:
    """The W&B run of a run: id = its key, group = study; always finished, whatever happens.

    A run that is repeated continues the W&B run of its id: at once where `tracking.mode` is online,
    else when `wandb sync` sends its attempts. Whatever W&B writes lies in `<folder>/wandb/`.
    Nothing that W&B does or fails to do ends a run: it is told once, and the run goes on.
    """
    if config.tracking.name == "none":
        yield Tracker(None)
        return
    with ExitStack() as places:
        run = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            places.enter_context(_kept_below(folder / "wandb"))
            run = _begin(config, key, label, folder)
        except Exception as error:
            _warn(error)
        failed = True
        try:
            yield Tracker(run)
            failed = False
        finally:
            _within(PATIENCE, lambda: _end(run, failed))


def _begin(config: Config, key: str, label: str, folder: Path) -> Any:
    import wandb

    online = config.tracking.mode == "online"
    names = (config.student.name, config.training.name, config.corruption.kind)
    run = wandb.init(
        project=config.tracking.project,
        entity=config.tracking.entity,
        mode="online" if online else "offline",
        id=key,
        name=(label or "(defaults)")[:LONGEST],
        group=config.study.name,
        job_type="cell",
        tags=[name[:64] for name in dict.fromkeys(names)],  # W&B takes 64 characters a tag
        config=asdict(config),
        dir=folder,
        resume="allow" if online else None,
        settings=wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            save_code=False,
            finish_timeout=PATIENCE / 2,
        ),
    )
    run.define_metric("train/step")
    run.define_metric("train/*", step_metric="train/step")
    return run


def _end(run: Any, failed: bool) -> None:
    import wandb

    try:
        if run:
            run.finish(exit_code=int(failed))
    finally:
        wandb.teardown()  # its process would go on writing where this run lies


def _within(seconds: float, call: Callable[[], None]) -> None:
    """Call a function of W&B; what it raises, and that it does not return, is told and no more."""
    raised: list[Exception] = []

    def guarded() -> None:
        try:
            call()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raised.append(TimeoutError(f"no reply within {seconds:.0f} s"))
    for error in raised:
        _warn(error)


def _warn(error: Exception) -> None:
    text = " ".join(str(error).split()) or type(error).__name__
    print(f"  W&B: {text}; the run goes on without it", file=sys.stderr, flush=True)


@contextmanager
def _kept_below(folder: Path) -> Iterator[None]:
    """Let W&B stage, cache and open temporary folders here instead of in the home folder and /tmp.

    What it stages stays, since `wandb sync` sends it from there; the rest is removed when the
    process ends, and what a killed attempt left when the run is repeated. What the user set
    otherwise is left alone.
    """
    passing = folder.absolute() / "tmp"
    shutil.rmtree(passing, ignore_errors=True)
    passing.mkdir(parents=True)
    places = {"WANDB_DATA_DIR": folder.absolute() / "data", "WANDB_CACHE_DIR": passing}
    here = {name: str(path) for name, path in places.items() if name not in os.environ}
    os.environ |= here
    usual, tempfile.tempdir = tempfile.tempdir, str(passing)
    try:
        import wandb  # noqa: F401  it opens two temporary folders on import

        tempfile.tempdir = usual
        yield
    finally:
        tempfile.tempdir = usual
        for name in here:
            os.environ.pop(name, None)
        atexit.register(shutil.rmtree, passing, ignore_errors=True)  # later runs need it, too


def no_key(configs: Sequence[Config]) -> list[str]:
    """Why these runs cannot be sent to W&B, if they are to be and nobody is logged in here."""
    tracked = [config.tracking for config in configs if config.tracking.name == "wandb"]
    if not any(tracking.mode == "online" for tracking in tracked):
        return []
    try:
        import wandb
        from wandb.sdk.lib import wbauth

        host = wandb.setup().settings.base_url
        if wbauth.authenticate_session(host=host, source="", prompt=False, update_session=False):
            return []
        what = "no key"
    except Exception as error:
        if type(error).__name__ != "AuthenticationError":  # of wandb, which may not even load
            _warn(error)
            return []
        what = " ".join(str(error).split())
    return [f"W&B: {what}; tracking.mode=offline or wandb login"]
