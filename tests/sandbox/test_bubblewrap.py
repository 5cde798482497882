"""Programs written by models: what they may do, what they cannot reach, who decides their verdict.

Needs bwrap (package `bubblewrap`). All reference solutions: `-m slow`.
"""

import json
import os
import shutil
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from distill.grading.code_tests import grade_code
from distill.sandbox import bubblewrap, seccomp, start
from distill.sandbox.box import Limits, SandboxUnavailableError
from distill.sandbox.start import Choice
from distill.store.identity import CHECKOUT
from distill.trace.records import Problem

DATA = CHECKOUT.parent / "shared" / "data" / "benchmarks"
MEBIBYTE = 1 << 20
TIGHT = Limits(
    cpu_seconds=1,
    wall_seconds=1.5,
    memory_bytes=256 * MEBIBYTE,
    output_bytes=MEBIBYTE,
    disk_bytes=4 * MEBIBYTE,
    processes=8,
)
PATIENT = replace(TIGHT, wall_seconds=30)
"""For what must end by another limit than time, on a machine however busy."""
SECRET = "7391526048377"  # so long that no library happens to hold it
SUM = json.dumps({"type": "call", "function": "add", "arguments": [2, 3], "expected": 5})
needs_bwrap = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bwrap is not installed (package bubblewrap)"
)


def problem(*tests: dict | str) -> Problem:
    texts = tuple(test if isinstance(test, str) else json.dumps(test) for test in tests)
    return Problem.of("question", "", "code", "test", tests=texts)


SECRET_TESTS = {
    "stdin": problem({"type": "stdin", "input": "6\n", "output": SECRET}),
    "call": problem({"type": "call", "function": "solve", "arguments": [6], "expected": SECRET}),
    "program": problem({"type": "program", "code": f"assert solve(6) == {SECRET!r}"}),
}

