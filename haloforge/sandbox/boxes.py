"""A box: one bubblewrap around one sample, several runs inside it.

Holds: own pid, mount, network, ipc, uts and cgroup namespace; read-only toolchain folders; /work and
/tmp of capped size; no home, no host environment; seccomp; limits of `Limits`. As root the sample has
a user id that nothing else on the machine uses; as an ordinary user a user namespace.
Not a border against kernel exploits, and the *number* of (empty) files in /work is bounded only by
the CPU limit. Level "rlimits" (see `canaries`) has neither namespaces nor a disk limit.
"""

from __future__ import annotations

import contextlib
import importlib.util
import marshal
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from signal import SIGKILL
from types import TracebackType

from haloforge.errors import MissingTool, SandboxFault
from haloforge.sandbox import filter as seccomp
from haloforge.sandbox.inside import BUSY_FACTOR, ENDINGS, LENGTH, REPORT, RUN
from haloforge.sandbox.limits import VIOLATION, WALL_LIMIT, Limits, Outcome

NS, RLIMITS = "ns", "rlimits"

START_TIMEOUT_S = 60.0
"""A box starts in about 15 ms; more than this is a machine in trouble."""
GRACE_S = 10.0
"""How much later than at the latest a run may be reported on a loaded machine."""

_HOST_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_HOST_FILES = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/work", "TMPDIR": "/tmp", "LANG": "C.UTF-8"}
_BOOT = (
    "import sys,marshal,posix\n"
    "c,i,o,e=map(int,sys.argv[1:])\n"
    "def r(n):\n"
    " b=b''\n"
    " while len(b)<n:\n"
    "  p=posix.read(c,n-len(b))\n"
    "  if not p: posix._exit(0)\n"
    "  b+=p\n"
    " return b\n"
    "for f in (c,i,o,e): posix.set_inheritable(f,False)\n"
    "exec(marshal.loads(r(int.from_bytes(r(4),'little'))),globals())\n"
    "serve(c,(i,o,e))\n"
)


def box_uid(slot: int = 0) -> int:
    """The user id of this process's boxes in `slot` when we are root: no other process on the machine has it.

    The range 0x70000000…0x7FFFFFFF is outside what systemd, containers and directories hand out.
    Where it is not mapped (a container's root) it is 60001 + slot.
    """
    uid = 0x70000000 + os.getpid() % (1 << 22) * 64 + slot % 64
    return uid if _uid_exists(uid) else 60001 + slot


@cache
def _uid_ranges() -> tuple[tuple[int, int], ...]:
    with open("/proc/self/uid_map") as f:
        rows = [line.split() for line in f]
    return tuple((int(first), int(first) + int(count)) for first, _, count in rows)


def _uid_exists(uid: int) -> bool:
    return any(first <= uid < last for first, last in _uid_ranges())


