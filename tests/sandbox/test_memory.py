"""Memory that does not show as a process's own is refused, bounded or counted.

Each program would take several times its limit and never more than a gigabyte. Needs bwrap.
"""

import re
import shutil
from dataclasses import replace

import pytest

from distill.sandbox import start
from distill.sandbox.box import Limits
from distill.sandbox.start import Choice
from tests.sandbox.test_bubblewrap import alive, marker

__all__ = ["marker"]
pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bwrap is not installed (package bubblewrap)"
)
MEBIBYTE = 1 << 20
SMALL = Limits(
    cpu_seconds=10,
    wall_seconds=30,
    memory_bytes=256 * MEBIBYTE,
    output_bytes=4 * MEBIBYTE,
    disk_bytes=16 * MEBIBYTE,
    processes=8,
)


def run(program: str, limits: Limits = SMALL):
    return start.run(program, limits=limits, choice=Choice("bubblewrap"))


# What the C library is called with, `call` fails as Python's own functions do.
CALL = """
import ctypes, mmap, os, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
def call(function, *arguments):
    if function(*arguments) in (-1, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def mapped(flags, size=180 << 20, file=-1):
    call(libc.mmap, None, ctypes.c_size_t(size), 3, flags, file, ctypes.c_long(0))
"""
REFUSED = {
    "shared without a file": "import mmap\nmmap.mmap(-1, 180 << 20)",
    "shared by a call": CALL + "mapped(0x21)",
    "shared and validated": CALL + "mapped(0x23)",
    "shared, from zeros": CALL + "mapped(1, file=os.open('/dev/zero', os.O_RDWR))",
    "huge pages": CALL + "mapped(0x40022)",
    "huge pages of a size": CALL + "mapped(0x22 | 0x40000 | 21 << 26)",
    "a file in memory": "import os\nos.memfd_create('x')",
    "a secret in memory": CALL + "call(libc.syscall, 447, 0)",
    "shared by System V": CALL + "call(libc.shmget, 0, ctypes.c_size_t(1 << 20), 0o1600)",
    "messages by System V": CALL + "call(libc.msgget, 0, 0o1600)",
    "messages by POSIX": CALL + "call(libc.syscall, 240, b'x', 0o102, 0o600, None)",
    "a wider pipe": "import fcntl, os\nfcntl.fcntl(os.pipe()[0], 1031, 1 << 20)",
    "pages lent to a pipe": CALL + "call(libc.vmsplice, os.pipe()[1], None, 0, 0)",
    "pages moved to a pipe": "import os\nopen('/tmp/x', 'wb').write(b'x' * 9999)\n"
    "os.splice(os.open('/tmp/x', 0), os.pipe()[1], 9999)",
    "larger buffers of sockets": "import socket\n"
    "socket.socketpair()[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)",
    "sockets of another kind": "import socket\nsocket.socketpair(30)",
    "rules of the kernel": CALL + "call(libc.syscall, 444, ctypes.byref(ctypes.c_long(15)), 8, 0)",
    "rings": CALL + "call(libc.syscall, 425, 8, ctypes.create_string_buffer(120))",
    "terminals": "import os\nos.open('/dev/ptmx', os.O_RDWR)",
    "a file system in memory": CALL + "call(libc.mount, b'x', b'/tmp', b'tmpfs', 0, None)",
}


@pytest.mark.parametrize("name", REFUSED)
def test_memory_without_an_owner_is_refused(name):
    result = run(REFUSED[name])
    assert result.exit == 1 and not result.ended, result
    assert re.search(r"(Permission|FileNotFound|OS)Error: \[Errno", result.stderr), result.stderr


MANY = """
import os, time
def hold():
    {}
for _ in range(4):
    if os.fork() == 0:
        hold()
        time.sleep(60)
        os._exit(0)
time.sleep(60)
"""
COUNTED = {
    "of many processes": MANY.format("x = b'x' * (180 << 20); time.sleep(60)"),
    "of many that daemonize": MANY.format(
        "os.setsid(); os.fork() and os._exit(0); x = b'x' * (180 << 20); time.sleep(60)"
    ),
    "of threads that outlive the first": MANY.format(
        "import ctypes, threading; libc = ctypes.CDLL(None)\n"
        "    def keep():\n"
        "        time.sleep(.2); x = b'x' * (120 << 20); time.sleep(60)\n"
        "    threading.Thread(target=keep).start(); libc.syscall(60, 0)"
    ),
    "of one process that shares with its children": MANY.format(
        "x = b'x' * (120 << 20); os.fork(); x = bytearray(x); time.sleep(60)"
    ),
    "in sockets": """
import os, socket, time
for _ in range(3):
    os.fork()
kept = []
try:
    while True:
        kept += socket.socketpair()
        for one in kept[-2:]:
            one.setblocking(False)
            try:
                while True:
                    one.send(b'x' * 60000)
            except BlockingIOError:
                pass
except OSError:
    time.sleep(60)
""",
    "in empty files": "n = 0\nwhile True:\n    open(f'/tmp/{n}', 'x').close()\n    n += 1",
    "in folders": "import os\nn = 0\nwhile True:\n    os.mkdir(f'/dev/shm/{n}')\n    n += 1",
    "in links": "import os\nn = 0\nwhile True:\n    os.symlink('x' * 99, f'/tmp/{n}')\n    n += 1",
    "in attributes": "import os\nopen('/tmp/x', 'x')\nn = 0\n"
    "while True:\n    os.setxattr('/tmp/x', f'user.{n}', b'x' * 60000)\n    n += 1",
    "in names": "import os\nopen('/tmp/x', 'x')\nn = 0\n"
    "while True:\n    os.link('/tmp/x', f'/tmp/{n:0200}')\n    n += 1",
}


