"""A run has a folder, a record and an outcome; records of older versions are read as of this one.

`runs/demo/0f3c5e1d9a7b2468/run.json`, abridged:

    {"format": 2, "cell": "0f3c5e1d...", "label": "corruption=none", "study": {"name": "demo"},
     "config": {"teacher": {"kind": "scripted"}, "training": {"method": "sft", "seed": 0}},
     "stages": {"train": {"key": "9b1e...", "seconds": 41.2, "summary": {"rows": 996}}},
     "scores": {"sign_puzzle": {"summary": {"accuracy": 0.913, "problems": 400, "samples": 1}}},
     "commit": "5f8874f8..."}
"""

import json
import os
import re
import secrets
import subprocess
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distill.config import Config
from distill.evaluation.intervals import run_interval
from distill.models.engines import EngineError
from distill.pipeline import Made
from distill.run.formats import FORMAT, upgraded, upgraded_references
from distill.run.rows import is_collected
from distill.stages import Stage
from distill.store.artifacts import MAKING, ArtifactError, verify, write_json
from distill.store.identity import CHECKOUT, Artifact, run_key

RUN = "run.json"
FAILED = "failed.json"
SUMMARY = "summary.json"

LOCK = "run.lock"
"""File in a run's folder that whoever makes the run has locked."""

TOLD = (ValueError, OSError, ArtifactError, EngineError)
"""What a run fails on whose message says what to do; of all others the traceback is shown."""

AGAIN = "delete it to have it made again"
"""What errors say of a torn file."""


@dataclass(frozen=True)
class Outcome:
    """What became of one run."""

    label: str
    """Its overrides."""

    key: str
    """64 hex digits; empty where the run failed before it had an identity."""

    state: str
    """`done`, `done before`, `failed`, or `no result` where a launcher lost it."""

    scores: dict[str, dict[str, Any]]
    """Benchmark -> accuracy, interval and counts; empty unless evaluated."""

    seconds: float
    """Wall time spent on it now."""

    why: str = ""
    """Of a failure: the error."""

    at: str = ""
    """Of a failure: the artifact that could not be made, if it came that far."""


def short_labels(labels: Sequence[str]) -> tuple[str, list[str]]:
    """The labels of runs as people read them.

    Args:
        labels: overrides of every run, separated by blanks; those in quotes are of one override.

    Returns:
        shared: overrides that all runs have, if there are several runs.
        short: the other overrides of every run; a field is named without its group where no other
            field has that name.
    """
    runs = [words_of(label) or [""] for label in labels]
    shared = [o for o in runs[0] if len(runs) > 1 and all(o in other for other in runs)]
    rest = [[text for text in run if text not in shared] for run in runs]
    fields = {text.partition("=")[0] for run in rest for text in run}
    named = Counter(field.rpartition(".")[2] for field in fields)

    def shortened(text: str) -> str:
        field, sign, value = text.partition("=")
        last = field.rpartition(".")[2]
        plain = sign and named[last] == 1 and re.fullmatch(r"[\w.]+", field)
        return f"{last}={value}" if plain else text

    short = [" ".join(map(shortened, run)) for run in rest]
    return " ".join(shared), [label or "(defaults)" for label in short]


def words_of(label: str) -> list[str]:
    """The overrides of a label; blanks in quotes are part of one."""
    return re.findall(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\S)+""", label)


def run_label(words: Sequence[str]) -> str:
    """What a run is called: its overrides but the study's name and how far it settles."""
    return " ".join(word for word in words if not word.startswith(("study=", "study.settle=")))


def study_runs(runs: str, study: str) -> Path:
    """Where a study's runs are: `<runs>/<study>`, or `runs` where that is a folder of its name."""
    folder = Path(runs)
    return folder if folder.name == study else folder / study


def run_folder(config: Config, key: str) -> Path:
    """The folder of a run, named by 16 hex digits, in that of its study."""
    return study_runs(config.runs, config.study.name) / key[:16]


def read_finished(folder: Path, planned: Sequence[Made]) -> dict[str, Any] | None:
    """The run's record, if it is finished and its last artifacts are still what was made.

    Where none of these is there, as in a fresh clone, a collected run (see `distill.run.rows`) is
    finished too.

    Raises:
        ValueError: see `read_record`; `run.json` is written whole, so somebody else changed it. Or
            collected rows are not those of the record.
    """
    if not (folder / RUN).is_file():
        return None
    record = read_record(folder / RUN)
    last = [step.artifact for step in planned if step.stage is planned[-1].stage]
    if not any(artifact.exists for artifact in last) and record["cell"] == run_key(planned):
        return record if is_collected(folder, record) else None
    if not all(artifact.exists for artifact in last):
        return None
    for artifact in last:
        verify(artifact.path)
    return None if differing(record, Path()) else record


