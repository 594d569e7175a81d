"""The owner's side of zygotes: start one, borrow an idle one, find out whose fault an end was, end them all.

A zygote makes one box at a time, so a process has as many as it ever held boxes at once, about 11 MB each. They are
started with a plain exec (the owner may be a large process with threads), belong to this process alone, and end
with it.
"""

from __future__ import annotations

import atexit
import contextlib
import marshal
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path

from haloforge.errors import MissingTool, SandboxFault
from haloforge.sandbox import filter as seccomp
from haloforge.sandbox import scratch
from haloforge.sandbox.calls import ONE_THREAD
from haloforge.sandbox.flavours import Flavour
from haloforge.sandbox.protocol import ENDED, KILL, NS, UP

START_TIMEOUT_S = 60.0
"""A zygote starts in about 50 ms and a box in 3; more than this is a machine in trouble."""
END_TIMEOUT_S = 10.0
_ENVIRONMENT = {"LANG": "C.UTF-8"}
# Stand-ins for the packages: the zygote imports the sandbox's own files and nothing else of haloforge.
_BOOT = """
import sys
from types import ModuleType
for name, path in (("haloforge", sys.argv[1]), ("haloforge.sandbox", sys.argv[1] + "/sandbox")):
    module = sys.modules[name] = ModuleType(name)
    module.__path__ = [path]
del sys.argv[1]
from haloforge.sandbox import zygote
zygote.main()
"""


@cache
def interpreter(for_all: bool = False) -> tuple[str, str]:
    """(path, prefix) of the Python that runs zygotes: the one that runs us, without its virtual environment.

    `for_all`: one that every user may read, if need be another one of the same version.
    """
    prefix = os.path.realpath(sys.base_prefix)
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for path in (Path(prefix) / "bin" / name, Path(sys.executable)):
        if path.exists() and not (for_all and _closed(prefix)):
            return os.path.realpath(path), prefix
    if not for_all:
        raise MissingTool(f"no Python interpreter under {prefix} to start a sandbox with")
    for other in ("/usr/local", "/usr"):
        if os.path.exists(f"{other}/bin/{name}"):
            return f"{other}/bin/{name}", other
    raise MissingTool(
        f"{_closed(prefix)} is closed to other users, so a box cannot import from this Python: open it to them "
        f"(chmod o+x), install {name} in /usr, or run as an ordinary user"
    )


def _closed(path: str) -> str:
    """The folder on the way to `path`, or `path` itself, that other users may not pass; "" where all are open."""
    way = (*reversed(Path(path).parents), Path(path))
    return next((str(each) for each in way if not each.stat().st_mode & 1), "")