@cache
def interpreter() -> tuple[str, str]:
    """(path, prefix) of the Python that runs process 1: the one that runs us, without its virtual environment."""
    prefix = os.path.realpath(sys.base_prefix)
    for path in (Path(prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}", Path(sys.executable)):
        if path.exists():
            return os.path.realpath(path), prefix
    raise MissingTool(f"no Python interpreter under {prefix} to start a sandbox with")


@cache
def _init_code() -> bytes:
    spec = importlib.util.find_spec("haloforge.sandbox.inside")
    assert spec is not None
    code = spec.loader.get_code(spec.name)  # type: ignore[union-attr]
    blob = marshal.dumps(code)
    return len(blob).to_bytes(4, "little") + blob


@cache
def _bwrap_arguments(disk_bytes: int, root: bool) -> tuple[str, ...]:
    """Everything of the command line but the file descriptors."""
    path = shutil.which("bwrap")
    if path is None:
        raise MissingTool(
            "the sandbox needs bubblewrap (bwrap), absent here; run toolbox/install-tools.sh, "
            "or accept a weaker sandbox with --allow-weak"
        )
    args = [path, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if root:
        # No user namespace: process 1 takes the slot's own uid itself, so that RLIMIT_NPROC counts.
        args += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        args += ["--unshare-user"]
    args += ["--die-with-parent", "--new-session", "--as-pid-1", "--hostname", "box", "--clearenv"]
    _, prefix = interpreter()
    bound = ["/usr", *([] if prefix == "/usr" or prefix.startswith("/usr/") else [prefix])]
    for folder in _HOST_FOLDERS:
        if os.path.islink(folder):
            args += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            bound.append(folder)
    # bwrap would make the parents itself, closed to all but their owner.
    parents = [str(parent) for parent in reversed(Path(prefix).parents)][1:] if prefix in bound else []
    for parent in ("/etc", *parents):
        args += ["--perms", "0755", "--dir", parent]
    for folder in (*bound, *(p for p in _HOST_FILES if os.path.exists(p))):
        args += ["--ro-bind", folder, folder]
    args += ["--proc", "/proc", "--dir", "/dev"]
    for device in _DEVICES:
        args += ["--dev-bind", device, device]
    args += ["--symlink", "/proc/self/fd", "/dev/fd"]
    for folder in ("/work", "/tmp"):
        args += ["--perms", "1777", "--size", str(disk_bytes), "--tmpfs", folder]
    args += ["--remount-ro", "/", "--chdir", "/work"]
    return tuple(args)


class Box:
    """One sample's box; a context manager. Use it in the thread that made it: it dies with that thread."""

    def __init__(self, files: Mapping[str, str | bytes], limits: Limits, level: str, slot: int = 0) -> None:
        """Nothing starts before `with`. Raises ValueError for a file name that leaves the box's folder."""
        for name in files:
            if not name or name.startswith("/") or ".." in name.split("/") or "\0" in name:
                raise ValueError(f"{name!r} is not a path inside the box")
        self._files = {k: v.encode("utf-8", "surrogatepass") if isinstance(v, str) else v for k, v in files.items()}
        self._limits = limits
        self.level = level
        self._slot = slot
        self._dead = False
        self._fds: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._folder: str | None = None

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
        """Run `argv` (first a path, absolute or relative to /work) and wait for its end.

        What it leaves running is killed; files it wrote stay for the next run in this box. A run that
        takes its box down, and each run after it, ends by `violation`. An `argv[0]` that cannot be
        started is exit code 127 with the reason in stderr.

        Raises:
            SandboxFault: the host could not hand over the run (disk or memory full).
        """
        limits = limits or self._limits
        assert self._control is not None, "run() outside of `with`"
        if self._dead:
            return self._lost(VIOLATION, 0.0)
        start = time.monotonic()
        stdin_fd, stdout_fd, stderr_fd = self._fds[:3]
        try:
            for fd in (stdin_fd, stdout_fd, stderr_fd):
                os.ftruncate(fd, 0)
            _write_all(stdin_fd, stdin)
        except OSError as e:
            raise SandboxFault(f"cannot hand {len(stdin)} bytes of input to a box: {e}") from e
        words = [os.fsencode(word) for word in argv]
        message = RUN.pack(
            limits.cpu_s, limits.wall_s, limits.memory_bytes, limits.output_bytes, limits.processes,
            limits.stack_bytes, limits.open_files, len(words),
        )  # fmt: skip
        try:
            self._control.settimeout(BUSY_FACTOR * limits.wall_s + GRACE_S)
            self._control.sendall(message + b"".join(LENGTH.pack(len(word)) + word for word in words))
            report = _receive(self._control, REPORT.size)
        except TimeoutError:
            return self._lost(WALL_LIMIT, time.monotonic() - start)
        except OSError:
            report = b""
        if len(report) < REPORT.size:
            return self._lost(VIOLATION, time.monotonic() - start)
        code, signal, cpu_s, peak, wall_s, ending = REPORT.unpack(report)
        return Outcome(
            exit_code=None if signal else code,
            signal=signal or None,
            stdout=_read_all(stdout_fd, limits.output_bytes),
            stderr=_read_all(stderr_fd, limits.output_bytes),
            cpu_s=cpu_s,
            wall_s=wall_s,
            peak_bytes=peak,
            ended_by=ENDINGS[ending],
            level=self.level,
        )

    def close(self) -> None:
        """End everything in the box and reap it. Safe to call twice."""
        if self._control is not None:
            self._control.close()  # process 1 leaves at end of file, and all the box with it
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(0.01 if self._dead else 5.0)
            except subprocess.TimeoutExpired:
                self._kill()
                self._process.wait()
            self._process = None
        for fd in self._fds:
            os.close(fd)
        self._fds = []
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _start(self) -> None:
        weak = self.level == RLIMITS
        root = os.geteuid() == 0
        uid = box_uid(self._slot) if root else 0
        python, _ = interpreter()
        ours, theirs = socket.socketpair()
        self._control = ours
        pipe_read = -1
        try:
            for name in ("stdin", "stdout", "stderr"):
                self._fds.append(os.memfd_create(f"box-{name}", os.MFD_CLOEXEC))
            for fd, flags in zip(self._fds[:3], (os.O_RDONLY, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_APPEND),
                                 strict=True):  # fmt: skip
                self._fds.append(os.open(f"/proc/self/fd/{fd}", flags | os.O_CLOEXEC))
            inner = [theirs.fileno(), *self._fds[3:6]]
            passed = list(inner)
            command = [python, "-I", "-S", "-B", "-c", _BOOT, *map(str, inner)]
            if weak:
                self._folder = tempfile.mkdtemp(prefix="haloforge-box-")
                if root:
                    os.chown(self._folder, uid, uid)
            else:
                filter_arguments: list[str] = []
                program = seccomp.program()
                if program is not None:
                    pipe_read, pipe_write = os.pipe()
                    os.write(pipe_write, program)  # far below a pipe's capacity
                    os.close(pipe_write)
                    filter_arguments = ["--seccomp", str(pipe_read)]
                    passed.append(pipe_read)
                command = [*_bwrap_arguments(self._limits.disk_bytes, root), *filter_arguments, "--", *command]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._fds[2],
                cwd=self._folder or "/",
                env=_ENVIRONMENT,
                pass_fds=passed,
                start_new_session=weak,
            )
        except OSError as e:
            raise SandboxFault(f"cannot start a box: {e}") from e
        finally:
            theirs.close()
            if pipe_read >= 0:
                os.close(pipe_read)
        self._introduce(uid, weak)

    def _introduce(self, uid: int, weak: bool) -> None:
        """Send code and files, wait until the box stands."""
        assert self._control is not None
        environment = "\0".join(f"{k}={v}" for k, v in _ENVIRONMENT.items()) if not weak else "\0".join(
            f"{k}={self._folder if v.startswith('/work') or v == '/tmp' else v}" for k, v in _ENVIRONMENT.items()
        )  # fmt: skip
        fields = [str(uid).encode(), str(int(weak)).encode(), environment.encode(), str(len(self._files)).encode()]
        for name, content in self._files.items():
            fields += [os.fsencode(name), content]
        try:
            self._control.settimeout(START_TIMEOUT_S)
            self._control.sendall(_init_code() + b"".join(LENGTH.pack(len(field)) + field for field in fields))
            ready = _receive(self._control, 1)
        except OSError as e:
            ready, reason = b"", str(e)
        else:
            reason = "it ended at once"
        if not ready:
            said = _read_all(self._fds[2], 4096).decode("utf-8", "replace").strip()
            raise SandboxFault(f"a box of level {self.level} did not start: {said or reason}")

    def _kill(self) -> None:
        """End a box that does not end itself: first its process 1, which takes all the others with it.

        bwrap's own death would not do: without CAP_KILL its death signal does not reach the box's other uid.
        """
        assert self._process is not None
        pid = self._process.pid
        with contextlib.suppress(OSError):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                os.kill(int(child), SIGKILL)
        self._process.kill()

    def _lost(self, ended_by: str, wall_s: float) -> Outcome:
        """The box died, or answers no more: nothing is known but what it wrote."""
        self._dead = True
        assert self._process is not None
        if self._control is not None:
            # The process is still needed by close(); its control socket is of no use any more.
            with contextlib.suppress(OSError):
                self._control.shutdown(socket.SHUT_RDWR)
        self._kill()
        return Outcome(None, None, b"", b"", 0.0, wall_s, 0, ended_by, self.level)


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
