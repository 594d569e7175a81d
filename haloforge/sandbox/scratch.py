"""Without namespaces: the folder that a box works in, kept in size and emptied, and what its processes leave behind."""

from __future__ import annotations

import os
import stat
import time
from _signal import SIGKILL

WORK, TMP = "work", "tmp"


def make(folder: str, uid: int) -> None:
    """`folder`/work and `folder`/tmp, of the box's user where we may give them away."""
    for name in (WORK, TMP):
        os.mkdir(f"{folder}/{name}", 0o700)
        if uid:
            os.chown(f"{folder}/{name}", uid, uid)


def empty(folder: str) -> None:
    """Remove what is in `folder`, however deep and whatever its modes.

    A nested folder is moved up before it is opened, so that neither the path nor the call stack grows.
    """
    moved = 0
    while names := os.listdir(folder):
        for path in (f"{folder}/{name}" for name in names):
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            for entry in list(os.scandir(path)):
                if entry.is_dir(follow_symlinks=False):
                    os.chmod(entry.path, 0o700)  # a folder can be moved only by who may write it
                    moved += 1
                    os.rename(entry.path, f"{folder}/moved-{moved}")
                else:
                    os.unlink(entry.path)
            os.rmdir(path)


def used_bytes(folder: str, pids: list[int]) -> int | None:
    """Disk space of everything below `folder`, a page at least for each name, and of what `pids` hold open nameless.

    None where something hides from being counted: a folder that is closed even to its owner, or too deep a path.
    """
    total, todo = 0, [folder]
    device = os.stat(folder).st_dev
    while todo:
        try:
            for entry in os.scandir(todo.pop()):
                total += max(4096, entry.stat(follow_symlinks=False).st_blocks << 9)
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # it went while we looked
        except OSError:
            return None
    unnamed: dict[int, int] = {}
    for pid in pids:
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                found = os.stat(f"/proc/{pid}/fd/{fd}")
                if found.st_nlink == 0 and found.st_dev == device and stat.S_ISREG(found.st_mode):
                    unnamed[found.st_ino] = found.st_blocks << 9
        except OSError:
            continue
    return total + sum(unnamed.values())


def descendants(pid: int) -> list[int]:
    """Ids of all processes below `pid`."""
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children", "rb") as f:
                    children = [int(child) for child in f.read().split()]
                found += children
                todo += children
        except OSError:
            continue
    return found


def end_children() -> None:
    """Kill and reap whatever is below this process, which must be a subreaper."""
    while pids := descendants(os.getpid()):
        for pid in pids:
            try:  # noqa: SIM105
                os.kill(pid, SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)