class Zygote:
    def __init__(self, level: str, mounts: tuple[str, ...] = (), flavour: Flavour | None = None) -> None:
        """Start one and wait until its root stands.

        Raises:
            MissingTool: a module of `flavour` cannot be imported.
            SandboxFault: it did not come up; the message names the step that was refused.
        """
        self.key = (level, mounts, flavour)
        self.sets_limits = level == NS and seccomp.program() is not None
        """Else a run sets its own, which takes a fork."""
        self._over = False
        self.folder = ""
        # Without namespaces the box's user sees the host's folders as they are, and imports from them.
        for_all = flavour is not None and level != NS and os.geteuid() == 0
        python, prefix = interpreter(for_all)
        for path in flavour.packages if flavour and for_all else ():
            if closed := _closed(os.path.dirname(path)):
                raise MissingTool(
                    f"{closed} is closed to other users, so a box cannot import {path}: chmod o+x {closed}"
                )
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        self._poller = select.poll()
        self._poller.register(ours, select.POLLIN)
        said = os.memfd_create("zygote-stderr", os.MFD_CLOEXEC)
        try:
            if level != NS:
                self.folder = tempfile.mkdtemp(prefix="haloforge-box-")
                os.chmod(self.folder, 0o711)
            self.process = subprocess.Popen(
                [python, "-I", "-S", "-c", _BOOT, str(Path(__file__).parent.parent), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                cwd="/",
                env={**_ENVIRONMENT, **(ONE_THREAD if flavour else {})},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError as e:
            self._forget()
            os.close(said)
            raise SandboxFault(f"cannot start the sandbox's zygote: {e}") from e
        finally:
            theirs.close()
        try:
            ours.settimeout(START_TIMEOUT_S)
            shown, held = (prefix, *mounts), None
            if flavour:
                shown, held = (*shown, *flavour.packages), (list(flavour.modules), list(flavour.packages))
            with contextlib.suppress(OSError):  # it has ended, and said why
                ours.send(marshal.dumps((os.getpid(), level, self.folder, shown, held)))
            answer = self.receive()
            if answer != UP:
                self.end()
                words = answer.decode(errors="replace") or _tail(said)
                if words.startswith("import "):
                    raise MissingTool(f"a box cannot hold a Python module: {words}")
                raise SandboxFault(f"no box of level {level} here: {words}")
        finally:
            os.close(said)

    def request(self, uid: int, disk_bytes: int, inodes: int, fds: list[int]) -> int:
        """Have a box cloned that is served by `fds`; returns the pid of its process 1. Raises SandboxFault."""
        self._over = False
        try:
            socket.send_fds(self._socket, [marshal.dumps((uid, disk_bytes, inodes))], fds)
        except OSError as e:
            raise SandboxFault(f"the sandbox's zygote is gone: {e}") from e
        answer = self.receive()
        if not answer.isdigit():
            raise SandboxFault(f"no box: {answer.decode(errors='replace') or 'the zygote is gone'}")
        return int(answer)

    def limit(self, rlimits: list[tuple[int, int]]) -> None:
        """Have these limits set for the box's next runs. Raises OSError where the box has ended, else SandboxFault."""
        self._socket.send(marshal.dumps(rlimits))
        answer = self.receive()
        if answer == ENDED:
            self._over = True
            raise ProcessLookupError
        if answer != UP:
            raise SandboxFault(answer.decode(errors="replace") or "the sandbox's zygote is gone")

    def box_ended(self, kill: bool = False) -> bool:
        """Wait for the box's end, bringing it about if `kill`; False where the zygote is gone or does not answer."""
        with contextlib.suppress(OSError):
            if self._over:
                return True
            if kill:
                self._socket.send(KILL)
            self._socket.settimeout(END_TIMEOUT_S)
            return self.receive() == ENDED
        return False

    def answered(self) -> bool:
        """Whether it has said something that was not asked for: its box ended, or it did itself."""
        return bool(self._poller.poll(0))

    def receive(self) -> bytes:
        try:
            return self._socket.recv(4096)
        except OSError:
            return b""

    def end(self) -> None:
        """End it, and with it the box that it may have; what was the box's alone is removed. Safe to repeat."""
        self._socket.close()
        try:
            self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._forget()

    def _forget(self) -> None:
        self._socket.close()
        if self.folder:
            with contextlib.suppress(OSError):  # mostly the zygote has done it
                scratch.empty(self.folder)
                os.rmdir(self.folder)


_idle: list[Zygote] = []
_lock = threading.Lock()


def borrow(level: str, mounts: tuple[str, ...] = (), flavour: Flavour | None = None) -> Zygote:
    """An idle zygote of that kind, or a new one. Raises SandboxFault, MissingTool."""
    with _lock:
        for zygote in _idle:
            if zygote.key == (level, mounts, flavour):
                _idle.remove(zygote)
                if zygote.answered():  # killed meanwhile
                    zygote.end()
                    break
                return zygote
    return Zygote(level, mounts, flavour)


def give_back(zygote: Zygote) -> None:
    with _lock:
        _idle.append(zygote)


def end_idle() -> None:
    """End every zygote of this process that has no box at the moment."""
    with _lock:
        ended, _idle[:] = list(_idle), []
    for zygote in ended:
        zygote.end()


def _after_fork() -> None:
    """A forked child must neither use nor end its parent's zygotes."""
    global _lock
    _lock = threading.Lock()
    for zygote in _idle:
        zygote._socket.close()
        zygote.process.returncode = 0  # not ours to wait for
    _idle.clear()


atexit.register(end_idle)
os.register_at_fork(after_in_child=_after_fork)


def _tail(fd: int) -> str:
    lines = os.pread(fd, 1 << 16, 0).decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it ended at once"
