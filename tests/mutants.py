"""Puts single faults into the modules that carry the claims, and asks whether their tests notice.

`make mutants MODULE=store N=40`; without `MODULE` every module of `MODULES`, without `N` the first
40 mutants of each, `N=all` for all of them. Which are the first is drawn once, so that a larger N
goes on where a smaller one ended; what was tried before is not tried again until the module
changes. `AGAIN=1` tries the survivors again, after a test was written for them.

The faults are those of cosmic-ray: another operator, comparison or number, a negated condition, a
loop that is not entered, a decorator or an exception that is gone. The first mutants are at
different places. Every mutant is a file in a copy of the checkout in `build/mutants`, and all tests
of its module run on that copy in a process of their own until one fails: fixtures that many tests
share, and tests that start processes, notice faults as well.

Survivors are printed as diffs, except those that `tests/mutants.yaml` lists with a reason.
"""

import argparse
import ast
import contextlib
import difflib
import hashlib
import importlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from cosmic_ray.work_item import WorkItem, WorkResult

CHECKOUT = Path(__file__).resolve().parents[1]
WORK = CHECKOUT / "build" / "mutants"
LISTED = CHECKOUT / "tests" / "mutants.yaml"

SEED = 20261128
"""Of the draw that says which mutants are the first."""

SAME = ("_Eq_Is", "_NotEq_IsNot", "_Is_Eq", "_IsNot_NotEq", "_BitAnd_Mul", "_BitOr_Add")
"""Comparisons that are the same for short texts, small numbers and members of an Enum, and
operations that are the same for truth values."""

ASSERTED = ("strict", "frozen", "maxsize")
"""Arguments that change no result: they only say what is true, or how much is kept in memory."""


@dataclass(frozen=True)
class Module:
    """What is mutated, and which tests should notice, those that are quick or close to it first."""

    paths: Sequence[str]
    tests: Sequence[str]
    imports: Sequence[str]
    """Libraries that all of the tests need."""


LIGHT = ("hydra", "hypothesis", "pandas", "pyarrow.parquet", "scipy.stats")
HEAVY = ("torch", "transformers")


def _module(*paths: str, tests: str, heavy: bool = False) -> Module:
    imports = (*LIGHT, *HEAVY) if heavy else LIGHT
    return Module(paths, [f"tests/{name}" for name in tests.split()], imports)


MODULES = {
    "store": _module("distill/store", tests="store test_identity.py test_stages.py"),
    "config": _module(
        *("distill/config.py", "distill/checks.py", "distill/compute.py", "distill/run/fields.py"),
        *(f"distill/{room}/config.py" for room in ("corruptions", "data", "teachers", "training")),
        tests="run/test_fields.py run/test_formats.py teachers/test_config.py run/test_compose.py "
        "test_conf.py test_identity.py test_keys.py "
        "run/test_overrides.py teachers/test_recorded.py corruptions",
    ),
    "training": _module("distill/training", tests="training test_stages.py", heavy=True),
    "corruptions": _module("distill/corruptions", tests="corruptions test_served.py"),
    "selection": _module(
        *(f"distill/teachers/{name}.py" for name in ("select", "verify", "tally")),
        tests="teachers test_stages.py",
        heavy=True,
    ),
    "grading": _module(
        "distill/grading", tests="grading sandbox/test_names.py teachers/test_verify.py", heavy=True
    ),
    "evaluation": _module(
        "distill/evaluation",
        tests="evaluation ablations/statistics/test_intervals.py "
        "ablations/statistics/test_variance.py",
        heavy=True,
    ),
    "statistics": _module(
        "ablations/statistics",
        tests="ablations/statistics/test_intervals.py ablations/statistics/test_power.py "
        "ablations/statistics/test_pairing.py ablations/statistics/test_variance.py "
        "ablations/findings/test_slopes.py ablations/findings/test_arms.py",
    ),
    "findings": _module(
        "ablations/findings",
        tests="ablations/findings ablations/statistics/test_power.py ablations/report/test_page.py",
    ),
    "results": _module(
        *("ablations/results", "distill/run/rows.py"),
        tests="ablations/results run/test_collected.py ablations/report/test_wandb.py "
        "ablations/findings/test_arms.py ablations/findings/test_sections.py",
    ),
    "papers": _module(
        "ablations/papers", tests="ablations/papers ablations/reference ablations/render"
    ),
    "prices": _module("ablations/prices", tests="ablations/prices"),
    "chains": _module(
        *("distill/run/references.py", "ablations/studies/chain.py"),
        tests="run/test_chains.py ablations/commands/test_chain.py",
        heavy=True,
    ),
}
"""Module -> its files and its tests; a table of this repository is `findings`, `results` and
`papers`."""


