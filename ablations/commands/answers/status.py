"""The state of every run of a study for a terminal: done, failed and why, partial or missing."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ablations.commands.answers.chain import waits
from ablations.commands.arguments import folded
from ablations.results.records import refuse_differing
from ablations.studies.plan import UNRESOLVED, Planned, labels, short
from distill.run.record import AGAIN, FAILED, RUN, percent, read, scores

COLOURS = {
    "done": "green",
    "failed": "red",
    "partial": "yellow",
    "missing": "dim",
    UNRESOLVED: "magenta",
}


def status(planned: Sequence[Planned]) -> tuple[Group, bool]:
    """The state of a study, and whether all of its runs are done.

    `done`: recorded, and the last artifacts exist; `failed`: the last attempt raised; `partial`:
    started, and either running or killed; `missing`: no stage of its own was started. Of a run that
    is not done, the artifacts of other runs that it waits for are named. Runs in the study's folder
    that the study no longer asks for are listed last, in a table of their own.

    Raises:
        ValueError: a record is not JSON; names the file.
    """
    states = [one.state for one in planned]
    why_failed = ["why it failed"] if "failed" in states else []
    needed = [
        waits(one) if state != "done" else "" for one, state in zip(planned, states, strict=True)
    ]
    waiting = ["why not yet"] if any(needed) else []
    table = folded("run", "key", "state", "score, 95 % interval", *why_failed, *waiting)
    shared, names = labels(planned)
    table.title = Text(shared) if shared else None
    for one, label, state, what in zip(planned, names, states, needed, strict=True):
        found = _scores(one.folder) if state == "done" else ""
        why = str(read(one.folder / FAILED).get("why", "")) if state == "failed" else ""
        sign = Text(state, COLOURS.get(state, ""))
        more = [Text(why)] * len(why_failed) + [Text(what)] * len(waiting)
        table.add_row(Text(label), short(one.key), sign, found, *more)
    parts: list[Any] = [table, *counted(planned)]
    if others := orphans(planned):
        title = "\nRuns in the same folder that the study, as it is now, does not ask for:"
        parts += [Text(title), _others(others)]
    return Group(*parts), set(states) <= {"done"}


def counted(planned: Sequence[Planned]) -> list[Text]:
    """How many runs are in which state, and why keys are unresolved, each reason once."""
    states = Counter(one.state for one in planned)
    counts = ", ".join(f"{count} {state}" for state, count in states.items())
    reasons = dict.fromkeys(why for one in planned for why in one.reasons)
    whys = [Text(f"{UNRESOLVED}: {why}", style="magenta") for why in reasons]
    return [Text(f"{len(planned)} runs: {counts}"), *whys]


def orphans(planned: Sequence[Planned]) -> list[Path]:
    """Folders of runs next to those of the study that are none of them."""
    asked = {one.folder for one in planned}
    folders = {folder for parent in {own.parent for own in asked} for folder in parent.glob("*")}
    return sorted(f for f in folders - asked if (f / RUN).is_file() or (f / FAILED).is_file())


def _scores(folder: Path) -> str:
    path = folder / RUN
    record = {"stages": {}, "scores": {}} | read(path)
    try:
        refuse_differing(path, record, Path())
        return "\n".join(f"{name} {percent(score)}" for name, score in scores(record).items())
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no whole record ({error}); {AGAIN}") from error


def _others(folders: Sequence[Path]) -> Table:
    table = folded("folder", "label", "score, 95 % interval")
    for folder in folders:
        done = (folder / RUN).is_file()
        label = str(read(folder / (RUN if done else FAILED)).get("label", ""))
        found = _scores(folder) if done else Text("failed", COLOURS["failed"])
        table.add_row(folder.as_posix(), Text(label or "(defaults)"), found)
    return table
