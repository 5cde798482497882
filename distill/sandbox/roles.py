"""A child process in a sandbox plays one of four roles with a program that a model wrote.

Roles and their cases; what a case reports, its value, is written to file 3:
    stdin: {"stdin"} -> the program runs as `__main__`; no value.
    call: {"function", "arguments"} -> what the function, or the method of `Solution`, returns.
    serve: {"socket"} -> the program is loaded and answers a `check` in another sandbox; no value.
    check: {"socket", "setup", "code", "entry"} -> `passed` if the tests in `code` pass with the
        names that the other side of the socket, file 4, serves.
Every case may have "imports": names of the standard library that the program uses but never
imports are supplied. Plain data crosses the socket as JSON, by `encode` and `decode`.

The imports are few for the reason that `distill.sandbox.inside` gives.
"""

import _json
import _symtable  # type: ignore[import-not-found]
import builtins
import posix as os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    Json = dict[str, Any]
else:
    Any = NoReturn = Json = object

_STAR = """
    typing collections heapq bisect itertools functools math string re datetime copy random
    statistics operator io json sys time os decimal fractions queue array
""".split()  # noqa: SIM905 - a word list reads best as text
"""Modules whose names LeetCode and LiveCodeBench take for granted, in order of precedence; from
`import_string` in LiveCodeBench's testing_util.py."""


def play(job: Json, case: Json) -> NoReturn:
    """Play the job's role with one case, and end the process."""
    # What `site` does, which is not loaded.
    vars(builtins).update(exit=sys.exit, quit=sys.exit)
    _ROLES[job["role"]](job["program"], case)
    if job["role"] == "stdin":
        sys.exit(0)  # as a program ends: threads joined, output flushed
    os._exit(0)  # the value is written; an orderly end would take as long again


def _load(program: str, case: Json, name: str) -> Json:
    """Execute the program as the module `name` and return its namespace."""
    module = type(sys)(name)
    sys.modules[name] = module
    if case.get("imports"):
        module.__dict__.update(_missing_imports(program))
    exec(program, module.__dict__)
    return module.__dict__


def _missing_imports(program: str) -> Json:
    """What the modules of `_STAR` have under the names that the program uses without import."""
    supplied = {}
    for name in _free_names(program) - set(dir(builtins)):
        if name in _STAR:
            supplied[name] = __import__(name)
            continue
        for star in _STAR:
            module = __import__(star)
            if name in getattr(module, "__all__", vars(module)):
                supplied[name] = getattr(module, name)
                break
    return supplied


def _free_names(program: str) -> set[str]:
    """Names that are read somewhere and bound nowhere."""
    read: set[str] = set()
    bound: set[str] = set()
    scopes = [_symtable.symtable(program, "program.py", "exec")]
    for scope in scopes:
        scopes += scope.children
        for name, flags in scope.symbols.items():
            if flags & _symtable.DEF_BOUND:
                bound.add(name)
            elif flags & _symtable.USE:
                read.add(name)
    return read - bound


def _stdin(program: str, case: Json) -> None:
    _load(program, case, "__main__")


def _call(program: str, case: Json) -> None:
    space = _load(program, case, "solution")
    function = case["function"]
    if function not in space and "Solution" not in space:
        raise NameError(f"the program defines neither {function!r} nor `Solution`")
    call = space[function] if function in space else getattr(space["Solution"](), function)
    _send(3, _written(encode(call(*case["arguments"]), [])))


def _serve(program: str, case: Json) -> None:
    """Answer requests about the program's functions until the other side closes the socket."""
    space = _load(program, case, "solution")
    kept: list[Any] = []
    with open(os.dup(4), "rb") as requests:
        for line in requests:
            try:
                operation, *operands = _read(line)
                operands = [decode(operand, kept.__getitem__) for operand in operands]
                answer = {"value": encode(_OPERATIONS[operation](space, *operands), kept)}
            except Exception as error:
                answer = {"error": type(error).__name__, "text": str(error)[:500]}
            _send(4, _written(answer) + "\n")


def _describe(space: Json, name: str) -> tuple[str, Any]:
    """The value of a name; of a module only its name is sent: the tests import their own."""
    value = space[name]
    if isinstance(value, type(sys)):
        return "module", value.__name__
    return "class" if isinstance(value, type) else "value", value


