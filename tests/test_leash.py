"""A killed owner leaves nothing behind."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from haloforge import leash

OWNER = """
import os, subprocess, sys, time
from haloforge import leash
name = leash.token()
os.environ[name] = "1"
leash.hold(name, grace_s=0.1, folders=(sys.argv[1],))
# a child that left the session and ignores what a terminal or a parent could send it, and a grandchild of its own
code = ("import os, signal, subprocess, sys, time; os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "c = subprocess.Popen(['sleep', '600']); print(os.getpid(), c.pid, flush=True); time.sleep(600)")
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
print(child.stdout.readline().strip(), flush=True)
time.sleep(600 if sys.argv[2] == "stay" else 0)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone(pids, within_s=10.0):
    deadline = time.monotonic() + within_s
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(alive, pids))


def start(tmp_path, how):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(scratch), how], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    pids = list(map(int, owner.stdout.readline().split()))
    assert len(pids) == 2
    return owner, pids, scratch


def test_descendants_end_when_their_owner_is_killed(tmp_path):
    owner, pids, scratch = start(tmp_path, "stay")
    assert all(map(alive, pids))
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert gone(pids)
    deadline = time.monotonic() + 5
    while scratch.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not scratch.exists()


def test_descendants_end_when_their_owner_ends_by_itself(tmp_path):
    owner, pids, _ = start(tmp_path, "end")
    owner.wait()
    assert gone(pids)


def test_others_are_left_alone(tmp_path):
    stranger = subprocess.Popen(["sleep", "600"], env={**os.environ, leash.token(): "1"})
    owner, pids, _ = start(tmp_path, "stay")
    owner.kill()
    owner.wait()
    assert gone(pids)
    assert alive(stranger.pid)
    stranger.kill()
    stranger.wait()


def test_a_process_that_hid_its_environment_is_known_by_what_it_has_open(tmp_path):
    code = (
        "import os, subprocess, sys, time; from haloforge import leash; name = leash.token();"
        "leash.hold(name, grace_s=0.1, folders=(sys.argv[1],));"
        "child = subprocess.Popen(['sleep', '600'], env={}, start_new_session=True,"
        " stdout=open(sys.argv[1] + '/log', 'w')); print(child.pid, flush=True); time.sleep(600)"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    owner = subprocess.Popen([sys.executable, "-c", code, str(scratch)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    pid = int(owner.stdout.readline())
    assert alive(pid)
    owner.kill()
    owner.wait()
    assert gone([pid])


SHARING = """
import os, subprocess, sys, time
from haloforge import leash
name = leash.token()
leash.hold(name, grace_s=0.1)
# the engine's way: a process of its own makes the memory, and none of those that could remove it lives to do so
code = ("import multiprocessing as mp, os, sys, time; from multiprocessing import resource_tracker, shared_memory;"
        "made = shared_memory.SharedMemory(create=True, size=1 << 20); lock = mp.get_context('spawn').Lock();"
        "seen = [shared_memory.SharedMemory(name) for name in sys.argv[1:]];"
        "os.kill(resource_tracker._resource_tracker._pid, 9);"
        "print(made.name, lock._semlock.name, flush=True); time.sleep(600)")
own = subprocess.Popen([sys.executable, "-c", code, *sys.argv[1:]], env={**os.environ, name: "1"},
                       stdout=subprocess.PIPE, text=True)
print(own.stdout.readline().strip(), own.pid, flush=True)
time.sleep(600)
"""


def memory(path):
    """A segment of shared memory as multiprocessing makes it, without its tracker."""
    path.write_bytes(bytes(4096))
    return path


def test_shared_memory_of_ended_processes_is_removed_and_no_other(tmp_path):
    folder = Path("/dev/shm")
    older, younger = (folder / f"psm_{os.getpid():x}_{word}" for word in ("older", "younger"))
    memory(older)  # before the watch began, and attached by a process of it
    command = [sys.executable, "-c", SHARING, older.name]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    made, lock, pid = owner.stdout.readline().split()
    own = [folder / made, folder / f"sem.{lock.lstrip('/')}"]
    memory(younger)  # after it began, and nobody's
    try:
        assert all(path.exists() for path in own)
        owner.kill()
        owner.wait()
        assert gone([int(pid)])
        deadline = time.monotonic() + 10
        while any(path.exists() for path in own) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert [path for path in own if path.exists()] == []
        assert older.exists()
        assert younger.exists()
    finally:
        for path in (*own, older, younger):
            path.unlink(missing_ok=True)


def test_shared_memory_that_a_living_process_has_mapped_stays(tmp_path):
    owner = subprocess.Popen([sys.executable, "-c", SHARING], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    made, lock, pid = owner.stdout.readline().split()
    segment = Path("/dev/shm", made)
    semaphore = Path("/dev/shm", f"sem.{lock.lstrip('/')}")
    with segment.open("r+b") as f, mmap.mmap(f.fileno(), 0):
        try:
            owner.kill()
            owner.wait()
            assert gone([int(pid)])
            deadline = time.monotonic() + 10
            while semaphore.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not semaphore.exists()  # so the watcher has looked
            assert segment.exists()
        finally:
            segment.unlink(missing_ok=True)
            semaphore.unlink(missing_ok=True)