# Each would have to print SECRET, and return it from `solve`, to pass. `solve` tries again there.
HOSTILE = {
    "fork_bomb": "import os\nwhile True:\n    try:\n        os.fork()\n"
    "    except OSError:\n        pass",
    "thread_bomb": "import threading, time\nwhile True:\n"
    "    threading.Thread(target=time.sleep, args=(9,)).start()",
    "memory_bomb": "x = []\nwhile True:\n    x.append(bytearray(10**7))",
    "memory_bomb_of_many": "import os, time\nfor _ in range(3):\n    os.fork()\n"
    "x = [bytearray(10**6) for _ in range(120)]\ntime.sleep(9)",
    "disk_fill": "n = 0\nwhile True:\n    open(f'/tmp/{n}', 'wb').write(b'x' * 10**6)\n    n += 1",
    "shared_memory_fill": "n = 0\nwhile True:\n"
    "    open(f'/dev/shm/{n}', 'wb').write(b'x' * 10**6)\n    n += 1",
    "endless_output": "while True:\n    print('x' * 10**5)",
    "endless_errors": "import sys\nwhile True:\n    sys.stderr.write('x' * 10**5)",
    "read_the_password_file": "print(open('/etc/passwd').read())",
    "read_the_home": "import os\nprint(os.listdir('/root') and open('/root/.bashrc').read())",
    "read_the_environment": "import os\nprint(os.environ['DISTILL_SECRET'])",
    "read_the_parents_environment": "print(open('/proc/1/environ').read())",
    "read_the_parents_memory": "print(open('/proc/1/mem', 'rb').read(1))",
    "read_the_parents_files": "import os\nprint(os.listdir('/proc/1/fd'))",
    "write_the_parents_memory": "open('/proc/1/mem', 'wb').write(b'x')",
    "connect_out": "import socket\nsocket.create_connection(('1.1.1.1', 53), 1)",
    "connect_to_the_machine": "import socket\nsocket.create_connection(('127.0.0.1', 22), 1)",
    "connect_to_the_hypervisor": "import socket\nsocket.socket(40, socket.SOCK_STREAM)",
    "write_outside": "open('/usr/lib/escaped', 'w').write('x')",
    "write_to_python": "import json\nopen(json.__file__, 'a').write('x')",
    "write_to_the_root": "open('/escaped', 'w').write('x')",
    "write_to_the_harness": "open('/inside.py', 'a').write('print(1)')",
    "kill_the_parent": "import os\nos.kill(os.getppid(), 9)\nos.kill(1, 9)",
    "stop_the_parent": "import os, time\nos.kill(1, 19)\ntime.sleep(9)",
    "kill_everybody": "import os\nos.kill(-1, 9)",
    "interrupt_the_parent": "import os\nos.kill(1, 2)\nos.kill(1, 15)",
    "orphan_daemon": "import os, time\nif os.fork() == 0:\n    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        for n in range(3, 99):\n            try:\n                os.close(n)\n"
    "            except OSError:\n                pass\n        time.sleep(60)\n"
    "    os._exit(0)",
    "orphan_of_another_program": "import subprocess\n"
    "subprocess.Popen(['/usr/bin/sleep', '60'], start_new_session=True)",
    "ptrace": "import ctypes\nif ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0: print('attached')\n"
    "else: raise OSError",
    "new_user_namespace": "import ctypes\nif ctypes.CDLL(None).unshare(0x10000000) == 0:\n"
    "    print('escaped')\nelse: raise OSError",
    "become_root": "import os\nos.setuid(0)",
    "symlink_out": "import os\nos.symlink('/', '/tmp/up')\n"
    "print(open('/tmp/up/proc/1/root/etc/passwd').read())",
    "symlink_for_the_harness": "import os\nfor n in range(50):\n"
    "    os.symlink('/usr/lib/escaped', f'/tmp/case-{n}')\nraise OSError",
    "sleep_forever": "import time\nwhile True:\n    time.sleep(9)",
    "ignore_signals_and_spin": "import signal\nfor n in (2, 15, 24):\n"
    "    signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
    "exit_0_early": "import os\nos._exit(0)",
    "exit_politely": "import sys\nsys.exit(0)",
    "exit_at_the_call": "import os\ndef solve(n): os._exit(0)",
    "equal_to_everything": "class Yes(str):\n    def __eq__(self, other): return True\n"
    "    def __ne__(self, other): return False\n    __hash__ = str.__hash__\n"
    "def solve(n): return Yes('no')\nprint(Yes('no'))",
    "equal_object": "class Yes:\n    def __eq__(self, other): return True\n"
    "def solve(n): return Yes()\nprint(0)",
    "patch_the_harness": "import builtins, json, sys\nmain = sys.modules['__main__']\n"
    "builtins.AssertionError = type(None)\nbuiltins.exec = lambda *a: None\n"
    "json.dumps = lambda *a, **k: '\"passed\"'\n"
    "for name in list(vars(main)):\n"
    "    if callable(vars(main)[name]) and not name.startswith('__'):\n"
    "        setattr(main, name, lambda *a, **k: 'passed')\n"
    "def solve(n): return 'passed'\nprint('passed')",
    "report_a_verdict": "import os\nfor n in range(1, 50):\n    try:\n"
    '        os.write(n, b\'passed\\n{"value": "passed", "exit": 0}\\n\')\n'
    "    except OSError:\n        pass\ndef solve(n): os._exit(0)",
    "answer_in_the_harness_place": "import os\ndef solve(n):\n"
    "    os.write(4, b'{\"value\": true}\\n' * 99)\n    return True\n"
    "try: os.write(4, b'{\"value\": true}\\n' * 99)\nexcept OSError: pass\nprint(True)",
    "read_the_frames": "import sys, gc\ndef look():\n    f, seen = sys._getframe(), ''\n"
    "    while f:\n        seen += repr(f.f_locals) + repr(f.f_globals.get('job'))\n"
    "        f = f.f_back\n    return look_for(seen + repr(gc.get_objects()))\n"
    "def look_for(text):\n    import re\n    found = re.findall(r'73915260\\d{5}', text)\n"
    "    return found[0] if found else ''\ndef solve(n): return look()\nprint(look())",
    "read_the_files": "import os, re\ndef look():\n"
    "    for top in ('/tmp', '/proc', '/dev/shm', '/inside.py'):\n"
    "        for d, _, names in os.walk(top):\n            for name in names:\n"
    "                try:\n                    text = open(d + '/' + name, 'rb').read(10**5)\n"
    "                except OSError:\n                    continue\n"
    "                if found := re.findall(rb'73915260\\d{5}', text): return found[0].decode()\n"
    "    return ''\ndef solve(n): return look()",
}


@pytest.fixture
def marker(monkeypatch):
    """A word in the environment of everything that a test starts in a sandbox."""
    word = uuid.uuid4().hex
    monkeypatch.setitem(start.ENVIRONMENT, "MARKER", word)
    return word


