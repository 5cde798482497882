"""Convert published tests of programs to the schema of `distill/grading/code_tests.py`.

LiveCodeBench packs its private tests as base64 of zlib of a pickle of a JSON text. A pickle from
outside can run anything, so none is ever loaded: its opcodes are read as data, those that make one
text are understood, and any other is an error. The size of what zlib unpacks is limited too.
"""

import base64
import json
import pickletools
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from distill.data.fields import Fields
from distill.data.values import RowError, items, kind, text, written

MAX_BYTES = 1 << 30
"""Largest size to which the packed tests of one problem may unpack."""

_TYPES: dict[str, dict[str, type]] = {
    "stdin": {"input": str, "output": str},
    "call": {"function": str, "arguments": list, "expected": object},
    "program": {"code": str},
}
"""Type of a test -> what it needs; see `distill/grading/code_tests.py`."""

_MORE: dict[str, type] = {"type": str, "tolerance": float, "imports": bool}
_MORE |= {"setup": str, "entry": list}

_TEXT = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_FRAMING = {"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"}


def program_question(question: str, starter: str, function: bool) -> str:
    """A question with its starter code, or with the kind of program that it asks for."""
    if starter.strip():
        asked = f"Complete this code; do not call it.\n\n```python\n{starter.rstrip()}\n```"
    elif function:
        asked = "Write a function; do not call it."
    else:
        asked = "The program reads standard input and prints its answer."
    return f"{question.rstrip()}\n\n{asked}"


def completion_question(prompt: str) -> str:
    """A question that gives the head of a function and asks for all of it."""
    return f"Complete this function; give all of it.\n\n```python\n{prompt.rstrip()}\n```"


NO_TESTS = (
    "no tests: a program is checked by tests; add a column tests, a list of pairs of input and "
    'output ([{"input": "1 2\\n", "output": "3\\n"}]) or of tests of another type, or name the '
    "column that has them: columns={tests: COLUMN}"
)
"""Why a row of kind `code` cannot be used."""


def own(given: Any, name: str = "tests") -> tuple[str, ...]:
    """Tests of one's own: what `input_output` reads, or a list, either also as a JSON text.

    An item of a list is a pair of `input` and `output`, what a program reads and prints, or a test
    in the schema of `distill/grading/code_tests.py`; an object or a JSON text.

    Raises:
        RowError: it is neither, or an item is neither.
    """
    if isinstance(given, str):
        given = _json(given, name) if given.lstrip()[:1] in ("[", "{") else given.strip() or None
    if isinstance(given, Mapping) and {"inputs", "outputs"} <= {*given}:
        return input_output(json.dumps(given))
    return tuple(map(_own, items(given, name)))


def _own(given: Any) -> str:
    test = _object(given, "an item of tests") if isinstance(given, str) else given
    if not isinstance(test, Mapping):
        raise RowError(f"an item of tests is {kind(test)}, not an object")
    if "type" not in test and {"input", "output"} <= {*test}:
        test, given = {"type": "stdin"} | dict(test), None
    needed = _TYPES.get(str(test.get("type")), {})
    wrong = [n for n in (*needed, *test) if n not in test or n not in _MORE | needed]
    wrong += [n for n, value in test.items() if not _is(value, (_MORE | needed).get(n, object))]
    if not needed or wrong:
        known = ", ".join(f"{name} ({', '.join(parts)})" for name, parts in _TYPES.items())
        fault = ", ".join(dict.fromkeys(wrong)) or "type"
        raise RowError(f"an item of tests is not in the schema: {fault}; known are {known}")
    return given if isinstance(given, str) else json.dumps(test, ensure_ascii=False)


def kind_and_tests(row: Fields) -> tuple[str, tuple[str, ...]]:
    """The fields `kind` and `tests` of a row: with tests and without a kind it is `code`.

    Raises:
        RowError: there are tests, and the kind is another.
    """
    tests = own(row.value("tests"), row.name("tests"))
    named = row.optional("kind", "code" if tests else "math")
    if tests and named != "code":
        raise RowError(f"tests are of problems of kind code, not of: {named[:40]!r}")
    return named, tests


def _is(value: Any, wanted: type) -> bool:
    return isinstance(value, int | float) if wanted is float else isinstance(value, wanted)


