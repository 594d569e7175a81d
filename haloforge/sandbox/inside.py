"""Process 1 of a box: takes requests from the host, runs one command at a time, reports how it ended.

It runs as compiled code in a bare interpreter (`python -I -S -B`), so it imports built-in modules
only and nothing of haloforge. The sample has the same user id but not this process's descriptors;
being non-dumpable, this process cannot be traced, read or written by it.
"""

import posix
import resource
import select
import time
from _signal import SIG_DFL, SIG_IGN, SIGINT, SIGKILL, SIGPIPE, SIGXCPU, SIGXFSZ, signal
from _struct import Struct

LENGTH = Struct("<I")
RUN = Struct("<dd6q")
"""cpu_s, wall_s, memory, output, processes, stack, open files, number of arguments."""
REPORT = Struct("<iidqdi")
"""exit code, signal, cpu_s, peak bytes, wall_s, how it ended (index into ENDINGS)."""
ENDINGS = (None, "cpu_limit", "wall_limit", "memory_limit", "output_limit", "violation")
BY_CPU, BY_WALL, BY_MEMORY, BY_OUTPUT, BY_VIOLATION = 1, 2, 3, 4, 5
SPARE_ADDRESS_SPACE = 64 << 20
"""Code, libraries and stacks. Reserved memory is not used memory, so the address space may be twice the limit,
plus this; what is resident is watched."""
BUSY_FACTOR = 5
"""Waiting for a processor that others use is no idling; it ends after so many wall limits."""
TICK_S = 1.0 / posix.sysconf("SC_CLK_TCK")
PAGE = posix.sysconf("SC_PAGE_SIZE")
SIGSYS = 31
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
O_CREATE = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW


def read_exactly(fd: int, count: int) -> bytes:
    """`count` bytes from the host; leaves for good when the host is gone."""
    parts = []
    while count:
        part = posix.read(fd, min(count, 1 << 20))
        if not part:
            posix._exit(0)
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def read_field(fd: int) -> bytes:
    return read_exactly(fd, LENGTH.unpack(read_exactly(fd, LENGTH.size))[0])


def send(fd: int, data: bytes) -> None:
    while data:
        data = data[posix.write(fd, data) :]


def seal(uid: int, weak: bool) -> None:
    """Give up the user id and become invisible to everything that runs from here on."""
    import _ctypes

    if uid and posix.getuid() == 0:
        posix.setgroups([])
        posix.setresgid(uid, uid, uid)
        posix.setresuid(uid, uid, uid)
    prctl = _ctypes.dlsym(_ctypes.dlopen(None, 2), "prctl")  # type: ignore[arg-type]
    options = [(PR_SET_PDEATHSIG, int(SIGKILL)), (PR_SET_DUMPABLE, 0)]
    if weak:
        options.append((PR_SET_CHILD_SUBREAPER, 1))
    for option, value in options:
        if _ctypes.call_function(prctl, (option, value, 0, 0, 0)) != 0:
            raise OSError(f"prctl {option} refused")
    # A signal with a handler would reach process 1 from inside the box.
    for number in (SIGINT, SIGPIPE, SIGXFSZ):
        signal(number, SIG_IGN)


def write_file(name: bytes, content: bytes) -> None:
    parent = b""
    for part in name.split(b"/")[:-1]:
        parent += part + b"/"
        try:  # noqa: SIM105 (contextlib costs a millisecond)
            posix.mkdir(parent, 0o755)
        except FileExistsError:
            pass
    fd = posix.open(name, O_CREATE, 0o644)
    send(fd, content)
    posix.close(fd)


def become(argv: list[bytes], env: dict[bytes, bytes], limits: tuple, fds: tuple[int, int, int]) -> None:
    """The child's side of a run: descriptors, limits, exec. Never returns."""
    cpu_s, _, memory, output, processes, stack, open_files, _ = limits
    try:
        posix.setsid()
        for target, fd in enumerate(fds):
            posix.dup2(fd, target, True)
        for number in (SIGINT, SIGPIPE, SIGXFSZ):
            signal(number, SIG_DFL)
        hard_cpu = int(cpu_s) + 2
        for what, soft, hard in (
            (resource.RLIMIT_CORE, 0, 0),
            (resource.RLIMIT_CPU, hard_cpu, hard_cpu + 1),
            (resource.RLIMIT_FSIZE, output, output),
            (resource.RLIMIT_NOFILE, open_files, open_files),
            (resource.RLIMIT_STACK, stack, stack),
            (resource.RLIMIT_MEMLOCK, 65536, 65536),
            (resource.RLIMIT_MSGQUEUE, 0, 0),
            (resource.RLIMIT_NPROC, processes, processes),
            (resource.RLIMIT_AS, 2 * memory + SPARE_ADDRESS_SPACE, 2 * memory + SPARE_ADDRESS_SPACE),
        ):
            ceiling = resource.getrlimit(what)[1]
            if ceiling != resource.RLIM_INFINITY:
                soft, hard = min(soft, ceiling), min(hard, ceiling)
            resource.setrlimit(what, (soft, hard))
        posix.execve(argv[0], argv, env)
    except BaseException as e:
        try:
            posix.write(2, b"box: cannot run %s: %s\n" % (argv[0], str(e).encode()))
        finally:
            posix._exit(127)


