"""A killed owner leaves nothing behind."""

from __future__ import annotations

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