_OPERATIONS: Json = {
    "name": _describe,
    "call": lambda space, target, arguments, keywords: target(*arguments, **keywords),
    "get": lambda space, target, name: getattr(target, name),
    "set": lambda space, target, name, value: setattr(target, name, value),
    "item": lambda space, target, index: target[index],
    "length": lambda space, target: len(target),
    "list": lambda space, target: list(target),
}


def _check(program: str, case: Json) -> None:
    """Run tests here with functions there; only plain data crosses."""
    stream = open(os.dup(4), "rb")  # noqa: SIM115  (until the process ends)
    space = {"__name__": "tests"}
    try:
        exec(compile(case["setup"], "setup.py", "exec"), space)
        free = _free_names(case["code"]) - set(space)
        tests = compile(case["code"], "tests.py", "exec")
    except BaseException as error:
        _send(3, f"unusable: {type(error).__name__}: {error}")
        sys.exit(1)
    peer = _Peer(stream)
    try:
        _bind(peer, space, case, free)
        exec(tests, space)
    except BaseException as error:  # whatever the other side provokes fails
        _send(3, f"failed: {type(error).__name__}: {str(error)[:500]}")
        sys.exit(1)
    _send(3, "passed")


def _bind(peer: "_Peer", space: Json, case: Json, free: set[str]) -> None:
    """Put what the program supplies into the namespace of the tests.

    Without `entry` that is every free name of the tests that Python does not have itself. `len` and
    the like stay Python's: a program could make `len(f(x)) == 3` true by a `len` of its own. But
    where the program supplies no function and no object with methods for the tests, names of
    Python's are what is tested (MBPP asks for a function `sum`): those that the program defines are
    the program's, except around others of them, as `set` in `set(max(x)) == {1}`.

    Raises:
        NameError: the program defines nothing that is tested.
    """
    if case["entry"]:
        for name in case["entry"]:
            if not peer.bind(name, space):
                raise NameError(f"the program does not define {name!r}")
        return
    kinds = [peer.bind(name, space) for name in sorted(free - set(dir(builtins)))]
    if "" in kinds or "object" in kinds:
        return
    own, methods = _reads(case["code"], space)
    if "class" in kinds and (methods or not own):
        return
    bound: set[str] = set()
    for name, inside in own.items():
        if not inside & bound and peer.bind(name, space):
            bound.add(name)
    if own and not bound and "class" not in kinds:
        raise NameError(f"the program defines none of {', '.join(own)}")


def _reads(code: str, space: Json) -> tuple[dict[str, set[str]], bool]:
    """What tests read of Python's own.

    Returns:
        Its names, in the order of evaluation, each with those inside its calls; and whether a
        method is called (a function of a module is none).
    """
    import ast

    names: dict[str, set[str]] = {}
    methods = False

    def visit(node: Any) -> set[str]:
        nonlocal methods
        inside: set[str] = set()
        for child in ast.iter_child_nodes(node):
            if not (isinstance(node, ast.Call) and child is node.func):
                inside |= visit(child)
        if isinstance(node, ast.Name) and hasattr(builtins, node.id) and node.id not in space:
            names.setdefault(node.id, set())
            return {node.id}
        if isinstance(node, ast.Call):
            function = visit(node.func)
            for name in function:
                names[name] |= inside
            on = node.func.value if isinstance(node.func, ast.Attribute) else None
            module = isinstance(on, ast.Name) and isinstance(space.get(on.id), type(sys))
            methods |= on is not None and not module
            inside |= function
        return inside

    visit(ast.parse(code))
    return names, methods


