"""A cell is one run of a study: its identity, its folder, its record, and what became of it."""

import hashlib
import json
import re
import subprocess
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distill.config import Config
from distill.pipeline import Made
from distill.stages import Stage
from distill.store.artifacts import MAKING, verify, write_json
from distill.store.identity import CHECKOUT, Artifact, canonical_json

RUN = "run.json"
FAILED = "failed.json"

FORMAT = 2
"""Of `run.json`. Records without one are of format 1, in which `name` was the kind of a teacher,
data set, engine or corruption."""


@dataclass(frozen=True)
class Outcome:
    """What became of one cell."""

    label: str
    """Its overrides."""

    key: str
    """64 hex digits; empty where the cell failed before it had an identity."""

    state: str
    """`done`, `done before` or `failed`."""

    scores: dict[str, dict[str, Any]]
    """Benchmark -> accuracy, interval and counts; empty unless evaluated."""

    seconds: float
    """Wall time spent on it now."""

    why: str = ""
    """Of a failure: the error."""

    at: str = ""
    """Of a failure: the artifact that could not be made, if it came that far."""


def short_labels(labels: Sequence[str]) -> tuple[str, list[str]]:
    """Cells as people read them.

    Args:
        labels: overrides of every cell, parted by blanks.

    Returns:
        shared: overrides that all cells have, if there are several cells.
        short: of every cell the others; a field goes by its own name, without its group's.
    """
    cells = [label.split(" ") for label in labels]
    shared = [text for text in cells[0] if all(text in other for other in cells)]
    if len(cells) == 1:
        shared = []
    rest = [[text for text in cell if text not in shared] for cell in cells]
    short = [" ".join(re.sub(r"^[\w.]*\.(?=\w+=)", "", text) for text in cell) for cell in rest]
    return " ".join(shared), [label or "(defaults)" for label in short]


def cell_key(made: Sequence[Made]) -> str:
    """Identity of a run: the hash of what its last stage makes. Equal configs have equal keys."""
    last = [[step.benchmark, step.artifact.key] for step in made if step.stage is made[-1].stage]
    return hashlib.sha256(canonical_json([made[-1].stage.value, last]).encode()).hexdigest()


def cell_folder(config: Config, key: str) -> Path:
    """`<runs>/<study>/<16 hex digits>`."""
    return Path(config.runs) / config.study.name / key[:16]


def read_record(folder: Path, planned: Sequence[Made]) -> dict[str, Any] | None:
    """The run's record, if it is finished and its last artifacts are still what was made.

    Raises:
        ValueError: `run.json` is no record; it is written whole, so somebody else changed it.
    """
    if not (folder / RUN).is_file():
        return None
    record = read(folder / RUN)
    last = [step.artifact for step in planned if step.stage is planned[-1].stage]
    if not all(artifact.exists for artifact in last):
        return None
    for artifact in last:
        verify(artifact.path)
    return record


def read(path: Path) -> dict[str, Any]:
    """An object of a JSON file. Raises ValueError naming the file if it is not one."""
    try:
        value = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(
            f"{path} is not JSON ({error}); delete it to have it made again"
        ) from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds a {type(value).__name__}, not an object; delete it")
    return value


def upgraded(config: Any, place: str = "") -> Any:
    """A config recorded by any older version, in the fields of this one.

    Args:
        config: JSON values of `Config` or of a part of it.
        place: name of the field that holds this part.
    """
    if isinstance(config, list):
        return [upgraded(item, place) for item in config]
    if not isinstance(config, dict):
        return config
    made = {name: upgraded(value, name) for name, value in config.items()}
    if "kind" in made or "name" not in made:
        return made
    if place in ("teacher", "engine", "corruption", "union"):
        return {"kind": made["name"]} | made
    if place == "dataset":
        name = made["name"]
        kind = name if name in ("sign_puzzle", "recorded") else "rows"
        form = (made.get("format") or name) if kind == "rows" else made.get("format", "")
        return {"kind": kind} | made | {"format": form}
    return made


def write_record(folder: Path, config: Config, label: str, made: Sequence[Made]) -> dict[str, Any]:
    """Write `run.json`, the only file of a run that questions are asked of, and return it."""
    stages: dict[str, Any] = {}
    for step in made:
        if step.stage is not Stage.evaluate:
            stages[step.stage.value] = _stage_record(step.artifact)
    scored = {step.benchmark: step.artifact for step in made if step.stage is Stage.evaluate}
    record = {
        "format": FORMAT,
        "cell": cell_key(made),
        "label": label,
        "study": asdict(config.study),
        "config": asdict(config),
        "stages": stages,
        "scores": {name: _stage_record(artifact) for name, artifact in scored.items()},
        "commit": commit(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FAILED).unlink(missing_ok=True)
    write_json(folder / RUN, record)
    return record


def write_failure(folder: Path, label: str, error: BaseException) -> None:
    """Keep why a cell failed beside its place, until it succeeds."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(traceback.format_exception(error))
    write_json(folder / FAILED, {"label": label, "why": reason(error), "traceback": lines})


def reason(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def failed_at(error: BaseException) -> str:
    """The artifact whose making raised this error; empty for an error of another kind."""
    notes = (str(note) for note in getattr(error, "__notes__", ()))
    return next((note.removeprefix(MAKING) for note in notes if note.startswith(MAKING)), "")


def scores(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Benchmark -> accuracy, interval and counts of a `run.json`."""
    return {name: stage["summary"] for name, stage in record["scores"].items()}


def commit() -> str | None:
    """Commit of the checkout, with `+changes` if it was not clean; None outside a checkout."""
    if not (CHECKOUT / ".git").exists():
        return None  # installed, perhaps inside the repository of another program
    git = ["git", "-C", str(CHECKOUT)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        changes = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+changes" if changes.stdout.strip() else "")


def percent(score: dict[str, Any]) -> str:
    """A score as text, never without its interval and its n."""
    low, high = 100 * score["low"], 100 * score["high"]
    n = f"{score['problems']}×{score['samples']}"
    return f"{100 * score['accuracy']:.1f} % [{low:.1f}, {high:.1f}] n={n}"


def _stage_record(artifact: Artifact) -> dict[str, Any]:
    made = artifact.record()
    return {
        "key": artifact.key,
        "path": artifact.path.as_posix(),
        "seconds": made["seconds"],
        "how": made["how"],
        "labels": made.get("labels", {}),
        "versions": made["versions"],
        "summary": artifact.summary(),
    }
