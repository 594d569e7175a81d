"""Whose fault an end is, and what stays behind on our side: nothing."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from haloforge import sandbox
from haloforge.errors import SandboxFault
from haloforge.sandbox import LANDLOCK, MIB, Limits, scratch
from tests import ordinary
from tests.hostile import attacks
from tests.in_boxes import SHELL, each_level, running, wait_until, zygote_of

pytestmark = pytest.mark.sandbox


@each_level
def test_a_box_that_dies_is_a_violation_not_our_fault(level):
    with sandbox.box({}, level=level) as box:
        assert box.run(["/bin/true"]).ok
        os.kill(box._pid, signal.SIGKILL)
        assert box.run(["/bin/true"]).ended_by == "violation"
        assert box.run(["/bin/true"]).ended_by == "violation"
    with sandbox.box({}, level=level) as box:
        assert box.run(["/bin/true"]).ok


@each_level
def test_a_box_that_dies_in_a_run_leaves_nothing_of_it(level):
    with sandbox.box({}, level=level) as box:
        killer = threading.Timer(0.3, os.kill, (box._pid, signal.SIGKILL))
        killer.start()
        assert box.run([SHELL, "-c", "setsid sleep 79.5 & sleep 79.5"]).ended_by == "violation"
        assert not running("79.5", "sleep")


@each_level
def test_a_killed_zygote_is_our_fault_and_the_next_box_has_a_new_one(level):
    with sandbox.box({}, level=level) as box:
        zygote = zygote_of(box)
        killer = threading.Timer(0.3, zygote.process.kill)
        killer.start()
        with pytest.raises(SandboxFault, match="zygote"):
            box.run([SHELL, "-c", "setsid sleep 79.75 & sleep 79.75"])
        with pytest.raises(SandboxFault, match="zygote"):
            box.run(["/bin/true"])
    wait_until(lambda: not running("79.75", "sleep"))
    assert not os.path.exists(zygote.folder or "/absent")
    with sandbox.box({}, level=level) as box:
        assert box.run(["/bin/true"]).ok
        idle = zygote_of(box)
    idle.process.kill()  # between two boxes: nothing was lost, so nobody is told
    idle.process.wait()
    with sandbox.box({}, level=level) as box:
        assert box.run(["/bin/true"]).ok
        assert box._zygote is not idle


def test_files_larger_than_the_box_are_our_fault():
    with pytest.raises(SandboxFault, match="No space"), sandbox.box({"f": b"x" * 3 * MIB}, Limits(disk_bytes=MIB)):
        pass
    with sandbox.box({"f": b"x"}) as box:
        assert box.run(["/bin/true"]).ok


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
def test_a_full_disk_of_the_host_is_our_fault_and_passes(monkeypatch):
    sandbox.close()
    folder = tempfile.mkdtemp()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "none", folder]).returncode:
        pytest.skip("may not mount here")
    try:
        monkeypatch.setattr("tempfile.tempdir", folder)
        with pytest.raises(SandboxFault, match="No space"), sandbox.box({"f": b"x" * MIB}, level=LANDLOCK):
            pass
        with sandbox.box({"f": b"x"}, level=LANDLOCK) as box:
            assert box.run(["/bin/true"]).ok
        sandbox.close()
        assert os.listdir(folder) == []
    finally:
        sandbox.close()
        subprocess.run(["umount", folder])
        os.rmdir(folder)


# Root is not held to a number of processes.
REFUSED_FORK = """
import resource
from haloforge import sandbox
from haloforge.errors import SandboxFault
with sandbox.box({}) as box:
    zygote = box._zygote.process.pid
most = resource.prlimit(zygote, resource.RLIMIT_NPROC)
resource.prlimit(zygote, resource.RLIMIT_NPROC, (1, most[1]))
try:
    with sandbox.box({}):
        print("started")
except SandboxFault as e:
    print(e)
with sandbox.box({}) as box:
    print(box.run(["/bin/true"]).ok, box._zygote.process.pid != zygote)
"""


def test_a_refused_fork_is_our_fault_and_passes():
    user = [*ordinary.COMMAND, ordinary.python()] if os.geteuid() == 0 else [sys.executable]
    done = subprocess.run([*user, "-c", REFUSED_FORK], **ordinary.QUIET)
    assert "cannot clone a box" in done.stdout, done.stderr
    assert done.stdout.endswith("True True\n")


def test_a_run_that_gets_no_process_is_our_fault(monkeypatch):
    with sandbox.box({}) as box:
        zygote = zygote_of(box)
        monkeypatch.setattr(box, "_limit", lambda limits: zygote.limit([(resource.RLIMIT_NPROC, 0)]))
        with pytest.raises(SandboxFault, match="could not be started"):
            box.run(["/bin/true"])


def test_an_error_of_ours_inside_is_a_fault_and_the_box_goes_on(monkeypatch):
    with sandbox.box({}) as box:
        with monkeypatch.context() as m:
            m.setattr(box, "_limit", lambda limits: [])
            with pytest.raises(SandboxFault, match="could not be started"):
                box.run(["/bin/true"], b"", Limits(cpu_s="a while"))  # type: ignore[arg-type]
        assert box.run(["/bin/true"]).ok


def test_a_box_that_cannot_start_is_our_fault():
    with pytest.raises(SandboxFault, match="absent"), sandbox.box({}, mounts=["/absent"]):
        pass


def held():
    """What this process and the machine hold on behalf of boxes; other people's doings are left out."""
    owner = sandbox.box_uid() if os.geteuid() == 0 else os.geteuid()
    children = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "comm="], capture_output=True, text=True)
    with open("/proc/self/mountinfo") as f:
        mounts = sum("netns" not in line for line in f)
    ipc = [
        line.split()[:2]
        for kind in ("shm", "sem", "msg")
        for line in Path(f"/proc/sysvipc/{kind}").read_text().splitlines()
        if str(owner) in line.split()
    ]
    files = [
        entry.path
        for folder in ("/dev/shm", tempfile.gettempdir())
        for entry in os.scandir(folder)
        if entry.name.startswith("haloforge-box-") or entry.stat(follow_symlinks=False).st_uid == owner
    ]
    return {
        "descriptors": len(os.listdir("/proc/self/fd")), "threads": threading.active_count(),
        "children": sorted(children.stdout.split()), "mounts": mounts, "ipc": ipc, "files": sorted(files),
    }  # fmt: skip