def main() -> int:
    """Try what was asked for; 1 where a survivor is not listed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(MODULES)}")
    parser.add_argument("-n", default="40", help="mutants per module, or: all")
    parser.add_argument("--again", action="store_true", help="try the survivors again")
    parser.add_argument("--report", action="store_true", help="try nothing, show what was found")
    asked = parser.parse_args()
    names = [named(name) for name in asked.modules] or list(MODULES)
    known = _listed()
    print("module        tried  killed  (by time)  survived  listed  killed of tried")
    unlisted = 0
    for name in names:
        session = Session(name)
        if not asked.report:
            session.run(None if asked.n == "all" else int(asked.n), asked.again)
        counts, survivors = session.outcome(known)
        unlisted += len(survivors)
        tried = counts["killed"] + counts["survived"]
        share = f"{100 * counts['killed'] / tried:.0f} %" if tried else ""
        print(
            f"{name:12s} {tried:6d} {counts['killed']:7d} {counts['timeout']:10d} "
            f"{counts['survived']:9d} {counts['listed']:7d}  {share:>15s}",
            *survivors,
            sep="\n",
            flush=True,
        )
    return int(unlisted > 0)


class Session:
    """The mutants of a module that were tried, kept in `build/mutants` until the module changes."""

    def __init__(self, name: str) -> None:
        """Of a name in `MODULES`."""
        self.module, self.folder = MODULES[name], WORK / name
        self.folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in self._files()))
        self.file = self.folder / f"{digest.hexdigest()[:12]}.sqlite"

    def run(self, most: int | None, again: bool) -> None:
        """Try the first mutants that were not tried yet, and the survivors if asked."""
        from cosmic_ray.work_db import use_db
        from cosmic_ray.work_item import TestOutcome

        os.chdir(_copied(self.folder))
        with use_db(str(self.file)) as database:
            there = {_spec(item) for item in database.work_items}
            chosen = self._drawn()[:most]
            database.add_work_items([item for item in chosen if _spec(item) not in there])
            place = {_spec(item): at for at, item in enumerate(chosen)}
            old = {
                item.job_id: result.test_outcome for item, result in database.completed_work_items
            }
            todo = [
                item
                for item in sorted(database.work_items, key=lambda one: place.get(_spec(one), -1))
                if _spec(item) in place
                and (item.job_id not in old or (again and old[item.job_id] is TestOutcome.SURVIVED))
            ]
            limit = self._limit() if todo else 0
            for at, item in enumerate(todo):
                print(f"{at} of {len(todo)}", end="\r", file=sys.stderr)
                database.set_result(item.job_id, self._tried(item, limit))

    def _limit(self) -> int:
        """Seconds of computing after which tests run in a circle, from what they take without."""
        failed, said, seconds = _failed(self.module, 3600, "")
        if failed:
            raise SystemExit(f"the tests fail without any mutant:\n{said[-4000:]}")
        return int(20 + 3 * seconds)

    def _tried(self, item: "WorkItem", limit: int) -> "WorkResult":
        """What the tests said of a mutant, and its diff."""
        from cosmic_ray.mutating import use_mutation
        from cosmic_ray.plugins import get_operator
        from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

        (one,) = item.mutations
        operator = get_operator(one.operator_name)(**one.operator_args)
        with use_mutation(one.module_path, operator, one.occurrence) as (old, new):
            failed, said, _ = _failed(self.module, limit, one.module_path.stem)
        files = f"a/{one.module_path}", f"b/{one.module_path}"
        diff = difflib.unified_diff(old.splitlines(), new.splitlines(), *files, lineterm="")
        outcome = TestOutcome.KILLED if failed else TestOutcome.SURVIVED
        return WorkResult(WorkerOutcome.NORMAL, said, outcome, "\n".join(diff))

    def outcome(self, known: set[tuple[str, str, str]]) -> tuple[Counter[str], list[str]]:
        """How many were killed and survived, and the diffs of the survivors not in `known`."""
        from cosmic_ray.work_db import use_db
        from cosmic_ray.work_item import TestOutcome

        counts: Counter[str] = Counter()
        diffs = []
        with use_db(str(self.file)) as database:
            for _, result in database.completed_work_items:
                if result.test_outcome is TestOutcome.KILLED:
                    counts["killed"] += 1
                    counts["timeout"] += result.output == "timeout"
                else:
                    counts["survived"] += 1
                    listed = change(result.diff) in known
                    counts["listed"] += listed
                    diffs += [] if listed else [result.diff]
        return counts, sorted(diffs)

    def _files(self) -> list[Path]:
        found = [CHECKOUT / path for path in self.module.paths]
        return [
            file
            for path in found
            for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])
            if file.is_file()
        ]

    def _drawn(self) -> list:
        """Every mutant of the module in the order of the draw, those of different places first."""
        from cosmic_ray.commands.init import init
        from cosmic_ray.work_db import use_db

        files = [file.relative_to(CHECKOUT) for file in self._files()]
        kept = {str(file): never_mutated(file.read_text(encoding="utf-8")) for file in files}
        with tempfile.TemporaryDirectory() as folder, use_db(f"{folder}/all.sqlite") as database:
            init(files, database, {})
            items = database.work_items
        places: dict[tuple, list] = {}
        for item in sorted(items, key=_spec):
            (one,) = item.mutations
            if not one.operator_name.endswith(SAME) and not any(
                first <= one.start_pos < last for first, last in kept[str(one.module_path)]
            ):
                places.setdefault((str(one.module_path), one.start_pos, one.end_pos), []).append(
                    item
                )
        draw = random.Random(SEED)
        mixed = [draw.sample(group, len(group)) for _, group in sorted(places.items())]
        draw.shuffle(mixed)
        return [g[turn] for turn in range(max(map(len, mixed))) for g in mixed if turn < len(g)]


def named(asked: str) -> str:
    """The name of a module, also where one of its paths was given."""
    for name, module in MODULES.items():
        if asked == name or asked.rstrip("/") in module.paths:
            return name
    raise SystemExit(f"no module {asked}; there are {', '.join(MODULES)}")


def _listed() -> set[tuple[str, str, str]]:
    rows = yaml.safe_load(LISTED.read_text(encoding="utf-8")) if LISTED.is_file() else []
    return {(row["file"], row["line"], row["mutant"]) for row in rows or []}


def change(diff: str) -> tuple[str, str, str]:
    """File, line and its mutant, as `tests/mutants.yaml` has them."""
    head, _, body = diff.partition("\n@@")
    (file,) = [line.removeprefix("--- a/") for line in head.splitlines() if "--- a/" in line]
    changed = body.splitlines()[1:]
    old, new = (
        " ".join(" ".join(line[1:] for line in changed if line.startswith(sign)).split())
        for sign in "-+"
    )
    return file, old, new


def _spec(item) -> tuple:
    (one,) = item.mutations
    return str(one.module_path), one.start_pos, one.operator_name, one.occurrence


def never_mutated(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where nothing is mutated: types, which mypy checks, and what is `ASSERTED`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        parts = [getattr(node, name, None) for name in ("annotation", "returns")]
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            parts.append(node.test)
        if isinstance(node, ast.keyword) and node.arg in ASSERTED:
            parts.append(node.value)
        found += [
            ((part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset))
            for part in parts
            if isinstance(part, ast.AST)
        ]
    return found


def _copied(folder: Path) -> Path:
    """A copy of the checkout, next to what stands next to the checkout."""
    copy = folder / "checkout"
    shutil.rmtree(copy, ignore_errors=True)
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=CHECKOUT, capture_output=True, check=True).stdout
    for name in files.decode().split("\0"):
        if name and (CHECKOUT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, copy / name)
    shared = CHECKOUT.parent / "shared"
    if shared.is_dir() and not (folder / "shared").exists():
        (folder / "shared").symlink_to(shared)
    return copy


def _failed(module: Module, limit: int, stem: str) -> tuple[bool, str, float]:
    """Whether the tests of a module fail here, what they printed, and seconds of computing.

    Those of `test_<stem>.py` come first. They run in a fork of this process, which has imported the
    libraries that they all need, and nothing of this repository. Beyond `limit` seconds of
    computing, or where they wait for half an hour, they are ended, and printed "timeout".
    """
    for name in module.imports:
        importlib.import_module(name)
    sys.stdout.flush()
    with tempfile.TemporaryFile() as said:
        if not (child := os.fork()):
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            sys.dont_write_bytecode, sys.path[0] = True, os.getcwd()
            first = [str(path) for at in module.tests for path in Path(at).rglob(f"test_{stem}.py")]
            code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *first, *module.tests])
            sys.stdout.flush()
            os._exit(int(code))
        deadline = time.monotonic() + 1800
        ended, status, used = os.wait4(child, os.WNOHANG)
        while not ended and time.monotonic() < deadline:
            time.sleep(0.05)
            ended, status, used = os.wait4(child, os.WNOHANG)
        with contextlib.suppress(ProcessLookupError):  # what the tests may have left running
            os.killpg(child, signal.SIGKILL)
        if not ended:
            _, status, used = os.wait4(child, 0)
        if os.WIFSIGNALED(status):
            return True, "timeout", used.ru_utime
        said.seek(0)
        return status != 0, said.read().decode(errors="replace"), used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