def read_record(path: Path) -> dict[str, Any]:
    """A `run.json` of any version, its configs in the fields of this one.

    Raises:
        ValueError: it is not JSON, lacks what every record has, or a later version wrote it; names
            the file.
    """
    record = read(path)
    config = record.get("config")
    try:
        form = record.get("format", 1)
        config = upgraded(config if isinstance(config, dict) else {}, form)
        references = upgraded_references(record.get("references", {}), form)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: {error}") from error
    parts = {"cell": str, "label": str, "study": dict, "config": dict, "stages": dict}
    wrong = [n for n, kind in (parts | {"scores": dict}).items() if type(record.get(n)) is not kind]
    wrong += [] if isinstance(config.get("runs"), str) else ["config.runs"]
    steps = () if wrong else (*record["stages"].items(), *record["scores"].items())
    wrong += [name for name, step in steps if not _is_step(step)]
    if wrong:
        raise ValueError(f"{path} has no {', '.join(wrong)}: it is no record of a run; {AGAIN}")
    return record | {"config": config, **({"references": references} if references else {})}


def _is_step(step: Any) -> bool:
    return isinstance(step, dict) and isinstance(step.get("summary"), dict) and "key" in step


def differing(record: Mapping[str, Any], launched_in: Path) -> list[str]:
    """In what a record differs from the summaries of its artifacts, as far as they are there.

    Args:
        record: of a run; see `read_record`.
        launched_in: the folder that the paths of its artifacts are relative to.

    Returns:
        A text each, such as `train.rows is 996, in its artifact 995`; none if nothing differs.
    """
    found = []
    for name, step in (*record["stages"].items(), *record["scores"].items()):
        file = launched_in / (step.get("path") or "") / SUMMARY
        if not step.get("path") or not file.is_file():
            continue
        told, made = step["summary"], read(file)
        found += [
            f"{name}.{part} is {told.get(part)}, in its artifact {made.get(part)}"
            for part in sorted({*told, *made})
            if json.dumps(told.get(part)) != json.dumps(made.get(part))  # NaN is equal to NaN
        ]
    return found


def read(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises ValueError naming the file if it holds none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as e:
        raise ValueError(f"{path} is not JSON ({e}); {AGAIN}") from e
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds a {type(value).__name__}, not an object; {AGAIN}")
    return value


def write_record(
    folder: Path,
    config: Config,
    label: str,
    made: Sequence[Made],
    references: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write `run.json`, the only file of a run that tables and reports read, and return it.

    `references` are the runs that it refers to, see `distill.run.references.described`.
    """
    steps = [(stage, name, _stage_record(artifact)) for stage, artifact, name in made]
    record = {
        "format": FORMAT,
        "cell": run_key(made),
        "label": label,
        "study": asdict(config.study),
        "config": asdict(config),
        "stages": {s.value: step for s, _, step in steps if s is not Stage.evaluate},
        "scores": {name: step for s, name, step in steps if s is Stage.evaluate},
        "commit": commit(),
        **({"references": references} if references else {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / RUN, record)
    (folder / FAILED).unlink(missing_ok=True)
    return record


def write_failure(folder: Path, label: str, error: BaseException) -> None:
    """Write `failed.json`, which says why a run failed, until it succeeds.

    Never beside a record: another process has made the run, or its artifacts were lost since.
    """
    with suppress(ValueError, OSError):
        read_record(folder / RUN)
        return
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(traceback.format_exception(error))
    _write(folder / FAILED, {"label": label, "why": reason(error), "traceback": lines})


def _write(path: Path, value: Any) -> None:
    """Write JSON whole or not at all, by way of a file that is this call's own."""
    own = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        write_json(own, value)
        os.replace(own, path)
    finally:
        own.unlink(missing_ok=True)


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
    ask = "git describe --always --exclude=* --abbrev=40 --dirty=+changes"
    try:
        return subprocess.check_output(
            ask.split(), cwd=CHECKOUT, stderr=subprocess.DEVNULL, text=True
        ).strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def percent(score: dict[str, Any]) -> str:
    """A score as text, with its 95 % interval, its n and the share of undecided responses.

    Beside it stands what it is if only marked answers count, where that is known.
    The interval is computed again, since records of before hold one that is slightly narrower.
    """
    interval = run_interval(score)
    low, high = (100 * end for end in interval)
    n = f"{score['problems']}×{score['samples']}"
    told = f"{100 * score['accuracy']:.1f} % [{low:.1f}, {high:.1f}] n={n}"
    boxed, undecided = score.get("accuracy_boxed"), score.get("undecided")
    told += "" if boxed is None else f", boxed {100 * boxed:.1f} %"
    return told + ("" if undecided is None else f", undecided {100 * undecided:.1f} %")


def _stage_record(artifact: Artifact) -> dict[str, Any]:
    made = artifact.record()
    return {
        "key": artifact.key,
        "path": artifact.path.as_posix(),
        "labels": made.get("labels", {}),
        **{name: made[name] for name in ("seconds", "how", "versions")},
        "summary": artifact.summary(),
    }