def input_output(given: str) -> tuple[str, ...]:
    """Tests of APPS and TACO: `inputs`, `outputs`, and `fn_name` where a function is called.

    Where every output of a function is a list of one item, the list is a wrapper and is removed, as
    their own graders allow. Lines given as a list are joined.

    Raises:
        RowError: not JSON, or not in that form.
    """
    if not given.strip():
        return ()
    found = _object(given, "the tests")
    puts, gots = (items(found.get(name), name) for name in ("inputs", "outputs"))
    if len(puts) != len(gots):
        raise RowError(f"not as many outputs as inputs: {len(gots)} for {len(puts)}")
    pairs = list(zip(puts, gots, strict=True))
    if (name := text(found.get("fn_name"), "fn_name")) == "":
        return tuple(_stdin(_lines(put, "inputs"), _lines(got, "outputs")) for put, got in pairs)
    wrapped = all(isinstance(got, list) and len(got) == 1 for got in gots)
    return tuple(
        _call(name, items(put, "an item of inputs"), got[0] if wrapped else got)
        for put, got in pairs
    )


def humaneval(prompt: str, test: str, name: str) -> tuple[str, ...]:
    """The single test of a HumanEval problem: `check(candidate)`, called with the function."""
    code = f"{test}\ncheck({name})"
    return (json.dumps({"type": "program", "setup": prompt, "code": code, "entry": [name]}),)


def mbpp(setup: str, tests: Sequence[str]) -> tuple[str, ...]:
    """The assertions of an MBPP problem, as one test."""
    code = "\n".join([setup, *tests])
    return (json.dumps({"type": "program", "code": code}),) if tests else ()


def livecodebench(packed: Sequence[str], metadata: str) -> tuple[str, ...]:
    """Public and private tests of a LiveCodeBench problem.

    Arguments of a function are one JSON value per line; the modules that LeetCode imports are too.

    Raises:
        RowError: not in that form.
        ValueError: a pickle that holds more than one text.
    """
    cases = [case for packing in packed for case in _cases(packing)]
    if all(case["testtype"] == "stdin" for case in cases):
        return tuple(_stdin(case["input"], case["output"]) for case in cases)
    name = text(_object(metadata, "metadata").get("func_name"), "func_name")
    if not name:
        raise RowError("metadata names no function: no func_name")

    def call(case: Mapping[str, str]) -> str:
        lines = case["input"].split("\n")
        arguments = [_json(line, "input of a test") for line in lines if line.strip()]
        return _call(name, arguments, _json(case["output"], "output of a test"), imports=True)

    return tuple(map(call, cases))


def pickled_text(data: bytes) -> str:
    """The text that a pickle holds, read without loading the pickle.

    Raises:
        ValueError: it is broken or holds anything but one text; names the opcode.
    """
    texts = []
    for opcode, value, _ in pickletools.genops(data):
        if opcode.name in _TEXT:
            texts.append(value)
        elif opcode.name not in _FRAMING:
            raise ValueError(f"the pickle holds {opcode.name}; only one plain text is read")
    if len(texts) != 1:
        raise ValueError(f"the pickle holds {len(texts)} texts; only one plain text is read")
    return str(texts[0])


def _cases(packing: str) -> list[dict[str, str]]:
    if not packing.strip():
        return []
    if not packing.lstrip().startswith("["):
        unpacker = zlib.decompressobj()
        try:
            data = unpacker.decompress(base64.b64decode(packing, validate=True), MAX_BYTES)
        except zlib.error as error:
            raise RowError(f"private tests are not zlib data: {error}") from error
        if not unpacker.eof:
            raise RowError(
                f"private tests are incomplete, or unpack to more than {MAX_BYTES} bytes"
            )
        packing = pickled_text(data)
    found = items(_json(packing, "test cases"), "test cases")
    return [{name: _part(case, name) for name in ("testtype", "input", "output")} for case in found]


def _part(case: Any, name: str) -> str:
    if not isinstance(case, Mapping) or name not in case:
        raise RowError(f"a test case has no {name}")
    return text(case[name], f"{name} of a test")


def _json(given: str, name: str) -> Any:
    try:
        return json.loads(given)
    except (ValueError, RecursionError) as error:
        raise RowError(f"{name} is not JSON: {error}") from error


def _object(given: str, name: str) -> dict[str, Any]:
    found = _json(given, name)
    if not isinstance(found, dict):
        raise RowError(f"{name} is {kind(found)}, not an object")
    return found


def _stdin(put: str, got: str) -> str:
    return json.dumps({"type": "stdin", "input": put, "output": got}, ensure_ascii=False)


def _call(name: str, arguments: Any, expected: Any, imports: bool = False) -> str:
    test = {"type": "call", "function": name, "arguments": arguments, "expected": expected}
    return json.dumps(test | ({"imports": True} if imports else {}), ensure_ascii=False)


def _lines(value: Any, name: str) -> str:
    lines = value if isinstance(value, list) else [value]
    return "\n".join(written(line, f"an item of {name}") for line in lines)
