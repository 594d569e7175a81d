"""A box, seen from outside: one sample, several runs inside it.

Holds at level "ns": own pid, mount and ipc namespace, a network of nobody, read-only toolchain folders, /work and
/tmp of capped size, no home, no host environment, seccomp, the limits of `Limits`. As root the sample has a user id
that nothing else on the machine uses; as an ordinary user a user namespace. Not a border against kernel exploits.
docs/SANDBOX.md says what the weaker levels do not hold.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Mapping, Sequence
from functools import cache
from types import TracebackType

from haloforge.errors import SandboxFault
from haloforge.sandbox import zygotes
from haloforge.sandbox.calls import SCRIPT
from haloforge.sandbox.flavours import Flavour
from haloforge.sandbox.limits import VIOLATION, WALL_LIMIT, Limits, Outcome, resources
from haloforge.sandbox.protocol import BUSY_FACTOR, BY_US, ENDINGS, NS, REPORT, UP, packed

GRACE_S = 10.0
"""How much later than at the latest a run may be reported on a loaded machine."""
BYTES_PER_INODE = 8192
FEWEST_INODES = 4096
_STREAMS = (("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY))


def box_uid(slot: int = 0) -> int:
    """The user id of this process's boxes in `slot` when we are root: no other process on the machine has it.

    The range 0x70000000…0x7FFFFFFF is outside what systemd, containers and directories hand out.
    Where it is not mapped (a container's root) it is 60001 + slot.
    """
    uid = 0x70000000 + os.getpid() % (1 << 22) * 64 + slot % 64
    return uid if any(first <= uid < last for first, last in _uid_ranges()) else 60001 + slot


@cache
def _uid_ranges() -> tuple[tuple[int, int], ...]:
    with open("/proc/self/uid_map") as f:
        rows = [line.split() for line in f]
    return tuple((int(first), int(first) + int(count)) for first, _, count in rows)


class Box:
    """One sample's box; a context manager."""

    def __init__(
        self,
        files: Mapping[str, str | bytes],
        limits: Limits,
        level: str,
        slot: int = 0,
        mounts: Sequence[str] = (),
        talks: bool = False,
        flavour: Flavour | None = None,
        channel: socket.socket | None = None,
    ) -> None:
        """Nothing starts before `with`.

        Args:
            talks: the box is for `start` and `ask` instead of `run`.
            channel: the box takes it over.

        Raises:
            ValueError: a file name leaves the box's folder, or a mount would hide what the box has of its own.
        """
        for name in files:
            if not name or name.startswith("/") or ".." in name.split("/") or "\0" in name:
                raise ValueError(f"{name!r} is not a path inside the box")
        self._files = [
            (os.fsencode(name), text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
            for name, text in files.items()
        ]
        for path in mounts:
            own = path in ("/", "/work", "/tmp") or path.startswith(("/proc", "/dev"))
            if own or not path.startswith("/") or os.path.normpath(path) != path:
                raise ValueError(f"{path!r} cannot be shown in a box: give an absolute path, not the box's own folders")
        if channel is not None and flavour is None:
            raise ValueError("a channel is for calls, and only a box with a flavour can be called: give flavour= too")
        self._limits = limits
        self.level = level
        self.slot = slot
        self._mounts = tuple(mounts)
        self._zygote: zygotes.Zygote | None = None
        self._control: socket.socket | None = None
        self._talks = talks
        self._flavour = flavour
        self._for_call = channel
        self._channel: socket.socket | None = None
        self._fds: list[int] = []
        self._argument = -1
        self._begun: tuple[float, Limits] | None = None
        """When the run that goes on was started, and its limits."""
        self._pid = 0
        self._in_force: list[tuple[int, int]] = []
        """Limits that are set on process 1 now."""

    def __enter__(self) -> Box:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def run(self, argv: Sequence[str], stdin: bytes = b"", limits: Limits | None = None) -> Outcome:
        """Run `argv` (first a path, absolute or relative to the box's folder) and wait for its end.

        What it leaves running is killed; files it wrote stay for the next run in this box. A run that
        takes its box down, and each run after it, ends by `violation`. An `argv[0]` that cannot be
        started is exit code 127 with the reason in stderr.

        Raises:
            SandboxFault: our side failed: disk or memory full, no process to be had, the zygote killed.
        """
        self._begin([os.fsencode(word) for word in argv], stdin, b"", limits)
        return self.finish()

    def call(self, entry: str, argument: bytes = b"", limits: Limits | None = None, *, stdin: bytes = b"") -> Outcome:
        """Call `entry`, the "module:function" of one of the flavour's modules, with `argument`; else as `run`.

        It is called in a process of its own, in the box's folder, as by a Python that has just been started; an
        exception is a traceback on stderr and exit code 1. The box's channel is descriptor 3 of its first call.

        Raises:
            ValueError: the box's flavour does not hold that module.
            SandboxFault: our side failed.
        """
        self.begin(entry, argument, limits, stdin=stdin)
        return self.finish()

    def begin(self, entry: str, argument: bytes = b"", limits: Limits | None = None, *, stdin: bytes = b"") -> None:
        """The first half of `call`: start it. Meanwhile another box can be called; `finish` is the second half."""
        module, _, function = entry.partition(":")
        if self._flavour is None or module not in (SCRIPT, *self._flavour.modules) or not function:
            held = ", ".join((SCRIPT, *self._flavour.modules)) if self._flavour else "none, without flavour="
            raise ValueError(f"{entry!r} cannot be called: wanted is module:function of what this box holds ({held})")
        self._begin(entry, stdin, argument, limits)

    def _begin(self, command: list[bytes] | str, stdin: bytes, argument: bytes, limits: Limits | None) -> None:
        assert self._zygote is not None, "a run outside of `with`"
        assert self._begun is None, "a run before the last one was finished"
        limits = limits or self._limits
        start = time.monotonic()
        if self._control is not None:
            try:
                for fd in self._fds:
                    os.ftruncate(fd, 0)
                _write_all(self._fds[0], stdin)
                if self._argument >= 0:
                    os.ftruncate(self._argument, 0)
                    _write_all(self._argument, argument)
            except OSError as e:
                raise SandboxFault(f"cannot hand {len(stdin) + len(argument)} bytes of input to a box: {e}") from e
            with contextlib.suppress(OSError):  # it has ended, which `finish` finds out
                self._send(command, limits)
        self._begun = (start, limits)

    def finish(self) -> Outcome:
        """Wait for the end of what `begin` started."""
        assert self._begun is not None, "finish() without begin()"
        assert self._zygote is not None, "finish() outside of `with`"
        (start, limits), self._begun = self._begun, None
        if self._control is None:
            return self._lost(VIOLATION, 0.0)
        try:
            latest = start + BUSY_FACTOR * limits.wall_s + GRACE_S
            self._control.settimeout(max(0.1, latest - time.monotonic()))
            report = _receive(self._control, REPORT.size)
        except TimeoutError:
            return self._lost(WALL_LIMIT, time.monotonic() - start)
        except OSError:
            report = b""
        if len(report) < REPORT.size:
            return self._lost(VIOLATION, time.monotonic() - start)
        code, signal, cpu_s, peak, wall_s, ending = REPORT.unpack(report)
        stdout, stderr = (_read_all(fd, limits.output_bytes) for fd in self._fds[1:])
        if ending == BY_US:
            raise SandboxFault(f"a run could not be started: {stderr[-200:].decode(errors='replace').strip()}")
        return Outcome(
            exit_code=None if signal else code,
            signal=signal or None,
            stdout=stdout,
            stderr=stderr,
            cpu_s=cpu_s,
            wall_s=wall_s,
            peak_bytes=peak,
            ended_by=ENDINGS[ending],
            level=self.level,
        )

    def start(self, argv: Sequence[str], limits: Limits) -> None:
        """Start a command that answers `ask` until the box is closed. Its stdin and stdout are one socket."""
        assert self._control is not None, "start() outside of `with`"
        try:
            self._send([os.fsencode(word) for word in argv], limits)
        except OSError as e:
            raise SandboxFault(f"a command could not be started: {e}") from e

    def ask(self, message: bytes, wall_s: float, most: int) -> bytes:
        """What the started command answers; both ways a message is four bytes of length, most significant first, and
        its bytes.

        Raises:
            SandboxFault: no answer of at most `most` bytes within `wall_s` seconds, or the command has ended.
        """
        assert self._channel is not None, "ask() without start()"
        assert self._control is not None
        try:
            self._channel.settimeout(wall_s)
            self._channel.sendall(len(message).to_bytes(4, "big") + message)
            ready, _, _ = select.select([self._channel, self._control], [], [], wall_s)
            if self._channel not in ready:
                raise SandboxFault("a command has ended" if ready else f"a command did not answer within {wall_s:g} s")
            length = int.from_bytes(_receive(self._channel, 4), "big")
            answer = _receive(self._channel, length) if length <= most else b""
        except OSError as e:
            raise SandboxFault(f"a command did not answer: {e}") from e
        if not length or len(answer) < length:
            raise SandboxFault("a command ended in the middle of an answer, or answered too much")
        return answer

    def close(self) -> None:
        """End everything in the box and wait until it is gone. Safe to call twice."""
        zygote, self._zygote = self._zygote, None
        if zygote is not None:
            if self._control is not None:
                self._hang_up()
                ended = zygote.box_ended() if self._pid else False
            else:
                ended = self._pid > 0  # `_lost` has waited for it
            if ended:
                zygotes.give_back(zygote)
            else:
                zygote.end()
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._for_call is not None:
            self._for_call.close()
        for fd in (*self._fds, self._argument):
            if fd >= 0:
                os.close(fd)
        self._fds = []
        self._argument = -1

    def _start(self) -> None:
        root = os.geteuid() == 0
        zygote = self._zygote = zygotes.borrow(self.level, self._mounts, self._flavour)
        inodes = max(FEWEST_INODES, self._limits.disk_bytes // BYTES_PER_INODE)
        theirs: list[int] = []
        try:
            self._control, end = socket.socketpair()
            theirs.append(end.detach())
            if self._talks:
                self._channel, end = socket.socketpair()
                theirs += [os.dup(end.fileno()), end.detach()]
            for name, flags in _STREAMS[2 if self._talks else 0 :]:
                self._fds.append(os.memfd_create(name, os.MFD_CLOEXEC))
                # Of its own, so that it has its own position and can neither be read back nor, as input, written.
                theirs.append(os.open(f"/proc/self/fd/{self._fds[-1]}", flags | os.O_APPEND | os.O_CLOEXEC))
            if self._flavour:
                self._argument = os.memfd_create("argument", os.MFD_CLOEXEC)
                theirs.append(os.open(f"/proc/self/fd/{self._argument}", os.O_RDONLY | os.O_CLOEXEC))
            if self._for_call is not None:
                theirs.append(self._for_call.detach())
            uid = box_uid(self.slot) if root else 0
            pid = zygote.request(uid, self._limits.disk_bytes, inodes, theirs)
        except OSError as e:
            raise SandboxFault(f"cannot start a box: {e}") from e
        finally:
            for fd in theirs:
                os.close(fd)
        self._pid = pid
        try:
            self._control.settimeout(zygotes.START_TIMEOUT_S)
            head = packed(tuple((name, len(content)) for name, content in self._files))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has ended, and said why
                self._control.sendall(head + b"".join(content for _, content in self._files))
            answer = self._control.recv(4096)
        except OSError as e:
            answer = str(e).encode()
        if answer != UP:
            reason = answer.decode(errors="replace") or "it ended at once"
            raise SandboxFault(f"a box of level {self.level} did not start: {reason}")

    def _send(self, command: list[bytes] | str, limits: Limits) -> None:
        assert self._control is not None
        rlimits = self._limit(limits)
        wanted = (limits.cpu_s, limits.wall_s, limits.memory_bytes, limits.output_bytes)
        self._control.settimeout(BUSY_FACTOR * limits.wall_s + GRACE_S)
        self._control.sendall(packed((command, wanted, rlimits)))

    def _limit(self, limits: Limits) -> list[tuple[int, int]]:
        """The limits of the next run as the kernel counts them; where the zygote sets them, they are in force now."""
        assert self._zygote is not None
        root = os.geteuid() == 0
        helpers = 2  # process 1 and the zygote
        if self.level != NS:
            helpers = 1 if root else _tasks_of_this_user()
        wanted = resources(limits, helpers)
        if self._zygote.sets_limits and wanted != self._in_force:
            self._zygote.limit(wanted)
            self._in_force = wanted
        return wanted

    def _lost(self, ended_by: str, wall_s: float) -> Outcome:
        """The box died, or answers no more: nothing is known but whether it was the sample's doing."""
        assert self._zygote is not None
        if self._control is not None:
            self._hang_up()
            if not self._zygote.box_ended(kill=True):
                self._pid = 0
                raise SandboxFault("the sandbox's zygote died under a box")
        elif not self._pid:
            raise SandboxFault("the sandbox's zygote died under this box")
        return Outcome(None, None, b"", b"", 0.0, wall_s, 0, ended_by, self.level)

    def _hang_up(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None


def _tasks_of_this_user() -> int:
    """Processes and threads that count against the user's RLIMIT_NPROC where the sample is the same user."""
    me, count = os.geteuid(), 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, IndexError):
            if os.stat(f"/proc/{name}").st_uid == me:
                with open(f"/proc/{name}/stat", "rb") as f:
                    count += int(f.read().rpartition(b") ")[2].split()[17])
    return count


def _receive(sock: socket.socket, count: int) -> bytes:
    """`count` bytes, or fewer at end of file."""
    data = b""
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part:
            break
        data += part
    return data


def _write_all(fd: int, data: bytes) -> None:
    view, offset = memoryview(data), 0
    while offset < len(data):
        offset += os.pwrite(fd, view[offset:], offset)


def _read_all(fd: int, most: int) -> bytes:
    parts, offset = [], 0
    while offset < most:
        part = os.pread(fd, min(most - offset, 1 << 20), offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
    return b"".join(parts)
