"""Imports point one way, and a heavy package has one home. Run: pytest tests/test_arrows.py."""

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from distill.store import CHECKOUT

FILES = {
    path.relative_to(CHECKOUT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for floor in ("distill", "ablations", "analysis")
    for path in sorted((CHECKOUT / floor).rglob("*.py"))
}
HEAVY = {"torch", "transformers", "trl", "peft", "accelerate", "datasets", "wandb", "vllm"}
HOMES = {
    "trl": {"distill/student.py"},
    "peft": {"distill/student.py", "distill/engines/transformers.py"},
    "wandb": {"distill/tracking.py", "ablations/wandb_reports.py"},
    "wandb_workspaces": {"ablations/wandb_reports.py"},
    "vllm": {"distill/engines/vllm.py"},
}


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


LEAVES = {file for file, tree in FILES.items() if (ast.get_docstring(tree) or "")[:5] == "LEAF."}


@pytest.mark.parametrize("file", sorted(LEAVES))
def test_leaves_import_leaves_alone(file):
    modules = {name for node in ast.walk(FILES[file]) for name in _imported(node)}
    for node in ast.walk(FILES[file]):
        if isinstance(node, ast.ImportFrom) and node.module == "distill":
            modules |= {f"distill.{alias.name}" for alias in node.names}
    own = {f"{name.replace('.', '/')}.py" for name in modules if name.startswith("distill.")}
    assert own <= LEAVES


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
    loaded, _ = modules_loaded("-c", "import ablations, distill.pipeline, distill.sweep")
    assert "omegaconf" in loaded
    assert not loaded & (HEAVY | {"pandas", "pyarrow", "matplotlib", "scipy"})


def test_help_loads_no_heavy_package_and_shows_every_group_and_three_examples():
    loaded, text = modules_loaded("-m", "distill", "--help")
    assert not loaded & (HEAVY | {"pandas"})
    groups = {path.name for path in (CHECKOUT / "conf").iterdir() if path.is_dir()}
    assert groups <= {line.partition(":")[0] for line in text.splitlines()}
    assert text.count("python -m distill ") >= 3