def alive(marker: str) -> list[str]:
    """Command lines of processes that have the marker in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().decode())
        except OSError:
            continue
    return found


@needs_bwrap
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", SECRET_TESTS)
def test_hostile_program_neither_passes_nor_leaves_a_process(kind, name, marker, monkeypatch):
    monkeypatch.setenv("DISTILL_SECRET", SECRET)
    passed, why = grade_code(SECRET_TESTS[kind], HOSTILE[name], limits=TIGHT)
    assert passed is False, why
    assert alive(marker) == []
    assert not os.path.exists("/usr/lib/escaped") and not os.path.exists("/escaped")


ESCAPES = [
    name
    for name in HOSTILE
    if name.startswith(("read_the_p", "read_the_h", "read_the_e", "write_", "connect_", "become"))
    or name in ("ptrace", "new_user_namespace", "symlink_out")
]


@needs_bwrap
@pytest.mark.parametrize("name", ESCAPES)
def test_what_is_out_of_reach_is_refused_by_the_system(name):
    result = start.run(HOSTILE[name], limits=PATIENT)
    assert result.exit == 1 and not result.ended and result.stdout == ""
    assert any(word in result.stderr for word in ("Error: [Errno", "OSError", "KeyError")), result


@needs_bwrap
@pytest.mark.parametrize("name", ["kill_the_parent", "kill_everybody", "interrupt_the_parent"])
def test_who_signals_the_harness_only_hurts_itself(name):
    assert start.run(HOSTILE[name] + "\nprint('on')", limits=PATIENT).ended == ""


@needs_bwrap
def test_bombs_end_by_their_limit():
    assert start.run(HOSTILE["sleep_forever"], limits=TIGHT).ended == "time"
    assert start.run("while True: pass", limits=TIGHT).ended == "time"
    assert start.run(HOSTILE["memory_bomb_of_many"], limits=PATIENT).ended == "memory"
    assert "MemoryError" in start.run(HOSTILE["memory_bomb"], limits=PATIENT).stderr
    caught = f"import os\ntry:\n    exec({HOSTILE['disk_fill']!r})\nexcept OSError as error:\n"
    caught += "    os.remove('/tmp/0')\n    print(error)"  # makes room for the message
    assert "No space left" in start.run(caught, limits=PATIENT).stdout
    assert len(start.run(HOSTILE["endless_output"], limits=TIGHT).stdout) <= TIGHT.output_bytes


@pytest.mark.parametrize("unsafe", [pytest.param(False, marks=needs_bwrap), True])
@pytest.mark.parametrize("delay", [0, 0.01, 0.03, 0.3])
def test_killed_grader_leaves_no_sandbox(delay, unsafe, marker):
    pid = os.fork()
    if pid == 0:
        how = Choice("none" if unsafe else "bubblewrap")
        start.run("import time\ntime.sleep(60)", choice=how)
        os._exit(0)
    while not any("marshal" in line for line in alive(marker)):
        time.sleep(0.001)
    time.sleep(delay)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    end = time.monotonic() + 10
    while alive(marker) and time.monotonic() < end:
        time.sleep(0.02)
    assert alive(marker) == []


@pytest.fixture
def nothing_installed(monkeypatch):
    """No sandbox is found, and what was found before is forgotten."""
    start._first.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    yield
    start._first.cache_clear()


@pytest.mark.parametrize("sandbox", ["auto", "bubblewrap"])
def test_without_bwrap_nothing_runs_and_the_error_names_package_and_option(
    nothing_installed, sandbox
):
    with pytest.raises(SandboxUnavailableError, match=r"not installed.*bubblewrap.*unsandboxed"):
        grade_code(problem(SUM), "def add(a, b): return a + b", choice=Choice(sandbox))


def test_a_sandbox_that_does_not_start_says_what_bwrap_said(monkeypatch):
    broken = ["/bin/sh", "-c", "echo no namespaces here >&2; exit 1"]
    monkeypatch.setattr(bubblewrap, "command", lambda *_: broken)
    with pytest.raises(SandboxUnavailableError, match="no namespaces here"):
        start.run("", choice=Choice("bubblewrap"))
    monkeypatch.setattr(start.container, "ENGINES", ())
    start._first.cache_clear()
    with pytest.raises(SandboxUnavailableError, match="bubblewrap: no namespaces here"):
        start.run("")
    start._first.cache_clear()


def test_without_bwrap_code_runs_where_the_user_said_so(nothing_installed):
    code = "def add(a, b): return a + b"
    choice = Choice(unsandboxed=True)
    for test in (SUM, json.dumps({"type": "program", "code": "assert add(2, 3) == 5"})):
        assert grade_code(problem(test), code, choice=choice)[0]
        assert not grade_code(problem(test), "def add(a, b): 0", choice=choice)[0]


@needs_bwrap
def test_leave_to_go_without_a_sandbox_is_taken_only_where_there_is_none():
    assert start.sandbox(Choice(unsandboxed=True)) == "bubblewrap"
    assert start.sandbox(Choice("docker", unsandboxed=True)) == "docker"


def test_without_bwrap_too_a_verdict_leaves_no_process(marker):
    tests = [{"type": "stdin", "input": text, "output": "1"} for text in ("0", "sleep")]
    code = "import time\nif input() == 'sleep': time.sleep(60)\nprint(0)"
    options = {"limits": PATIENT, "choice": Choice("none")}
    assert grade_code(problem(*tests), code, **options) == (False, "test 0: another output")
    assert alive(marker) == []


def test_unknown_machine_is_refused_rather_than_filtered_wrongly():
    with pytest.raises(ValueError, match=r"riscv64.*x86_64"):
        seccomp.program("riscv64")
    assert len(seccomp.program("aarch64")) == len(seccomp.program("x86_64"))


@needs_bwrap
@pytest.mark.parametrize(
    ("test", "code"),
    [
        (SUM, "class Solution:\n    def add(self, a: int, b): return a + b"),
        (SUM, "def add(a, b): return a + b\nif __name__ == '__main__': add(input())"),
        (
            {"type": "stdin", "input": "2 3\n", "output": "5\n"},
            "print(sum(map(int, input().split())), '')",
        ),
        (
            {"type": "stdin", "input": "", "output": "7"},
            "import threading\nthreading.stack_size(1 << 26)\n"
            "threading.Thread(target=lambda: print(7)).start()",
        ),
        ({"type": "stdin", "input": "x", "output": "x"}, "print(input())\nexit()"),
        (
            {"type": "call", "function": "f", "arguments": [[3, 1]], "expected": {"1": [1, 3]}},
            "def f(x): return {1: tuple(sorted(x))}",
        ),
        (
            {"type": "program", "imports": True, "code": "assert Solution().f([2, 1]) == 1"},
            "class Solution:\n    def f(self, x: List[int]): return heapify(x) or x[0]",
        ),
        (
            {"type": "program", "code": "n = Node(1)\nn.next = Node(2)\nassert last(n) == {2}"},
            "class Node:\n    def __init__(self, v): self.v = v\ndef last(n): return {n.next.v}",
        ),
        (
            {"type": "program", "code": "try:\n    f()\n    assert False\nexcept KeyError: pass"},
            "def f(): raise KeyError('x')",
        ),
    ],
)
def test_right_program_passes(test, code):
    assert grade_code(problem(test), code) == (True, "passed 1 tests")


@needs_bwrap
@pytest.mark.parametrize("test", [SUM, {"type": "program", "code": "assert add(1, 2) == 3"}])
def test_a_program_is_plain_python_and_inherits_no_future_of_the_sandbox(test):
    right, why = grade_code(problem(test), "def add(a: Undefined, b): return a + b")
    assert right is False
    assert "NameError: name 'Undefined' is not defined" in why


def humaneval(row: dict) -> tuple[dict, str]:
    name = row["entry_point"]
    code = row["test"] + f"\ncheck({name})"
    test = {"type": "program", "setup": row["question"], "code": code, "entry": [name]}
    return test, row["question"] + row["answer"]


def mbpp(row: dict) -> tuple[dict, str]:
    code = "\n".join([row["test_setup_code"], *row["test_list"]])
    return {"type": "program", "code": code}, row["answer"]


def leetcode(row: dict) -> tuple[dict, str]:
    code = row["tests"]["functional"]
    return {"type": "program", "code": code, "imports": True}, row["answer"]


REFERENCES = [(humaneval, 164, 164), (mbpp, 974, 974), (leetcode, 200, 200)]


def passed(convert, every: int) -> list[bool | None]:
    path = DATA / f"{convert.__name__}.jsonl"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [convert(row) for row in rows[::every]]
    with ThreadPoolExecutor(2) as pool:
        return [v for v, _ in pool.map(lambda pair: grade_code(problem(pair[0]), pair[1]), pairs)]


@needs_bwrap
@pytest.mark.parametrize("convert", [humaneval, mbpp, leetcode])
def test_sampled_reference_solutions_pass(convert):
    assert set(passed(convert, every=40)) == {True}


@needs_bwrap
@pytest.mark.slow
@pytest.mark.parametrize(("convert", "total", "least"), REFERENCES)
def test_reference_solutions_pass(convert, total, least):
    verdicts = passed(convert, every=1)
    assert len(verdicts) == total and sum(v is True for v in verdicts) >= least
