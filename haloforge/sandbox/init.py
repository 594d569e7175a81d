"""Process 1 of a box: seals itself, writes the files, runs one command at a time and reports how it ended.

A clone of the zygote. The sample has the same user id but none of this process's descriptors; being non-dumpable,
this process cannot be traced, read or written by it. A call's memory is a copy of this process's, so inputs and
arguments of calls do not come by here, and the files' contents are overwritten. With namespaces it dies with its zygote
and takes all the others along. Without them Landlock keeps the sample's signals from it, and it cleans up before it
leaves.
"""

from __future__ import annotations

import errno
import os
import resource
import select
import time
from _signal import SIG_DFL, SIG_IGN, SIGINT, SIGKILL, SIGPIPE, SIGXCPU, SIGXFSZ, signal

from haloforge.sandbox import calls, confine, kernel, scratch
from haloforge.sandbox import protocol as p

TYPE_CHECKING = False  # importing typing would make every clone larger
if TYPE_CHECKING:
    from typing import NoReturn

    Command = list[bytes] | str
    """A program and its words, or the entry of a call."""

TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SIGSYS = 31
_IGNORED = (SIGINT, SIGPIPE, SIGXCPU, SIGXFSZ)
_BUFFER = 1 << 18
_O_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


class Template:
    """What all boxes of a zygote have in common, worked out once."""

    def __init__(self, level: str, folder: str, shown: tuple[str, ...], zygote: int) -> None:
        self.level = level
        self.folder = folder
        self.shown = shown
        self.zygote = zygote
        """pidfd, readable when the zygote has ended."""
        self.root = os.geteuid() == 0
        self.filter = confine.program(level, self.root)
        self.spawn = level == p.NS and self.filter is not None
        """Start runs with posix_spawn: half the price of fork, but the zygote must set the limits, from outside."""
        work, tmp = (f"{folder}/{name}" if folder else f"/{name}" for name in (scratch.WORK, scratch.TMP))
        self.work, self.tmp = work, tmp
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": work, "TMPDIR": tmp, "LANG": "C.UTF-8"}


