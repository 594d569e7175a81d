"""What confines a sample, by level: the box's own mounts, Landlock's rules, and which seccomp filter goes with them."""

from __future__ import annotations

import os
import resource
import stat

from haloforge.sandbox import filter as seccomp
from haloforge.sandbox import kernel, roots
from haloforge.sandbox.protocol import LANDLOCK, NS

LANDLOCK_ABI = 6
"""The first one that keeps signals inside (Linux 6.12)."""

_EXECUTE, _READ_FILE, _READ_DIR, _REFER = 1, 4, 8, 1 << 13
_ALL_FILES = (1 << 16) - 1
_OF_A_FILE = 1 | 2 | 4 | 1 << 14 | 1 << 15
_ALL_NETWORK = 3
_ALL_SCOPES = 3
"""Abstract sockets, signals."""


def check(level: str) -> None:
    """Raises OSError where the kernel has not what `level` is built on."""
    if level == LANDLOCK and (abi := kernel.landlock_abi()) < LANDLOCK_ABI:
        raise OSError(0, f"this kernel has ABI {abi}, wanted is {LANDLOCK_ABI} (Linux 6.12)", "Landlock")


def program(level: str, root: bool) -> bytes | None:
    """The seccomp filter of a level. Where files and processes of the host are in sight, it has more to refuse."""
    if level == NS:
        return seccomp.program()
    return seccomp.program(families=(), shared_host=True, shared_uid=not root)


def mount_box(uid: int, disk_bytes: int, inodes: int, shown: tuple[str, ...]) -> None:
    """Give this mount namespace its own /proc, /work and /tmp; `shown` folders below them stay visible."""
    within = [path for path in shown if path.startswith(("/tmp/", "/work/"))]
    held = [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in within]
    plain = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("proc", "/proc", "proc", plain | kernel.MS_NOEXEC)
    options = f"size={disk_bytes},nr_inodes={inodes},mode=1777"
    owner = f",uid={uid},gid={uid}" if uid else ""
    kernel.mount("tmpfs", "/work", "tmpfs", plain, options + owner)
    kernel.mount("tmpfs", "/tmp", "tmpfs", plain, options)
    for path, fd in zip(within, held, strict=True):
        roots.make_mount_point(path, stat.S_ISDIR(os.fstat(fd).st_mode))
        kernel.mount(f"/proc/self/fd/{fd}", path, None, kernel.MS_BIND | kernel.MS_REC)
        os.close(fd)


def file_rules(work: str, tmp: str, shown: tuple[str, ...]) -> int:
    """A ruleset: toolchains to read and run, the box's folders and a few devices to write, no TCP, own signals only."""
    ruleset = kernel.create_ruleset(_ALL_FILES, _ALL_NETWORK, _ALL_SCOPES)
    read = _EXECUTE | _READ_FILE | _READ_DIR
    for path in roots.visible(shown):
        kernel.allow_below(ruleset, path, read if os.path.isdir(path) else read & _OF_A_FILE)
    for path in roots.DEVICES:
        kernel.allow_below(ruleset, path, _OF_A_FILE)
    for path in (work, tmp):
        kernel.allow_below(ruleset, path, _ALL_FILES)
    return ruleset


def show_own_proc(ruleset: int) -> None:
    """Let this process, and what it becomes, read its own entry in /proc: mono asks there for its stack's bounds."""
    kernel.allow_below(ruleset, "/proc/self", _READ_FILE | _READ_DIR)


def scope_signals() -> None:
    """Keep the box's process 1 from signalling anything outside, so that it can kill all it reaches."""
    # Moving a file to another folder is refused by any ruleset that does not allow it.
    ruleset = kernel.create_ruleset(_REFER, 0, _ALL_SCOPES)
    kernel.allow_below(ruleset, "/", _REFER)
    kernel.restrict_self(ruleset)
    os.close(ruleset)
    try:
        os.kill(os.getppid(), 0)
    except PermissionError:
        return
    raise OSError(0, "signals pass it", "Landlock")  # then killing all we reach would reach the whole user


def make_executable(program: bytes) -> None:
    """A linker may not set the mode of its output where chmod is refused; do it for what is about to run."""
    if b"/" not in program or program.startswith(b"/"):
        return
    try:
        fd = os.open(program, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
        os.fchmod(fd, status.st_mode | 0o100)
    os.close(fd)


def lower(what: int, most: int) -> None:
    """Set a resource limit for good, never above what is already in force."""
    ceiling = resource.getrlimit(what)[1]
    if ceiling != resource.RLIM_INFINITY:
        most = min(most, ceiling)
    resource.setrlimit(what, (most, most))