def others(weak: bool) -> list[int]:
    """Ids of the processes of the sample: all but this one, or in a weak box its descendants."""
    me = posix.getpid()
    if not weak:
        return [int(name) for name in posix.listdir("/proc") if name.isdigit() and int(name) != me]
    found, todo = [], [me]
    while todo:
        pid = todo.pop()
        try:
            for task in posix.listdir(f"/proc/{pid}/task"):
                fd = posix.open(f"/proc/{pid}/task/{task}/children", posix.O_RDONLY)
                children = [int(child) for child in posix.read(fd, 1 << 16).split()]
                posix.close(fd)
                found += children
                todo += children
        except OSError:
            continue
    return found


def measure(pids: list[int]) -> tuple[float, int, bool]:
    """(CPU seconds, resident bytes, whether one runs or waits for a processor or a disk) of living processes.

    CPU time includes the children that they waited for.
    """
    ticks = pages = 0
    busy = False
    for pid in pids:
        try:
            fd = posix.open(f"/proc/{pid}/stat", posix.O_RDONLY)
            fields = posix.read(fd, 4096).rpartition(b") ")[2].split()
            posix.close(fd)
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
        pages += int(fields[21])
        busy = busy or fields[0] in (b"R", b"D")
    return ticks * TICK_S, pages * PAGE, busy


def proportional(pids: list[int]) -> int:
    """Resident bytes with shared pages counted once; where unreadable, 0."""
    total = 0
    for pid in pids:
        try:
            fd = posix.open(f"/proc/{pid}/smaps_rollup", posix.O_RDONLY)
            text = posix.read(fd, 4096)
            posix.close(fd)
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith(b"Pss:"):
                total += int(line.split()[1]) << 10
    return total


def end_all(weak: bool) -> None:
    """Kill whatever the run left behind and reap it."""
    while True:
        try:
            if weak:
                for pid in others(True):
                    posix.kill(pid, SIGKILL)
            else:
                posix.kill(-1, SIGKILL)
        except ProcessLookupError:
            pass
        try:
            while posix.waitpid(-1, posix.WNOHANG if weak else 0)[0]:
                pass
            time.sleep(0.001)
        except ChildProcessError:
            return


def reaped_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(
    control: int, argv: list[bytes], env: dict[bytes, bytes], limits: tuple, fds: tuple[int, int, int], weak: bool
) -> bytes:
    """Run one command to its end and return its REPORT."""
    cpu_limit, wall_limit, memory, output = limits[:4]
    posix.lseek(fds[0], 0, 0)
    cpu_before = reaped_cpu()
    start = time.monotonic()
    pid = posix.fork()
    if pid == 0:
        become(argv, env, limits, fds)
    handle = posix.pidfd_open(pid)
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    poller.register(control, 0)  # hang-up of the host only
    cores = posix.cpu_count() or 1
    ending = peak = 0
    idle_s = last_cpu = 0.0
    last_look = start
    pause_s = 0.01
    while not ending:
        for fd, _ in poller.poll(max(1, int(pause_s * 1000))):
            if fd == control:
                posix._exit(0)
            ending = -1
        if ending:
            break
        pids = others(weak)
        live_cpu, resident, busy = measure(pids)
        cpu = live_cpu + reaped_cpu() - cpu_before
        now = time.monotonic()
        if not busy and cpu <= last_cpu:
            idle_s += now - last_look
        last_cpu, last_look = cpu, now
        if resident > memory and len(pids) > 1:
            resident = proportional(pids) or resident
        peak = max(peak, resident)
        if cpu >= cpu_limit:
            ending = BY_CPU
        elif idle_s >= wall_limit or now - start >= BUSY_FACTOR * wall_limit:
            ending = BY_WALL
        elif resident > memory:
            ending = BY_MEMORY
        # The tree cannot use up what it has left before the next look; memory is looked at every 20 ms.
        pause_s = min(0.02, max(0.002, (cpu_limit - cpu) / cores), max(0.002, wall_limit - idle_s))
    posix.close(handle)
    if ending > 0:
        try:  # noqa: SIM105
            posix.kill(pid, SIGKILL)
        except ProcessLookupError:
            pass
    _, status, usage = posix.wait4(pid, 0)
    end_all(weak)
    wall = time.monotonic() - start
    cpu = reaped_cpu() - cpu_before
    peak = max(peak, usage.ru_maxrss << 10)
    code, number = (-1, posix.WTERMSIG(status)) if posix.WIFSIGNALED(status) else (posix.WEXITSTATUS(status), 0)
    if ending <= 0:
        full = max(posix.fstat(fds[1]).st_size, posix.fstat(fds[2]).st_size) >= output
        ending = 0
        if number == SIGSYS:
            ending = BY_VIOLATION
        elif number == SIGXFSZ or full:
            ending = BY_OUTPUT
        elif number == SIGXCPU or cpu > cpu_limit:
            ending = BY_CPU
        elif peak > memory:
            ending = BY_MEMORY
    return REPORT.pack(code, number, cpu, peak, wall, ending)


def serve(control: int, fds: tuple[int, int, int]) -> None:
    """First message: uid, weakness and files. Then one run per message, until the host hangs up."""
    uid = int(read_field(control))
    weak = bool(int(read_field(control)))
    env = dict(pair.split(b"=", 1) for pair in read_field(control).split(b"\0"))
    count = int(read_field(control))
    seal(uid, weak)
    for _ in range(count):
        name = read_field(control)
        write_file(name, read_field(control))
    send(control, b"\1")
    while True:
        limits = RUN.unpack(read_exactly(control, RUN.size))
        argv = [read_field(control) for _ in range(limits[7])]
        send(control, run(control, argv, env, limits, fds, weak))
