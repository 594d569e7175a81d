"""System calls that Python has no function for: namespaces, mounts, capabilities, seccomp, Landlock.

Imported by the zygote, which must stay small: nothing of haloforge, little of the standard library.
Every call raises OSError with the call's name as its file name.
"""

from __future__ import annotations

import ctypes
import os
import struct

NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 36, 38

_MACHINE = os.uname().machine
_CLONE, _PIVOT_ROOT = {"x86_64": (56, 155), "aarch64": (220, 41)}.get(_MACHINE, (-1, -1))
_MOUNT_SETATTR, _CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 442, 444, 445, 446  # the same on every architecture
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_SIGCHLD = 17

# PyDLL keeps the interpreter's lock, which a new process could not take over from its parent.
_libc = ctypes.PyDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def _syscall(number: int, what: str, *arguments: object) -> int:
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments), what)


def unshare(flags: int) -> None:
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def clone(flags: int) -> int:
    """fork() into new namespaces: 0 in the child. Only for a process with one thread."""
    python = ctypes.pythonapi
    python.PyOS_BeforeFork()
    pid = _libc.syscall(ctypes.c_long(_CLONE), ctypes.c_ulong(flags | _SIGCHLD), None, None, None, None)
    if pid == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    return _checked(pid, "clone")


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, options: str = "") -> None:
    done = _libc.mount(
        source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), options.encode()
    )
    _checked(done, f"mount {target}")


def unmount(target: str) -> None:
    _checked(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def close_mount(target: str) -> None:
    """Make a mount and all below it read-only, without set-uid and without devices (Linux 5.12)."""
    attributes = struct.pack("=QQQQ", MS_RDONLY | MS_NOSUID | MS_NODEV, 0, 0, 0)
    _syscall(
        _MOUNT_SETATTR, f"mount_setattr {target}",
        _AT_FDCWD, target.encode(), _AT_RECURSIVE, attributes, ctypes.c_size_t(len(attributes)),
    )  # fmt: skip


def pivot_root(new: str, old: str) -> None:
    _syscall(_PIVOT_ROOT, "pivot_root", new.encode(), old.encode())


def prctl(option: int, value: object) -> None:
    _checked(_libc.prctl(ctypes.c_int(option), value, 0, 0, 0), f"prctl {option}")


def drop_capabilities() -> None:
    """Empty permitted, effective and inheritable sets; with no_new_privs no exec brings one back."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def install_filter(program: bytes) -> None:
    """Load a seccomp filter (an array of struct sock_filter); no_new_privs must be set."""
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    _checked(_libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(2), header, 0, 0), "seccomp")


def landlock_abi() -> int:
    """Version of Landlock here, 0 where there is none."""
    return max(0, _libc.syscall(ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint32(1)))


def create_ruleset(files: int, network: int, scopes: int) -> int:
    """A descriptor of a Landlock ruleset that denies these accesses (ABI 6)."""
    attributes = struct.pack("=QQQ", files, network, scopes)
    size = ctypes.c_size_t(len(attributes))
    return _syscall(_CREATE_RULESET, "landlock_create_ruleset", attributes, size, ctypes.c_uint32(0))


def allow_below(ruleset: int, path: str, access: int) -> None:
    """Allow `access` to the file `path`, or to everything below it."""
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", access, fd)
        _syscall(_ADD_RULE, f"landlock_add_rule {path}", ruleset, 1, rule, ctypes.c_uint32(0))
    finally:
        os.close(fd)


def restrict_self(ruleset: int) -> None:
    _syscall(_RESTRICT_SELF, "landlock_restrict_self", ruleset, ctypes.c_uint32(0))
