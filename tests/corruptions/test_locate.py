"""Operators of users: found in packages, files and entry points; their code is in the key."""

import importlib.metadata
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distill.corruptions import locate
from distill.corruptions.config import CorruptionConfig
from distill.corruptions.locate import declarations

HEAD = """
from distill.corruptions.operators import STEP_RULES, Damaged, declares

@declares("structure", "steps reversed", "#009e73", steps=STEP_RULES)
"""
CODE = (
    HEAD + "def reverse(corpus, config, borrow):\n    return (Damaged(t, 1, 0) for t in corpus)\n"
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CorruptionConfig]:
    """Files by name -> written below the working directory; then a target -> its config, read anew.

    What tests import is forgotten after each.
    """
    before, paths = {*sys.modules}, [*sys.path]
    monkeypatch.chdir(tmp_path)

    def forget() -> None:
        locate._target.cache_clear()
        locate._kind.cache_clear()
        for name in {*sys.modules} - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
                del sys.modules[name]

    def config(
        place: str, /, fraction: float = 0.5, files=(), **fields: object
    ) -> CorruptionConfig:
        forget()
        for name, text in dict(files).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return CorruptionConfig(_target_=place, fraction=fraction, **fields)

    yield config
    forget()
    sys.path[:] = paths


PACKAGE = {
    "mine/__init__.py": "",
    "mine/ops.py": "from mine.words import A\nfrom . import more\n" + CODE,
    "mine/words.py": "import mine.deep.deeper\nA = 1\n",
    "mine/more.py": "",
    "mine/deep/__init__.py": "",
    "mine/deep/deeper.py": "",
    "mine/unused.py": "",
}


@pytest.mark.parametrize(
    "target", ["mine.ops.reverse", "mine.ops:reverse", "mine/ops.py:reverse", "mine/ops.py"]
)
def test_an_operator_of_a_package_is_found_and_declares_itself(here, target):
    made = here(target, files=PACKAGE)
    assert (made.kind, made.target) == ("reverse", "structure")
    assert (made.title, made.colour, made.steps) == ("steps reversed", "#009e73", "blank_line")
    assert made.source == here("mine.ops.reverse").source
    assert len(made.source) == 16


@pytest.mark.parametrize("name", sorted(PACKAGE))
def test_an_edit_of_what_it_imports_of_its_package_is_another_operator(here, name):
    before = here("mine.ops.reverse", files=PACKAGE)
    after = here("mine.ops.reverse", files={name: PACKAGE[name] + "\nB = 1\n"})
    assert (before.source == after.source) == (name == "mine/unused.py")


def test_an_operator_in_the_face_of_a_package_counts_with_its_whole_package(here):
    face = "from mine.words import A\nfrom .near import B\n" + CODE
    files = PACKAGE | {"mine/deep/__init__.py": face, "mine/deep/near.py": "B = 1"}
    before = here("mine.deep:reverse", files=files).source
    for name in ("mine/words.py", "mine/deep/near.py", "mine/__init__.py"):
        assert here("mine.deep:reverse", files={name: "A = B = 2"}).source != before
        assert here("mine.deep:reverse", files={name: files[name]}).source == before
    assert here("mine.deep:reverse", files={"mine/unused.py": "A = 2"}).source == before


def test_an_edit_of_equal_size_within_a_second_is_run(here, tmp_path):
    for name in ("A", "B", "C"):
        made = here("alone.py", files={"alone.py": CODE.replace("reversed", f"revers{name}d")})
        assert made.title == f"steps revers{name}d"


def test_a_file_that_is_in_no_package_counts_with_its_neighbours_and_not_with_its_place(here):
    files = {"a/op.py": "import near\n" + CODE, "a/near.py": "X = 1", "b/op.py": CODE}
    first = here("a/op.py", files=files)
    assert first.source != here("a/op.py", files={"a/near.py": "X = 2"}).source
    assert here("b/op.py").source == here("c/op.py", files={"c/op.py": CODE}).source
    assert here("b/op.py").source != first.source


def test_files_that_an_operator_declares_count_and_have_to_be_there(here):
    code = CODE.replace("steps=STEP_RULES", "files=('words.txt',)")
    before = here("op.py", files={"op.py": code, "words.txt": "wait"})
    assert here("op.py", files={"words.txt": "but"}).source != before.source
    with pytest.raises(ValueError, match=r"declares the file words.txt"):
        here("d/op.py", files={"d/op.py": code})


def test_two_operators_of_one_file_are_two(here):
    code = CODE + CODE.replace("def reverse", "def other")
    files = {"two.py": code}
    assert here("two.py:reverse", files=files).source != here("two.py:other").source
    with pytest.raises(ValueError, match=r"which function of it\? other, reverse"):
        here("two.py")


