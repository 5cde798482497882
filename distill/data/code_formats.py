"""Convert published tests of programs to the schema of `distill/grading/code_tests.py`.

LiveCodeBench packs its private tests as base64 of zlib of a pickle of a JSON text. A pickle from
outside can run anything, so none is ever loaded: its opcodes are read as data, those that make one
text are understood, and any other is an error. The size of what zlib unpacks is limited too.
"""

import base64
import json
import pickletools
import zlib
from collections.abc import Sequence
from typing import Any

MAX_BYTES = 1 << 30
"""Largest size to which the packed tests of one problem may unpack."""

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


def input_output(text: str) -> tuple[str, ...]:
    """Tests of APPS and TACO: `inputs`, `outputs`, and `fn_name` where a function is called.

    Where every output of a function is a list of one item, the list is a wrapper and is removed, as
    their own graders allow. Lines given as a list are joined.

    Raises:
        ValueError: not JSON, or not as many outputs as inputs.
        KeyError: no inputs or outputs.
    """
    given = json.loads(text) if text.strip() else {"inputs": [], "outputs": []}
    pairs = list(zip(given["inputs"], given["outputs"], strict=True))
    name = given.get("fn_name")
    if name is None:
        return tuple(_stdin(_lines(put), _lines(got)) for put, got in pairs)
    wrapped = all(isinstance(got, list) and len(got) == 1 for _, got in pairs)
    return tuple(_call(name, put, got[0] if wrapped else got) for put, got in pairs)


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
        ValueError: not in that form, or a pickle that holds more than one text.
    """
    cases = [case for text in packed for case in _cases(text)]
    if all(case["testtype"] == "stdin" for case in cases):
        return tuple(_stdin(case["input"], case["output"]) for case in cases)
    name = json.loads(metadata)["func_name"]

    def call(case: dict[str, Any]) -> str:
        arguments = [json.loads(line) for line in case["input"].split("\n") if line.strip()]
        return _call(name, arguments, json.loads(case["output"]), imports=True)

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


def _cases(text: str) -> list[dict[str, Any]]:
    if not text.strip():
        return []
    if text.lstrip().startswith("["):
        return list(json.loads(text))
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(base64.b64decode(text, validate=True), MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"private tests are not zlib data: {error}") from error
    if not unpacker.eof:
        raise ValueError(f"private tests are incomplete, or unpack to more than {MAX_BYTES} bytes")
    return list(json.loads(pickled_text(data)))


def _stdin(put: str, got: str) -> str:
    return json.dumps({"type": "stdin", "input": put, "output": got}, ensure_ascii=False)


def _call(name: str, arguments: Any, expected: Any, imports: bool = False) -> str:
    test = {"type": "call", "function": name, "arguments": arguments, "expected": expected}
    return json.dumps(test | ({"imports": True} if imports else {}), ensure_ascii=False)


def _lines(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)