@pytest.mark.parametrize("name", COUNTED)
def test_memory_is_counted_wherever_it_is_held(name, marker):
    limits = replace(SMALL, processes=16) if name == "in sockets" else SMALL
    result = run(COUNTED[name], limits)
    assert result.ended == "memory", result
    assert alive(marker) == []


def test_folders_and_pipes_hold_no_more_than_their_sizes(marker):
    fill = """
import fcntl, os
held = 0
try:
    while True:
        _, end = os.pipe()
        os.set_blocking(end, False)
        try:
            while True:
                held += os.write(end, b'x' * 4096)
        except BlockingIOError:
            pass
except OSError:
    for end in range(5, 60):
        os.close(end)
print(held)
for folder in ('/tmp', '/dev/shm'):
    written, n = 0, 0
    try:
        while True:
            file = os.open(f'{folder}/{n}', os.O_CREAT | os.O_WRONLY)
            n += 1
            for _ in range(64):
                written += os.write(file, b'x' * 65536)
            os.unlink(f'{folder}/{n - 1}')  # what is open still counts
    except OSError:
        for k in range(n):
            if os.path.exists(f'{folder}/{k}'):
                os.unlink(f'{folder}/{k}')
    os.closerange(5, 99)
    print(written)
"""
    result = run(fill)
    piped, *written = map(int, result.stdout.split())
    assert 0 < piped <= SMALL.open_files // 2 * 65536
    assert 0 < written[0] <= SMALL.disk_bytes and 0 < written[1] <= SMALL.output_bytes
    assert alive(marker) == []


def test_waiting_signals_and_timers_are_few():
    program = f"{CALL}\nn, timer = 0, ctypes.c_long()\n"
    program += "while libc.timer_create(0, None, ctypes.byref(timer)) == 0: n += 1\nprint(n)"
    assert int(run(program).stdout) <= 1024


@pytest.mark.parametrize(
    "program",
    [
        "import multiprocessing as m\nwith m.Pool(2) as pool: print(sum(pool.map(abs, [-3, 4])))",
        "import multiprocessing as m\nv = m.Value('i', 7)\nwith v.get_lock(): print(v.value)",
        "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 7\n"
        "print(asyncio.run(f()))",
        "import mmap\nm = mmap.mmap(-1, 99, flags=mmap.MAP_PRIVATE)\nm[0] = 7\nprint(m[0])",
        "import mmap\nf = open('/tmp/x', 'w+b')\nf.write(b'7' * 4096)\nf.flush()\n"
        "print(chr(mmap.mmap(f.fileno(), 0)[0]))",
        "from multiprocessing.shared_memory import SharedMemory\n"
        "s = SharedMemory(create=True, size=9)\ns.buf[0] = 7\nprint(s.buf[0])\n"
        "s.close()\ns.unlink()",
        "import subprocess\n"
        "print(subprocess.run(['/bin/echo', '7'], capture_output=True).stdout.decode())",
        "import concurrent.futures as c\nwith c.ThreadPoolExecutor(4) as p:\n"
        "    print(*p.map(int, '7'))",
        "import os\nopen('/dev/null', 'w').write('x')\nprint(7 if os.urandom(9) else 0)",
        "x = bytearray(150 << 20)\nprint(7)",
        "import sqlite3\nd = sqlite3.connect('/tmp/d')\nd.execute('create table t(x)')\n"
        "d.execute('insert into t values (7)')\nprint(*d.execute('select x from t').fetchone())",
        "import tempfile\nwith tempfile.TemporaryFile('w+') as f:\n    f.write('7')\n"
        "    f.seek(0)\n    print(f.read())",
    ],
)
def test_what_honest_programs_do_still_works(program):
    result = run(program, replace(SMALL, processes=16))
    assert (result.exit, result.stdout.strip()) == (0, "7"), result.stderr