MESS = "echo x > f; mkdir -p d/e; setsid sleep 99 & setsid sleep 99 &"


def two_hundred_boxes(level):
    """What is held after the first box and after the last, once closed."""
    looks = []
    for i in range(200):
        with sandbox.box({"f.txt": str(i)}, level=level) as box:
            if i % 4 == 0:
                box.run([SHELL, "-c", MESS])
        if i in (0, 199):
            sandbox.close()
            looks.append(held())
    return looks


@each_level
def test_two_hundred_boxes_leave_nothing_behind(level):
    code = f"from tests.test_zygotes import two_hundred_boxes as f; print(*map(repr, f({level!r})), sep='\\n')"
    with tempfile.TemporaryDirectory() as folder:  # where other people's boxes are not
        os.chmod(folder, 0o755)
        alone = subprocess.run(
            [sys.executable, "-c", code], cwd=ordinary.ROOT, capture_output=True, text=True, timeout=120,
            env={**os.environ, "TMPDIR": folder},
        )  # fmt: skip
    first, last = alone.stdout.splitlines() or [alone.stderr, ""]
    assert last == first
    assert attacks.survivors() == []


@each_level
def test_nothing_is_left_when_the_process_that_made_the_box_is_killed(level):
    code = (
        "import sys, time\nfrom haloforge import sandbox\n"
        f"box = sandbox.box({{}}, level={level!r}).__enter__()\n"
        "import threading\n"
        "threading.Thread(target=box.run, args=(['/bin/sh', '-c', 'setsid sleep 77.25 & sleep 77.25'],)).start()\n"
        "time.sleep(0.5)\nprint(box._zygote.process.pid, box._zygote.folder, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        zygote, _, folder = process.stdout.readline().strip().partition(" ")
        assert len(running("77.25", "sleep")) == 2
        process.kill()
    wait_until(lambda: not running("77.25", "sleep") and not os.path.exists(f"/proc/{zygote}"))
    assert folder == "" or not os.path.exists(folder)


def test_a_folder_of_any_depth_and_mode_is_emptied(tmp_path):
    here = os.getcwd()
    try:
        os.chdir(tmp_path)
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
            os.close(os.open("f", os.O_CREAT))
    finally:
        os.chdir(here)
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "inner").mkdir(0)
    (tmp_path / "closed").chmod(0)
    (tmp_path / "link").symlink_to(here)
    scratch.empty(str(tmp_path))
    assert os.listdir(tmp_path) == []
    assert os.listdir(here)


@each_level
def test_a_zygote_stays_small_and_is_used_again(level):
    sandbox.close()
    pids = set()
    for _ in range(20):
        with sandbox.box({}, level=level) as box:
            box.run(["/bin/true"])
            pids.add(zygote_of(box).process.pid)
    assert len(pids) == 1
    with open(f"/proc/{pids.pop()}/status") as f:
        resident_kb = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    assert resident_kb < 25_000


@each_level
def test_boxes_of_two_slots_run_at_the_same_time(level):
    with sandbox.box({}, slot=0, level=level) as one, sandbox.box({}, slot=1, level=level) as other:
        first = threading.Thread(target=one.run, args=([SHELL, "-c", "sleep 3"],))
        first.start()
        assert other.run([SHELL, "-c", "kill -9 -1; sleep 0.2; echo alive"]).exit_code in (0, 137, None)
        assert other.run(["/bin/true"]).ok
        assert first.is_alive()
        first.join()


def test_a_zygote_outlives_the_thread_that_started_it():
    sandbox.close()
    started = []

    def first():
        with sandbox.box({}) as box:
            started.append(zygote_of(box))

    thread = threading.Thread(target=first)
    thread.start()
    thread.join()
    with sandbox.box({}) as box:
        assert box.run(["/bin/true"]).ok
        assert [zygote_of(box)] == started


def test_a_forked_child_starts_its_own_zygote_and_leaves_its_parents_alone():
    sandbox.close()
    with sandbox.box({}) as box:
        box.run(["/bin/true"])
        parents = box._zygote
    pid = os.fork()
    if pid == 0:
        with sandbox.box({}) as box:
            good = box.run(["/bin/true"]).ok and box._zygote is not parents
        sandbox.close()
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with sandbox.box({}) as box:
        assert box._zygote is parents
        assert box.run(["/bin/true"]).ok