class Init:
    """One box, seen from its process 1."""

    def __init__(self, template: Template, wanted: tuple[int, int, int], fds: list[int]) -> None:
        self.t = template
        self.uid, self.disk_bytes, self.disk_inodes = wanted
        self.control, *self.fds = fds[:4]
        self.argument, self.channel = (*fds[4:], -1, -1)[:2]
        self.ruleset = -1

    def seal(self) -> None:
        """Take the box's file system and user id, and give up every right that is not needed to run a sample."""
        t = self.t
        if t.level == p.NS:
            confine.mount_box(self.uid, self.disk_bytes, self.disk_inodes, t.shown)
        else:
            scratch.make(t.folder, self.uid)
            if t.level == p.LANDLOCK:
                self.ruleset = confine.file_rules(t.work, t.tmp, t.shown)
        os.chdir(t.work)
        with open("/proc/self/oom_score_adj", "w") as f:
            f.write("1000")  # where the machine runs out of memory, a sample goes first
        if self.uid and t.root:
            os.setgroups([])
            os.setresgid(self.uid, self.uid, self.uid)
            os.setresuid(self.uid, self.uid, self.uid)
        kernel.drop_capabilities()
        for what, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_MSGQUEUE, 0), (resource.RLIMIT_MEMLOCK, 65536)):
            confine.lower(what, most)
        if t.level == p.NS:
            kernel.prctl(kernel.PR_SET_PDEATHSIG, SIGKILL)
        else:
            kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
        # A signal with a handler would reach process 1 from inside the box.
        for number in _IGNORED:
            signal(number, SIG_IGN)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        if t.level == p.LANDLOCK:
            confine.scope_signals()
        if t.spawn and t.filter:
            kernel.install_filter(t.filter)

    def start(self, command: Command, limits: list[tuple[int, int]]) -> int:
        """Start the program or the call; returns its pid. Raises OSError where it cannot be started."""
        if self.t.spawn and not isinstance(command, str):
            dup = [(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate(self.fds)]
            return os.posix_spawn(
                command[0], command, self.t.env, file_actions=dup, setsid=True, setsigdef=_IGNORED, setsigmask=()
            )
        pid = os.fork()
        if pid == 0:
            self.become(command, limits)
        if isinstance(command, str) and self.channel >= 0:
            os.close(self.channel)  # the other end must see when the call has ended
            self.channel = -1
        return pid

    def become(self, command: Command, limits: list[tuple[int, int]]) -> NoReturn:
        """The child's side of a fork: descriptors, limits, Landlock, filter, exec or call."""
        try:
            os.setsid()
            for target, fd in enumerate(self.fds):
                os.dup2(fd, target, True)
            if self.t.level != p.NS and not isinstance(command, str):
                confine.make_executable(command[0])  # before the filter, which changes no modes
            if not self.t.spawn:
                for what, most in limits:
                    confine.lower(what, most)
                if self.ruleset >= 0:
                    confine.show_own_proc(self.ruleset)
                    kernel.restrict_self(self.ruleset)
                if self.t.filter:
                    kernel.install_filter(self.t.filter)
            if isinstance(command, str):
                self.call(command)
            for number in _IGNORED:
                signal(number, SIG_DFL)
            os.execve(command[0], command, self.t.env)
        except BaseException as e:
            self.cannot_run(command, e)
        finally:
            os._exit(127)

    def call(self, entry: str) -> NoReturn:
        """Become the call: what this process has and an exec would not have left to it goes first."""
        function = calls.find(entry)
        argument = p.whole(self.argument)
        if self.channel >= 0:
            os.dup2(self.channel, p.CHANNEL_FD, False)
        os.closerange(p.CHANNEL_FD + (self.channel >= 0), 1 << 16)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
        calls.run(function, argument, self.t.work)

    def cannot_run(self, command: Command, error: BaseException) -> None:
        name = command.encode() if isinstance(command, str) else command[0]
        reason = error.strerror if isinstance(error, OSError) else str(error)
        os.write(self.fds[2], b"box: cannot run %s: %s\n" % (name, str(reason).encode()))

    def others(self) -> list[int]:
        """Ids of the processes of the sample."""
        me = os.getpid()
        if self.t.level != p.NS:
            return scratch.descendants(me)
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != me]

    def end_all(self) -> None:
        """Kill whatever the run left behind and reap it."""
        if self.t.level == p.RLIMITS:
            scratch.end_children()
            return
        while True:
            try:  # noqa: SIM105
                # All that we may signal is ours: the others are out of the pid namespace or of Landlock's scope.
                os.kill(-1, SIGKILL)
            except ProcessLookupError:
                pass
            try:
                while True:
                    os.waitpid(-1, 0)
            except ChildProcessError:
                return

    def report(self, command: Command, limits: tuple[float, float, int, int], rlimits: list[tuple[int, int]]) -> bytes:
        """`run`; where that fails for a reason of ours the REPORT says so."""
        try:
            return self.run(command, limits, rlimits)
        except Exception as e:
            self.end_all()
            self.cannot_run(command, e)
            return p.REPORT.pack(127, 0, 0.0, 0, 0.0, p.BY_US)

    def run(self, command: Command, limits: tuple[float, float, int, int], rlimits: list[tuple[int, int]]) -> bytes:
        """Run one command or call to its end and return its REPORT."""
        memory, output = limits[2:]
        try:  # noqa: SIM105
            os.lseek(self.fds[0], 0, os.SEEK_SET)
        except OSError:
            pass  # a socket, of a box that talks
        cpu_before = reaped_cpu()
        start = time.monotonic()
        try:
            pid = self.start(command, rlimits)
        except OSError as e:
            if e.errno in (errno.EAGAIN, errno.ENOMEM):  # no process to be had: no fault of the command's
                raise
            self.cannot_run(command, e)
            return p.REPORT.pack(127, 0, 0.0, 0, time.monotonic() - start, 0)
        ending, peak, seen_cpu = self.watch(pid, start, cpu_before, limits)
        if ending:
            try:  # noqa: SIM105 (contextlib costs a millisecond)
                os.kill(pid, SIGKILL)
            except ProcessLookupError:
                pass
        _, status, usage = os.wait4(pid, 0)
        self.end_all()
        wall = time.monotonic() - start
        cpu = max(reaped_cpu() - cpu_before, seen_cpu)
        peak = max(peak, usage.ru_maxrss << 10)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = -1 if number else os.WEXITSTATUS(status)
        if not ending:
            if number == SIGSYS:
                ending = p.BY_VIOLATION
            elif number == SIGXFSZ or max(os.fstat(fd).st_size for fd in self.fds[1:]) >= output:
                ending = p.BY_OUTPUT
            elif number == SIGXCPU or cpu > limits[0]:
                ending = p.BY_CPU
            elif peak > memory:
                ending = p.BY_MEMORY
        return p.REPORT.pack(code, number, cpu, peak, wall, ending)

    def watch(
        self, pid: int, start: float, cpu_before: float, limits: tuple[float, float, int, int]
    ) -> tuple[int, int, float]:
        """Wait until `pid` ends or the tree is over a limit.

        Returns:
            How it must be ended (0 where it did by itself), peak bytes, CPU seconds at the last look.
        """
        cpu_limit, wall_limit, memory, _ = limits
        handle = os.pidfd_open(pid)
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        poller.register(self.control, 0)  # hang-up of the owner only
        poller.register(self.t.zygote, select.POLLIN)
        cores = os.cpu_count() or 1
        ending = peak = 0
        seen: dict[int, int] = {}
        idle_s = last_cpu = 0.0
        last_look = start
        pause_s = 0.01
        while not ending:
            for fd, _ in poller.poll(max(1, int(pause_s * 1000))):
                if fd != handle:
                    self.leave()
                ending = -1
            if ending:
                break
            pids = self.others()
            live_cpu, resident, busy = measure(pids, seen)
            cpu = max(live_cpu + reaped_cpu() - cpu_before, sum(seen.values()) * TICK_S)
            now = time.monotonic()
            if not busy and cpu <= last_cpu:
                idle_s += now - last_look
            last_cpu, last_look = cpu, now
            if resident > memory and len(pids) > 1:
                resident = proportional(pids) or resident
            peak = max(peak, resident)
            if cpu >= cpu_limit:
                ending = p.BY_CPU
            elif idle_s >= wall_limit or now - start >= p.BUSY_FACTOR * wall_limit:
                ending = p.BY_WALL
            elif resident > memory:
                ending = p.BY_MEMORY
            elif self.t.level != p.NS and self.over_disk(pids):
                ending = p.BY_VIOLATION
            # The tree cannot use up what it has left before the next look; memory is looked at every 20 ms.
            pause_s = min(0.02, max(0.002, (cpu_limit - cpu) / cores), max(0.002, wall_limit - idle_s))
        os.close(handle)
        return max(0, ending), peak, last_cpu

    def over_disk(self, pids: list[int]) -> bool:
        for folder in (self.t.work, self.t.tmp):
            used = scratch.used_bytes(folder, pids)
            if used is None or used > self.disk_bytes:
                return True
        return False

    def leave(self) -> NoReturn:
        """The owner or the zygote is gone."""
        if self.t.level != p.NS:
            self.end_all()
        os._exit(0)


