"""Imports point down the floors of the house, and a heavy package has one home."""

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from distill.store.identity import CHECKOUT

FILES = {
    path.relative_to(CHECKOUT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for floor in ("distill", "ablations", "analysis")
    for path in sorted((CHECKOUT / floor).rglob("*.py"))
}
MODULES = {file[:-3].replace("/", ".").removesuffix(".__init__"): file for file in FILES}
HEAVY = {"torch", "transformers", "trl", "peft", "accelerate", "datasets", "wandb", "vllm"}
HOMES = {
    "trl": {"distill/training/trainer.py"},
    "peft": {
        "distill/training/lora.py",
        "distill/training/merge.py",
        "distill/models/engines/transformers.py",
    },
    "wandb": {
        "distill/run/tracking.py",
        "ablations/results/wandb.py",
        "ablations/report/wandb.py",
    },
    "wandb_workspaces": {"ablations/report/wandb.py"},
    "vllm": {"distill/models/engines/vllm.py"},
}
GROUND = "trace store stages checks"
ROOMS = {
    "distill.__main__": "run config stages store",
    "distill.run": "pipeline config training evaluation teachers data models expectations "
    f"{GROUND}",
    "distill.pipeline": f"config training evaluation teachers data corruptions compute {GROUND}",
    "distill.config": "training evaluation teachers data corruptions grading models compute "
    "expectations trace stages checks",
    "distill.training": f"corruptions models compute {GROUND}",
    "distill.evaluation": f"data grading models micro compute {GROUND}",
    "distill.teachers": f"data grading models micro compute {GROUND}",
    "distill.corruptions": f"grading models compute {GROUND}",
    "distill.data": f"grading models micro compute {GROUND}",
    "distill.grading": f"models sandbox micro compute {GROUND}",
    "distill.models": f"compute {GROUND}",
    "distill.compute": "checks",
    "distill.sandbox": "",
    "distill.micro": "trace",
    "distill.trace": "",
    "distill.store": "",
    "distill.stages": "",
    "distill.expectations": "",
    "distill.checks": "",
    "ablations.__main__": "commands",
    "ablations.commands": "report papers imports prices findings show statistics results studies "
    "render distill.run distill.stages distill.store distill.checks",
    "ablations.report": "papers findings show results studies render distill.run distill.stages "
    "distill.store distill.training",
    "ablations.papers": "findings statistics reference results render distill.evaluation "
    "distill.run distill.config distill.corruptions",
    "ablations.prices": "findings statistics reference results studies distill.run distill.config "
    "distill.data distill.stages distill.store",
    "ablations.findings": "show statistics reference results studies render distill.run "
    "distill.pipeline distill.config distill.expectations distill.training distill.evaluation "
    "distill.corruptions distill.stages distill.store distill.trace",
    "ablations.imports": "results studies render distill.run distill.config distill.evaluation "
    "distill.data distill.grading distill.models distill.compute distill.store distill.trace",
    "ablations.results": "studies distill.run distill.config distill.corruptions distill.models "
    "distill.stages distill.store distill.trace",
    "ablations.show": "render distill.run distill.config distill.corruptions distill.stages "
    "distill.store distill.trace",
    "ablations.studies": "distill.run distill.pipeline distill.config distill.store",
    "ablations.statistics": "distill.evaluation",
    "ablations.render": "reference",
    "ablations.reference": "distill.corruptions",
}
"""Room -> the rooms that it may import, from the top floor down; `data` means `distill.data` for a
room of `distill`. An import that points up, or to a room that is not named, is a mistake."""


def packages(tree: ast.AST) -> set[str]:
    """Top-level packages imported anywhere below a node."""
    return {name.partition(".")[0] for node in ast.walk(tree) for name in _imported(node)}


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def loaded_by_import(tree: ast.AST) -> Iterator[str]:
    """What importing the module imports: all but imports in functions and for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield from (name.partition(".")[0] for name in _imported(node))
        yield from loaded_by_import(node)


def modules_loaded(*arguments: str) -> tuple[set[str], str]:
    """What a Python process imports, by top-level name, and what it prints."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}, done.stdout


@pytest.mark.parametrize("file", FILES)
def test_imports_point_downwards(file):
    above = {
        "distill": {"ablations", "analysis"},
        "ablations": {"analysis"},
        "analysis": {"distill"},
    }
    assert not packages(FILES[file]) & above[file.partition("/")[0]]


def imported_modules(file: str) -> set[str]:
    """Modules of the house that a file imports anywhere, function bodies included."""
    found = set()
    for node in ast.walk(FILES[file]):
        names = _imported(node)
        if isinstance(node, ast.ImportFrom):
            below = (f"{node.module}.{alias.name}" for alias in node.names)
            names = [name if name in MODULES else names[0] for name in below]
        found |= {MODULES[name] for name in names if name in MODULES}
    return found - {file}


def room(file: str) -> str:
    """`distill/data/source.py` -> `distill.data`."""
    return ".".join(file.removesuffix(".py").split("/")[:2])


HOUSE = [file for file in FILES if not file.startswith("analysis/") and file.count("/") > 0]


def test_every_file_stands_in_a_room_that_the_table_names():
    faces = {"distill/__init__.py", "ablations/__init__.py"}
    assert {room(file) for file in HOUSE if file not in faces} == set(ROOMS)


@pytest.mark.parametrize("file", HOUSE)
def test_a_room_imports_only_the_rooms_below_that_the_table_allows(file):
    package = file.partition("/")[0]
    allowed = {
        name if "." in name else f"{package}.{name}" for name in ROOMS.get(room(file), "").split()
    }
    assert {room(other) for other in imported_modules(file)} - {room(file)} <= allowed


def test_the_table_has_no_arrow_up():
    order = list(ROOMS)
    for name, below in ROOMS.items():
        package = name.partition(".")[0]
        for other in (b if "." in b else f"{package}.{b}" for b in below.split()):
            lower = order.index(other) > order.index(name)
            assert lower or (package, other[:7]) == ("ablations", "distill"), (name, other)


def test_no_files_import_each_other_in_a_circle():
    arrows = {file: imported_modules(file) for file in FILES}
    assert not circle(arrows)


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """Files that import each other in a loop, the first last again; empty if there are none."""
    done: set[str] = set()

    def visit(file: str, path: list[str]) -> list[str]:
        if file in path:
            return [*path[path.index(file) :], file]
        if file in done:
            return []
        loops = (visit(other, [*path, file]) for other in sorted(arrows.get(file, ())))
        found = next((loop for loop in loops if loop), [])
        done.add(file)
        return found

    return next((loop for file in sorted(arrows) if (loop := visit(file, []))), [])


@pytest.mark.parametrize("file", [file for file in FILES if not file.startswith("distill/")])
def test_questions_are_asked_without_the_packages_that_train(file):
    assert not packages(FILES[file]) & (HEAVY - {"wandb"})


@pytest.mark.parametrize("package", HOMES)
def test_a_heavy_package_has_one_home(package):
    assert {file for file, tree in FILES.items() if package in packages(tree)} <= HOMES[package]


@pytest.mark.parametrize("file", FILES)
def test_heavy_packages_are_imported_inside_the_functions_that_need_them(file):
    assert not HEAVY & set(loaded_by_import(FILES[file]))


def test_importing_both_floors_loads_no_heavy_package():
    loaded, _ = modules_loaded("-c", "import ablations, distill.pipeline, distill.run.sweep")
    assert "omegaconf" in loaded
    assert not loaded & (HEAVY | {"pandas", "pyarrow", "matplotlib", "scipy"})


def test_help_loads_no_heavy_package_and_shows_every_group_and_three_examples():
    loaded, text = modules_loaded("-m", "distill", "--help")
    assert not loaded & (HEAVY | {"pandas"})
    groups = {path.name for path in (CHECKOUT / "conf").iterdir() if path.is_dir()} - {"papers"}
    assert groups <= {line.partition(":")[0] for line in text.splitlines()}
    assert text.count("python -m distill ") >= 3