def test_an_operator_without_a_declaration_damages_other(here):
    code = "def my_own(corpus, config, borrow):\n    yield from ()\n"
    made = here("plain.py", files={"plain.py": code})
    assert (made.title, made.target, made.colour) == ("my own", "other", "")
    told = here("plain.py", target="content", title="mine", colour="#000000")
    assert (told.title, told.target, told.colour) == ("mine", "content", "#000000")
    assert told.source == made.source


def test_the_projects_own_operator_by_its_place_is_the_one_by_its_name():
    target = "distill.corruptions.operators.shuffle_steps.shuffle_steps"
    assert CorruptionConfig(_target_=target, fraction=0.5) == CorruptionConfig(
        kind="shuffle_steps", fraction=0.5
    )


def test_an_entry_point_is_a_kind(here, monkeypatch):
    entry = importlib.metadata.EntryPoint("backwards", "mine.ops:reverse", locate.GROUP)
    found = importlib.metadata.EntryPoints([entry])
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **by: found.select(**by))
    by_target = here("mine.ops.reverse", files=PACKAGE)
    made = CorruptionConfig(kind="backwards", fraction=0.5)
    assert (made.kind, made.title, made.source) == ("backwards", "steps reversed", by_target.source)
    assert made._target_ is None
    with pytest.raises(ValueError, match=r"one of .*shuffle_steps.*, backwards; got 'forwards'"):
        CorruptionConfig(kind="forwards", fraction=0.5)


BAD = {
    "no module": ("nowhere.op", "", "there is no module nowhere in"),
    "no submodule": ("bad.ops.op", "", "there is no module bad.ops"),
    "no function": ("bad:op", "def other(): ...", "has no op; its functions: other"),
    "no file": ("other.py", "", "there is no file"),
    "no name": ("bad", "", "names no operator"),
    "a missing import": ("bad:op", "import not_there", "cannot be imported: No module named"),
    "an error": ("bad:op", "1 / 0", "cannot be imported: ZeroDivisionError"),
    "a syntax error": ("bad.py:op", "def op(:", "cannot be imported: SyntaxError"),
    "an exit": ("bad.py:op", "import sys; sys.exit(3)", "cannot be imported: SystemExit"),
    "too few arguments": ("bad:op", "def op(corpus, config): ...", r"takes \(corpus, config\)"),
    "too many": ("bad:op", "def op(a, b, c, d): ...", "missing a required argument: 'd'"),
    "keywords": ("bad:op", "def op(*, corpus, config, borrow): ...", "too many positional"),
    "a class": ("bad:op", "class op:\n    def __init__(self, a, b, c): ...", "is a type"),
    "a constant": ("bad:op", "op = 3", "is a int"),
    "async": ("bad:op", "async def op(a, b, c): yield a", "is asynchronous"),
    "a name of ours": ("bad:none", "def none(a, b, c): ...", "take another name"),
    "a bad target": ("bad:op", HEAD.replace("structure", "structur"), "one of content, structure"),
    "a bad colour": ("bad:op", HEAD.replace("#009e73", "green"), "a colour such as"),
    "a bad field": ("bad:op", HEAD.replace("steps=", "step="), "an operator declares tuples"),
    "choices as text": ("bad:op", HEAD.replace("=STEP_RULES", "='all'"), "declares tuples"),
}


@pytest.mark.parametrize(("target", "code", "words"), BAD.values(), ids=BAD)
def test_what_is_no_operator_is_an_error_that_says_why(here, target, code, words):
    if "@declares" in code:
        code += "def op(corpus, config, borrow): ..."
    with pytest.raises(ValueError, match=words) as error:
        here(target, files={"bad.py": code})
    assert f"corruption._target_={target}" in str(error.value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"fraction": 0.0}, "at corruption.fraction=0 damages nothing"),
        ({"kind": "shuffle_steps"}, "leave out one"),
        ({"mode": "random"}, "reverse does not read it; it reads steps"),
        ({"steps": "prefix"}, "corruption.steps of reverse must be one of blank_line, reflection"),
        ({"target": "form"}, "corruption.target must be one of content, structure, other"),
        ({"colour": "red"}, "corruption.colour must be a colour such as"),
    ],
)
def test_fields_that_it_does_not_take_are_refused(here, fields, words):
    with pytest.raises(ValueError, match=words):
        here("mine.ops.reverse", files=PACKAGE, **fields)


def test_which_operators_damage_content_and_which_structure_is_decided_here():
    assert {name: declared.target for name, declared in declarations().items()} == {
        "none": "other",
        "wrong_answers": "content",
        "random_digits": "content",
        "remove_keywords": "content",
        "shuffle_steps": "structure",
        "delete_steps": "structure",
        "insert_steps": "structure",
    }


def test_a_function_without_a_file_has_no_content_and_is_no_operator():
    with pytest.raises(ValueError, match=r"builtins\.print has no file"):
        CorruptionConfig(fraction=0.5, _target_="builtins.print")