class _Peer:
    """The program on the other side of the socket."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def bind(self, name: str, space: Json) -> str:
        """Put the program's value of `name` into `space`.

        Returns:
            `class`, `object` (a function too), `value` (plain data) or `module`; empty if the
            program has no such name.
        """
        try:
            kind, value = self.ask("name", name)
        except KeyError:
            return ""
        if kind != "module":
            space[name] = value
        elif value.partition(".")[0] in sys.stdlib_module_names:
            space[name] = __import__(value)
        return "object" if kind == "value" and type(value) is _Remote else str(kind)

    def ask(self, *request: Any) -> Any:
        """Send a request to the other side; return its answer, decoded, or raise its error."""
        try:
            _send(4, _written([encode(part, None) for part in request]) + "\n")
            line = self.stream.readline()
        except ConnectionError:
            line = b""
        if not line:
            raise EOFError("the program ended")
        answer = _read(line)
        if "error" in answer:
            kind = getattr(builtins, str(answer["error"]), None)
            if not (isinstance(kind, type) and issubclass(kind, Exception)):
                kind = RuntimeError
            raise kind(str(answer["text"]))
        return decode(answer["value"], lambda index: _Remote(self, index))


class _Remote:
    """An object of the program that is not plain data: the tests can use it, not compare it."""

    def __init__(self, peer: _Peer, index: int) -> None:
        self.__dict__.update(_peer=peer, _index=index)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._peer.ask("call", self, arguments, keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._peer.ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._peer.ask("set", self, name, value)

    def __getitem__(self, index: Any) -> Any:
        return self._peer.ask("item", self, index)

    def __len__(self) -> int:
        return self._peer.ask("length", self)

    def __iter__(self) -> Any:
        return iter(self._peer.ask("list", self))


def encode(value: Any, kept: list[Any] | None) -> Any:
    """A value as JSON: plain data as it is, any other object as its index in `kept`.

    Values of subclasses of built-in types become values of these, so that their own methods, such
    as an `__eq__` that is always true, stay behind.

    Raises:
        TypeError: an object that is neither plain data nor remote, where `kept` is None.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        return int.__index__(value)
    if isinstance(value, float):
        return float.__add__(value, 0.0)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, list):
        return [encode(item, kept) for item in list.__iter__(value)]
    for name, kind in _SEQUENCES.items():
        if isinstance(value, kind):
            return {name: [encode(item, kept) for item in kind.__iter__(value)]}
    if isinstance(value, dict):
        pairs = dict.items(value)
        return {"dict": [[encode(key, kept), encode(item, kept)] for key, item in pairs]}
    if isinstance(value, bytes | bytearray):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    for name, kind in _TYPES.items():
        if value is kind:
            return {"type": name}
    if type(value) is _Remote:
        return {"kept": value._index}
    if kept is None:
        raise TypeError(f"a {type(value).__name__} cannot be handed to the program")
    if hasattr(value, "tolist") and not isinstance(value, type):  # numpy
        return encode(value.tolist(), kept)
    kept.append(value)
    return {"kept": len(kept) - 1}


def decode(value: Any, resolve: Any) -> Any:
    """The value that `encode` wrote, in built-in types; `resolve` gives objects by their index."""
    if isinstance(value, list):
        return [decode(item, resolve) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind in _SEQUENCES:
        return _SEQUENCES[kind](decode(item, resolve) for item in content)
    if kind == "dict":
        return {decode(key, resolve): decode(item, resolve) for key, item in content}
    if kind == "bytes":
        return bytes.fromhex(content)
    if kind in ("complex", "range"):
        return {"complex": complex, "range": range}[kind](*content)
    if kind == "type":
        return _TYPES[content]
    if kind == "kept":
        return resolve(content)
    raise ValueError(f"unknown kind {kind!r}")


class _Json:
    """The options of `json.loads`."""

    strict = True
    memo: Json = {}  # noqa: RUF012
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float


_scan = _json.make_scanner(_Json)  # type: ignore[arg-type]
_OPTIONS: Any = (None, None, _json.encode_basestring_ascii, None, ":", ",", False, False, True)
_chunks = _json.make_encoder(*_OPTIONS)


def _read(line: bytes) -> Any:
    """The JSON value at the start of a line."""
    try:
        value, _ = _scan(line.decode(), 0)
    except StopIteration:
        raise ValueError("no JSON") from None
    return value


def _written(value: Any) -> str:
    """As `json.dumps`."""
    return "".join(_chunks(value, 0))


def _send(file: int, text: str) -> None:
    with open(file, "wb", closefd=False) as stream:
        stream.write(text.encode("utf-8", "surrogatepass"))


_SEQUENCES: Json = {"tuple": tuple, "set": set, "frozenset": frozenset}
_TYPES: Json = {
    kind.__name__: kind
    for kind in (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset)
}
"""Types that tests hand to a program or get from it."""
_ROLES: Json = {"stdin": _stdin, "call": _call, "serve": _serve, "check": _check}
