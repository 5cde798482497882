"""A seccomp filter, as bytes for Bubblewrap, refuses system calls that a sandbox must not make.

They are what namespaces and resource limits leave open: another user namespace (with capabilities
in it, and so a temporary file system of any size), reading another process, sockets outside the
network namespace (vsock), kernel keyrings, and memory that no limit counts: shared without a file,
lent to a pipe, in larger buffers of pipes and sockets, or in tables of the kernel.
"""

import errno
import platform
import struct
from functools import cache

CALLS = {
    # name: (x86_64, aarch64), from asm/unistd_64.h and asm-generic/unistd.h of Linux
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "unshare": (272, 97),
    "setns": (308, 268),
    "socket": (41, 198),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "vmsplice": (278, 75),
    "splice": (275, 76),
    "tee": (276, 77),
    "setsockopt": (54, 208),
    "fanotify_init": (300, 262),
    "landlock_create_ruleset": (444, 444),
}
"""Refused with EPERM."""

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column of CALLS, AUDIT_ARCH
_CLONE, _CLONE3 = (56, 220), 435
_NEW_NAMESPACE = 0x7E020000  # every CLONE_NEW* that clone(2) takes
_MMAP, _FCNTL, _SOCKETPAIR = (9, 222), (72, 25), (53, 199)
_MAP_SHARED, _MAP_ANONYMOUS, _MAP_HUGETLB = 0x1, 0x20, 0x40000
_SET_PIPE_SIZE, _LOCAL = 1031, 1  # F_SETPIPE_SZ, AF_UNIX
_X32 = 0x40000000  # calls of x86_64's second table have this bit and would pass by number

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_ARGUMENTS = (16, 24, 32, 40)


@cache
def program(machine: str | None = None) -> bytes:
    """The filter in the form that `bwrap --seccomp` reads: 8 bytes per instruction.

    `machine` is a name that `platform.machine()` returns; None: this machine's.

    Raises:
        ValueError: the numbers of the machine's system calls are not in this module.
    """
    machine = machine or platform.machine()
    if machine not in _MACHINES:
        raise ValueError(f"no system call numbers for {machine}; known: {', '.join(_MACHINES)}")
    column, architecture = _MACHINES[machine]
    refuse = _REFUSE | errno.EPERM
    code = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL)]
    code += [(_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, refuse)]
    for numbers in CALLS.values():
        code += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, refuse)]
    # clone3 hides its flags in memory: without it, the C library falls back to clone.
    code += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _REFUSE | errno.ENOSYS)]
    rules = {
        _CLONE: [(_LOAD, 0, 0, _ARGUMENTS[0]), (_ANY_BIT, 0, 1, _NEW_NAMESPACE)],
        _FCNTL: [(_LOAD, 0, 0, _ARGUMENTS[1]), (_EQUAL, 0, 1, _SET_PIPE_SIZE)],
        _SOCKETPAIR: [(_LOAD, 0, 0, _ARGUMENTS[0]), (_EQUAL, 1, 0, _LOCAL)],
        _MMAP: [  # refused: huge pages, which no limit counts, and shared memory without a file
            (_LOAD, 0, 0, _ARGUMENTS[3]),
            (_ANY_BIT, 2, 0, _MAP_HUGETLB),
            (_ANY_BIT, 0, 2, _MAP_ANONYMOUS),
            (_ANY_BIT, 0, 1, _MAP_SHARED),
        ],
    }
    for numbers, conditions in rules.items():
        rule = [*conditions, (_RETURN, 0, 0, refuse), (_RETURN, 0, 0, _ALLOW)]
        code += [(_EQUAL, 0, len(rule), numbers[column]), *rule]
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