def main(template: Template, wanted: tuple[int, int, int], fds: list[int]) -> NoReturn:
    """First message: names and sizes of the files; then their contents; then one run each, until the owner hangs up."""
    try:
        box = Init(template, wanted, fds)
        files = p.read_message(box.control)
        if files is not None:
            try:
                box.seal()
                buffer = bytearray(min(_BUFFER, max((size for _, size in files), default=0)))
                for name, size in files:
                    write_file(name, size, box.control, buffer)
                buffer[:] = bytes(len(buffer))
            except OSError as e:
                p.send(box.control, f"{e.filename or 'set-up'}: {e.strerror}".encode()[:4000])
                os._exit(1)
            p.send(box.control, p.UP)
            while message := p.read_message(box.control):
                p.send(box.control, box.report(*message))
    finally:
        os._exit(1)


def write_file(name: bytes, size: int, source: int, buffer: bytearray) -> None:
    """Write a new file of this box with the next `size` bytes that `source` gives."""
    parent = b""
    for part in name.split(b"/")[:-1]:
        parent += part + b"/"
        try:  # noqa: SIM105
            os.mkdir(parent, 0o755)
        except FileExistsError:
            pass
    fd = os.open(name, _O_CREATE, 0o644)
    try:
        while size:
            got = os.readv(source, [memoryview(buffer)[:size]])
            if not got:
                os._exit(0)  # the owner is gone
            p.send(fd, memoryview(buffer)[:got])
            size -= got
    finally:
        os.close(fd)


def measure(pids: list[int], seen: dict[int, int]) -> tuple[float, int, bool]:
    """(CPU seconds, resident bytes, whether one runs or waits for a processor or a disk) of living processes.

    CPU time includes the children that they waited for. `seen` gets the CPU ticks of each process itself: what
    nobody waits for is in no parent's account.
    """
    ticks = pages = 0
    busy = False
    for pid in pids:
        try:
            fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
            fields = os.read(fd, 4096).rpartition(b") ")[2].split()
            os.close(fd)
            own = int(fields[11]) + int(fields[12])
        except (OSError, IndexError):  # it ended while we looked
            continue
        seen[pid] = own
        ticks += own + int(fields[13]) + int(fields[14])
        pages += int(fields[21])
        busy = busy or fields[0] in (b"R", b"D")
    return ticks * TICK_S, pages * PAGE, busy


def proportional(pids: list[int]) -> int:
    """Resident bytes with shared pages counted once; where unreadable, 0."""
    total = 0
    for pid in pids:
        try:
            fd = os.open(f"/proc/{pid}/smaps_rollup", os.O_RDONLY)
            text = os.read(fd, 4096)
            os.close(fd)
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith(b"Pss:"):
                total += int(line.split()[1]) << 10
    return total


def reaped_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
