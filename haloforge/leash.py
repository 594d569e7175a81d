"""Processes that must not outlive this one: vLLM's engine processes, a Ray that we started, boxes.

They inherit a variable in their environment. A watcher process in a session of its own waits for
the owner's end, however it comes (SIGKILL too), and then kills whatever still carries the variable,
or has a file open in one of the owner's own folders. Covers what was started with exec after the variable
was set; not what cleans its environment and holds nothing open there.

Python's shared memory and semaphores outlive their processes, and who would remove them is killed too. So the watcher
looks which of them those processes have mapped before it kills, and removes these; not what is older than the watch,
somebody else's, or mapped by anybody who still lives.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys

PREFIX = "HALOFORGE_LEASH_"

_WATCH = r"""
import os, select, shutil, signal, sys, time
owner, name, grace, folders = int(sys.argv[1]), sys.argv[2].encode(), float(sys.argv[3]), sys.argv[4:]
began, shared = time.time(), set()
if os.fork():  # no child of the owner: Ray's workers kill their children when they end
    os._exit(0)
os.setsid()
try:
    fd = os.pidfd_open(owner)
    sys.stdout.write("held\n"); sys.stdout.flush()
except ProcessLookupError:
    fd = None
def ours(pid):
    with open(f"/proc/{pid}/stat") as f:
        if f.read().rsplit(")", 1)[1].split()[0] == "Z":
            return False
    with open(f"/proc/{pid}/environ", "rb") as f:
        if name in f.read():
            return True
    # A process that rewrites its title writes over its environment too: then what it has open tells.
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    return any(link.startswith(folder + "/") for link in links for folder in folders)
def held():
    found = []
    for pid in os.listdir("/proc"):
        if pid.isdigit() and int(pid) != os.getpid():
            try:
                if ours(pid):
                    found.append(int(pid))
            except (OSError, IndexError):  # it ended while we looked; its stat may then read as empty
                pass
    return found
def mapped(pids):
    found = set()  # inodes: a semaphore's file is mapped under a name that is gone by then
    for pid in pids:
        try:
            with open(f"/proc/{pid}/maps") as f:
                found.update(int(line.split()[4]) for line in f if " /dev/shm/" in line)
        except OSError:
            pass
    return found
if fd is not None:
    select.select([fd], [], [])
shared |= mapped(held())
time.sleep(grace)
clean, deadline = 0, time.monotonic() + 30
while clean < 2 and time.monotonic() < deadline:
    pids = held()
    clean = 0 if pids else clean + 1
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    time.sleep(0.2)
shared -= mapped(filter(str.isdigit, os.listdir("/proc")))
for entry in os.scandir("/dev/shm") if shared else ():
    try:
        now = entry.stat(follow_symlinks=False)
        python_s = entry.name.startswith(("psm_", "sem.mp-"))
        if python_s and now.st_ino in shared and now.st_uid == os.getuid() and now.st_ctime >= began:
            os.unlink(entry.path)
    except OSError:  # gone already
        pass
for folder in folders:
    shutil.rmtree(folder, ignore_errors=True)
"""


def token() -> str:
    """A fresh name for one owner's processes."""
    return PREFIX + secrets.token_hex(6)


def hold(name: str, *, grace_s: float = 0.5, folders: tuple[str, ...] = ()) -> None:
    """Watch over this process: when it ends, kill every process with `name` in its environment.

    `name` comes from `token()` and must be in the environment that the processes are started with
    (`os.environ[name] = "1"`, or Ray's `runtime_env`). `grace_s` lets an orderly end finish first;
    `folders` are removed afterwards.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WATCH, str(os.getpid()), name, str(grace_s), *folders],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        close_fds=True,
    )
    assert watcher.stdout is not None
    watcher.stdout.readline()  # only when the watcher holds the owner may work begin
    watcher.stdout.close()
    watcher.wait()
