"""A change of code that decides what a stage makes is a decision: raise VERSION, or accept it.

`fixtures/sources.json` holds of every stage its VERSION and a hash of the code that decides its
output. Prose and places do not count: the hash is that of the syntax tree without docstrings and
without the paths of our own modules.
"""

import ast
import hashlib
import importlib
import json
from functools import cache
from pathlib import Path

import pytest

from distill import pipeline
from distill.corruptions.locate import OPERATORS
from distill.store.identity import CHECKOUT

RECORDED = Path(__file__).parent / "fixtures" / "sources.json"
STAGES = {
    name: importlib.import_module(value.__module__)
    for name, value in vars(pipeline).items()
    if callable(value) and hasattr(importlib.import_module(value.__module__), "VERSION")
}
"""Stage function -> its module."""

CARRIERS = ("store", "run", "compute.py", "checks.py", "stages.py")
"""Rooms and modules below `distill/` that carry a stage out and decide nothing of its output. A
`config.py` does not count either: the values of its fields are in the key."""

WITHIN = {
    "corrupt_traces": ("corruptions/", "trace/"),
    "train_student": ("training/", "trace/", "models/hub.py", "models/prompt.py"),
}
"""Stage that imports engines, for the names of their configs, and generates nothing -> what of its
imports decides its output."""

CHOSEN_BY_NAME = ("distill/corruptions/operators", "distill/models/engines")
"""Folders whose modules are imported by the name of a config field: whoever imports the folder
imports them all."""


@cache
def imported(file: str) -> frozenset[str]:
    """Files of the house that a file imports anywhere and that decide what comes out."""
    found = set()
    for node in ast.walk(ast.parse((CHECKOUT / file).read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=module, names=names):
                found |= {str(module), *(f"{module}.{alias.name}" for alias in names)}
    paths = {name.replace(".", "/") for name in found if name.startswith("distill.")}
    files = {path + end for path in paths for end in (".py", "/__init__.py")}
    for folder in CHOSEN_BY_NAME:
        if f"{folder}/__init__.py" in files:
            files |= {p.relative_to(CHECKOUT).as_posix() for p in (CHECKOUT / folder).glob("*.py")}
    return frozenset(f for f in files if (CHECKOUT / f).is_file() and _decides(f))


def _decides(file: str) -> bool:
    below = file.removeprefix("distill/")
    return below.split("/")[0] not in CARRIERS and not below.endswith("config.py")


def sources(stage: str) -> list[str]:
    """The stage's module and all that it imports, directly or not."""
    rooms = WITHIN.get(stage, "")
    files, pending = set(), [STAGES[stage].__name__.replace(".", "/") + ".py"]
    while pending:
        file = pending.pop()
        if file not in files:
            files.add(file)
            pending += [f for f in imported(file) if f[len("distill/") :].startswith(rooms)]
    return sorted(files)


@cache
def code_hash(file: str) -> str:
    """The hash of a file's code."""
    return _hash(code((CHECKOUT / file).read_text(encoding="utf-8")))


def code(text: str) -> str:
    """A syntax tree as text: no docstrings, no paths of our modules, no fields that are empty."""

    def plain(node: object) -> object:
        match node:
            case ast.ImportFrom(module=str(module)) if module.startswith("distill"):
                return ["ImportFrom", [plain(alias) for alias in node.names]]
            case ast.AST():
                parts = [(name, plain(part)) for name, part in ast.iter_fields(node)]
                return [type(node).__name__, *((n, p) for n, p in parts if p not in (None, []))]
            case list():
                return [plain(item) for item in node if not is_text(item)]
        return node

    return repr(plain(ast.parse(text)))


def is_text(node: object) -> bool:
    """Whether it is a statement that is only a text."""
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def decided(stage: str) -> dict[str, object]:
    """What is compared of a stage."""
    digits = " ".join(sorted(map(code_hash, sources(stage))))
    return {"version": STAGES[stage].VERSION, "code": _hash(digits)}


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_code_that_decides_what_a_stage_makes_changes_by_decision(stage, accept):
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    if accept:
        recorded = {n: made for n, made in recorded.items() if n in STAGES}
        text = json.dumps(recorded | {stage: decided(stage)}, indent=1, sort_keys=True)
        RECORDED.write_text(text + "\n")
        return
    assert recorded.get(stage) == decided(stage), (
        f"code that decides what {stage} makes has changed: if it makes other bytes of the same "
        f"inputs, raise VERSION in {STAGES[stage].__name__}; then, or if it makes the same bytes, "
        "run pytest tests/test_sources.py --accept"
    )


def test_prose_does_not_count_and_code_does():
    plain = code("from distill.a import b\ndef f(x):\n    return x + 1")
    prose = '"""A."""\nfrom distill.c import b\ndef f(x):\n    """B."""  # c\n    return x + 1'
    assert code(prose) == plain
    assert code("from distill.a import b\ndef f(x):\n    return x + 2") != plain
    assert code("from distill.a import c\ndef f(x):\n    return x + 1") != plain
    assert code("x = 1") != code("x = 1.0") != code("x = '1.0'")


def test_a_stage_counts_what_it_imports_by_name_too():
    corrupt = sources("corrupt_traces")
    operators = {f"distill/corruptions/operators/{name}.py" for name in OPERATORS}
    assert operators | {"distill/trace/steps.py"} <= {*corrupt}
    assert not any(file.startswith(("distill/training/", "distill/models/")) for file in corrupt)
    assert "distill/models/engines/vllm.py" in sources("evaluate_student")
