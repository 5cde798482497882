"""The program of a response is what a reader would run: not its output, nor how it is used."""

import json

import pytest

from distill.grading import grade as grading
from distill.grading import programs
from distill.grading.config import GradingConfig
from distill.grading.grade import grade
from distill.trace.records import Problem

FIRST = "```python\na = 1\n```\n"
FOUND = {
    "the last": (FIRST + "Better:\n```python\na = 2\n```\n", "a = 2\n"),
    "an output follows": (FIRST + "Output:\n\n```\n3\n```", "a = 1\n"),
    "a run follows": (FIRST + "Run it:\n```\n$ python a.py\n3\n```", "a = 1\n"),
    "another language follows": (FIRST + "```cpp\nint a = 2;\n```", "a = 1\n"),
    "text follows": (FIRST + "```text\n2\n```", "a = 1\n"),
    "a session follows": (FIRST + "```pycon\n>>> a\n1\n```", "a = 1\n"),
    "python as a session": (FIRST + "Then:\n```python\n>>> a\n1\n```", "a = 1\n"),
    "an example of its use": (FIRST + "Example usage:\n```python\nprint(a)\n```", "a = 1\n"),
    "unnamed": ("```\na = 1\n```\nOutput:\n```\n1\n```", "a = 1\n"),
    "other names": ("```Python3\na = 1\n```", "a = 1\n"),
    "py": ("```py\na = 1\n```", "a = 1\n"),
    "a title": ('```python title="x.py"\na = 1\n```', "a = 1\n"),
    "braces": ("```{.python .numberLines}\na = 1\n```", "a = 1\n"),
    "tildes": ("~~~python\na = 1\n~~~", "a = 1\n"),
    "longer": ("````python\na = '''\n```\n'''\n````", "a = '''\n```\n'''\n"),
    "CRLF": ("```python\r\na = 1\r\nb = 2\r\n```\r\n", "a = 1\nb = 2\n"),
    "never closed": ("Here:\n```python\na = 1\n", "a = 1\n"),
    "in a list": (
        "1. So:\n\n   ```python\n   def f():\n       return 1\n   ```\n",
        "def f():\n    return 1\n",
    ),
    "on the line of its item": ("- ```python\n  a = 1\n  ```", "a = 1\n"),
    "in a quotation": ("> ```python\n> a = 1\n> ```", "a = 1\n"),
    "indented by more than its fence": ("```python\n    a = 1\n    b = 2\n```", "a = 1\nb = 2\n"),
    "a fence in a docstring": (
        '```python\ndef f():\n    """Add.\n\n    ```\n    f()\n    ```\n    """\n    return 1\n```',
        'def f():\n    """Add.\n\n    ```\n    f()\n    ```\n    """\n    return 1\n',
    ),
    "a fence in a docstring at the margin": (
        '```python\n"""Add.\n\n```\nf()\n```\n"""\na = 1\n```\nOutput:\n```\n1\n```',
        '"""Add.\n\n```\nf()\n```\n"""\na = 1\n',
    ),
    "an open docstring closes no later block": (
        '```python\na = """\n```\nBetter:\n```python\na = 2\n```',
        "a = 2\n",
    ),
    "no fence": (
        "def f(x):\n    return x\n\nprint(f(1))\n",
        "def f(x):\n    return x\n\nprint(f(1))\n",
    ),
    "no fence, in prose": (
        "Here is the code:\nimport sys\nfor x in sys.stdin:\n    print(x)\n\nIt reads all lines.",
        "import sys\nfor x in sys.stdin:\n    print(x)\n",
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_the_program_is_the_last_block_of_python_that_is_meant_to_be_one(name):
    text, code = FOUND[name]
    found = programs.program(text)
    assert found.code == code
    assert found.fenced == ("no fence" not in name)


@pytest.mark.parametrize(
    "text",
    [
        "no block",
        "```cpp\nint a;\n```",
        "```json\n{}\n```",
        "Import duties are high.",
        "for example x",
        "",
    ],
)
def test_other_languages_and_prose_are_no_program(text):
    assert programs.program(text) is None
    assert grade(Problem.of("q", "", "code", "test"), text).correct is False


def test_of_several_blocks_the_last_that_defines_what_the_tests_call_is_the_program():
    text = "```python\ndef add(a, b):\n    return a + b\n```\n"
    text += "Use it:\n```python\nprint(add(1, 2))\n```"
    test = json.dumps({"type": "call", "function": "add", "arguments": [1, 2], "expected": 3})
    entry = json.dumps({"type": "program", "code": "check(add)", "entry": ["add"]})
    asserts = json.dumps({"type": "program", "code": "assert add(1, 2) == 3"})
    for one in (test, entry, asserts):
        assert "def add" in programs.program(text, programs.called((one,))).code
    method = (
        "```python\nclass Solution:\n    def add(self, a):\n        return a\n```\n" + text[-35:]
    )
    assert "class" in programs.program(method, {"add"}).code


def test_case_12_what_follows_a_program_is_not_the_program(monkeypatch):
    graded = []
    monkeypatch.setattr(
        "distill.grading.code_tests.grade_code",
        lambda problem, code, **how: graded.append(code) or (True, ""),
    )
    program = "a,b=map(int,input().split())\nprint(a+b)\n"
    for after in ("Output:\n\n```\n3\n```", "Run it:\n```\n$ echo 1 2 | python a.py\n3\n```"):
        text = f"```python\n{program}```\n{after}"
        assert grade(Problem.of("q", "", "code", "test"), text).correct is True
    assert graded == [program] * 2


def test_without_a_fallback_a_program_needs_its_fence(monkeypatch):
    monkeypatch.setattr("distill.grading.code_tests.grade_code", lambda *a, **how: (True, ""))
    problem, text = Problem.of("q", "", "code", "test"), "import sys\nprint(1)\n"
    assert grade(problem, text) == grading.Verdict(True, text, "", marked=False)
    assert grade(problem, text, GradingConfig(fallback="none")).correct is False
