# Opens process 1 of its box through /proc, signals it, and takes part in its descriptors.
import os
import signal
import sys
from contextlib import suppress

one = os.getppid()
names = ("mem", "maps", "environ", "pagemap", "auxv", "stack", "syscall", "io", "personality")
for path in [f"/proc/{one}/{name}" for name in names] + [f"/proc/{one}/task/{one}/mem"]:
    try:
        with open(path, "rb") as f:
            f.seek(0)
            f.read(1)
        print("opens", path)
    except OSError:
        pass
for folder in ("fd", "fdinfo", "map_files", "cwd", "root", "ns", "exe"):
    with suppress(OSError):
        print("lists", folder, os.listdir(f"/proc/{one}/{folder}"))
for n in range(64):
    try:
        os.open(f"/proc/{one}/fd/{n}", os.O_RDWR)
        print("opens descriptor", n)
    except OSError:
        pass
for name in ("oom_score_adj", "comm", "coredump_filter", "clear_refs", "timerslack_ns"):
    try:
        with open(f"/proc/{one}/{name}", "w") as f:
            f.write("1")
        print("writes", name)
    except OSError:
        pass
try:
    os.close(os.pidfd_open(one))
    import ctypes

    if ctypes.CDLL(None).syscall(438, os.pidfd_open(one), 5, 0) >= 0:
        print("takes a descriptor")
except OSError:
    pass
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU, signal.SIGPIPE, signal.SIGSTOP, signal.SIGKILL):
    with suppress(OSError):
        os.kill(one, number)
if sys.argv[1] == "first" and os.fork() == 0:
    os.execv("/bin/sleep", ["/bin/sleep", "77.5"])
print("end")
