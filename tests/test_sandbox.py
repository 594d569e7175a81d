"""The box: what a run may use, how it is said to have ended, and what stays behind on our side (nothing)."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from haloforge import doctor, sandbox
from haloforge.errors import MissingTool, SandboxFault
from haloforge.sandbox import LANDLOCK, MIB, NS, Limits, canaries, scratch, zygotes
from haloforge.sandbox import filter as seccomp
from tests import ordinary, without
from tests.hostile import attacks

pytestmark = pytest.mark.sandbox
SHELL = "/bin/sh"
LEVELS = [NS, LANDLOCK]
each_level = pytest.mark.parametrize("level", LEVELS)


def zygote_of(box):
    assert box._zygote is not None
    return box._zygote


@pytest.fixture
def box():
    with sandbox.box({"hello.txt": "hello\n", "deep/in/bytes.bin": b"\x00\xff"}, Limits(cpu_s=2, wall_s=10)) as box:
        yield box


def test_a_run_gives_back_exit_code_both_streams_and_input(box):
    outcome = box.run([SHELL, "-c", "cat; cat hello.txt; echo oops >&2; exit 3"], b"first\n")
    assert (outcome.exit_code, outcome.signal, outcome.ended_by) == (3, None, None)
    assert (outcome.stdout, outcome.stderr) == (b"first\nhello\n", b"oops\n")
    assert outcome.level == sandbox.level() == "ns"
    assert not outcome.ok


def test_files_arrive_byte_for_byte_and_stay_for_the_next_run(box):
    assert box.run(["/bin/cat", "deep/in/bytes.bin"]).stdout == b"\x00\xff"
    assert box.run([SHELL, "-c", "echo kept > new.txt"]).ok
    assert box.run(["/bin/cat", "new.txt"]).stdout == b"kept\n"


def test_a_large_input_and_output_pass_through_whole(box):
    data = os.urandom(5 * MIB)
    assert box.run(["/bin/cat"], data).stdout == data
    assert box.run(["/bin/cat"], b"short").stdout == b"short"


def test_a_signal_is_a_signal_and_a_missing_program_is_127(box):
    outcome = box.run([SHELL, "-c", "kill -SEGV $$"])
    assert (outcome.exit_code, outcome.signal) == (None, 11)
    outcome = box.run(["./absent"])
    assert outcome.exit_code == 127
    assert b"absent" in outcome.stderr


def test_each_limit_ends_the_run_under_its_name(box):
    def ended_by(script, **limits):
        start = time.monotonic()
        outcome = box.run([SHELL, "-c", script], b"", Limits(**{"cpu_s": 5, "wall_s": 20, **limits}))
        assert time.monotonic() - start < 15
        return outcome.ended_by

    assert ended_by("while :; do :; done", cpu_s=0.2) == "cpu_limit"
    assert ended_by("sleep 100", wall_s=0.3) == "wall_limit"
    assert ended_by("cat /dev/zero", output_bytes=MIB) == "output_limit"
    assert ended_by("head -c 60000000 /dev/zero | tail -c 50000000 >/dev/null", memory_bytes=20 * MIB) == "memory_limit"
    assert ended_by("true") is None


def test_cpu_time_counts_children_that_ended_and_that_did_not(box):
    burn = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"
    alone = box.run([SHELL, "-c", burn]).cpu_s
    assert alone > 0.005
    assert box.run([SHELL, "-c", f"({burn}); ({burn})"]).cpu_s > 1.3 * alone
    endless = box.run([SHELL, "-c", "(while :; do :; done) & (while :; do :; done) & wait"], b"", Limits(cpu_s=0.4))
    assert endless.ended_by == "cpu_limit"
    assert 0.4 <= endless.cpu_s < 1.5


def test_the_process_limit_counts_in_every_box_by_itself():
    script = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 5 & done; ls /proc | grep -c '^[0-9]'"
    with sandbox.box({}, slot=0) as one, sandbox.box({}, slot=1) as other:
        holder = threading.Thread(target=one.run, args=([SHELL, "-c", "sleep 1 & sleep 1 & sleep 1 & wait"],))
        holder.start()
        refused = other.run([SHELL, "-c", script], b"", Limits(processes=6, wall_s=5))
        allowed = other.run([SHELL, "-c", script], b"", Limits(processes=40, wall_s=5))
        holder.join()
    assert b"fork" in refused.stderr
    assert int(allowed.stdout) >= 12


def test_a_process_left_running_is_gone_before_the_next_run(box):
    box.run([SHELL, "-c", "setsid sleep 100 & setsid sleep 100 &"])
    assert box.run([SHELL, "-c", "ls /proc | grep -c '^[0-9]'"]).stdout in (b"3\n", b"4\n")  # init, sh, ls, grep


def test_the_sample_sees_no_environment_home_or_name_of_ours(box, monkeypatch):
    monkeypatch.setenv("HALOFORGE_SECRET", "x")
    seen = box.run([SHELL, "-c", "env; hostname; pwd; ls /; ls /home /root/.ssh /etc/shadow"])
    text = seen.stdout.decode()
    assert "SECRET" not in text
    assert "HOME=/work" in text
    assert "\nbox\n/work\n" in text
    assert "home" not in text.split("/work\n")[-1]
    assert seen.stderr.count(b"No such file") == 3


def test_the_disk_is_as_large_as_it_was_said_to_be():
    with sandbox.box({}, Limits(disk_bytes=4 * MIB, output_bytes=64 * MIB)) as box:
        assert box.run([SHELL, "-c", "head -c 3000000 /dev/zero > a"]).ok
        assert b"No space" in box.run([SHELL, "-c", "head -c 3000000 /dev/zero > b"]).stderr
        assert box.run([SHELL, "-c", "wc -c < a"]).stdout == b"3000000\n"


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


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user cannot mount a small disk")
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


def test_a_run_that_gets_no_process_is_our_fault(box):
    box._limit = lambda limits: zygote_of(box).limit([(resource.RLIMIT_NPROC, 0)]) or []
    with pytest.raises(SandboxFault, match="could not be started"):
        box.run(["/bin/true"])


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../b", "", "a\0b"])
def test_a_file_name_that_leaves_the_box_is_refused(name):
    with pytest.raises(ValueError, match="inside the box"):
        sandbox.box({name: "x"})


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


@each_level
def test_two_hundred_boxes_leave_nothing_behind(level):
    sandbox.close()
    before = held()
    mess = "echo x > f; mkdir -p d/e; setsid sleep 99 & setsid sleep 99 &"
    for i in range(200):
        with sandbox.box({"f.txt": str(i)}, level=level) as box:
            if i % 4 == 0:
                box.run([SHELL, "-c", mess])
    sandbox.close()
    assert held() == before
    assert attacks.survivors() == []


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


@each_level
def test_mounts_are_seen_and_cannot_be_written(level):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        header = Path(folder, "header.h")
        header.write_text("x\n")
        with sandbox.box({}, level=level, mounts=[folder]) as box:
            assert box.run(["/bin/cat", str(header)]).stdout == b"x\n"
            assert not box.run([SHELL, "-c", f"echo y > {header}"]).ok
            assert not box.run([SHELL, "-c", f"rm -f {header} && test ! -e {header}"]).ok
        assert header.read_text() == "x\n"
        with sandbox.box({}, level=level) as box:
            assert not box.run(["/bin/cat", str(header)]).ok
        sandbox.close()


@pytest.mark.parametrize("path", ["relative", "/", "/proc/1", "/dev", "/work", "/usr/../etc"])
def test_a_mount_that_would_hide_the_boxs_own_is_refused(path):
    with pytest.raises(ValueError, match="absolute path"):
        sandbox.box({}, mounts=[path])


def test_an_error_of_ours_inside_is_a_fault_and_the_box_goes_on(box):
    wrong = Limits(cpu_s="a while")  # type: ignore[arg-type]
    box._limit = lambda limits: []
    with pytest.raises(SandboxFault, match="could not be started"):
        box.run(["/bin/true"], b"", wrong)
    assert box.run(["/bin/true"]).ok


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


def wait_until(true, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def running(argument, program="/bin/sleep"):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if words[:2] == [program.encode(), argument.encode()]:
            found.append(pid)
    return found


LEVEL_HERE = """
from haloforge import sandbox
from haloforge.errors import MissingTool
try:
    print(sandbox.level())
except MissingTool as e:
    print("refused", "doctor" in str(e), sandbox.level(allow_weak=True), *sandbox.notes("rlimits"))
"""


@pytest.mark.parametrize(
    ("refused", "said"),
    [("none", "ns"), ("namespaces", "landlock"), ("namespaces,landlock", "refused True rlimits")],
)
def test_the_level_is_the_best_that_the_kernel_allows(refused, said):
    command = [sys.executable, without.FILE, refused, sys.executable, "-c", LEVEL_HERE]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.startswith(said), done.stderr
    assert ("unshare: Operation not permitted" in done.stdout) == ("landlock" in refused)


@pytest.mark.parametrize(
    ("refused", "code", "said"),
    [
        ("none", 0, ["level     ns", "not held  kernel exploits"]),
        ("namespaces", 0, ["level     landlock", "missing   a seccomp profile", "note      no box of level ns"]),
        ("namespaces,landlock", 2, ["level     none", "missing   Landlock"]),
    ],
)
def test_the_doctor_names_the_level_and_what_is_missing(refused, code, said):
    command = [sys.executable, without.FILE, refused, sys.executable, "-m", "haloforge.cli", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    for words in said:
        assert words in done.stdout


def test_the_doctor_reads_masked_parts_of_proc(monkeypatch):
    lines = "20 1 0:5 / /proc rw - proc proc rw\n21 20 0:6 / /proc/kcore rw - tmpfs tmpfs rw\n"
    monkeypatch.setattr(doctor, "_read", {"/proc/self/mountinfo": lines}.get)
    assert doctor.masked_proc() == ["/proc/kcore"]
    assert "systempaths=unconfined" in " ".join(doctor.missing_for_ns())


def test_a_canary_that_comes_through_refuses_the_machine(monkeypatch):
    monkeypatch.setattr(canaries, "_answers", {})
    monkeypatch.setattr(canaries, "attack", lambda level: ["connects_to_the_host"])
    with pytest.raises(MissingTool, match=r"level ns does not hold \(connects_to_the_host\); level landlock does not"):
        sandbox.level()


@each_level
def test_without_the_seccomp_filter_the_canaries_notice(level, monkeypatch, tmp_path):
    """A copy of the package whose filter allows everything: the zygote reads its code from there."""
    if seccomp.program() is None:
        pytest.skip("no seccomp filter for this architecture")
    package = Path(zygotes.__file__).parent
    shutil.copytree(package, tmp_path / "sandbox")
    with open(tmp_path / "sandbox" / "filter.py", "a") as f:
        f.write("\n\ndef program(*_, **__):\n    return b'\\x06\\0\\0\\0\\0\\0\\xff\\x7f'\n")
    monkeypatch.setattr(zygotes, "__file__", str(tmp_path / "sandbox" / "zygotes.py"))
    sandbox.close()
    assert set(canaries.attack(level)) >= {"memfd", "opens_vsock"}


@pytest.mark.parametrize("lost", ["scope_signals", "restrict_self"])
def test_without_landlocks_rules_the_canaries_notice(lost, monkeypatch, tmp_path):
    package = Path(zygotes.__file__).parent
    shutil.copytree(package, tmp_path / "sandbox")
    name, old, new = {
        "scope_signals": ("confine.py", "_ALL_SCOPES = 3", "_ALL_SCOPES = 1"),
        "restrict_self": ("init.py", "kernel.restrict_self(self.ruleset)", "pass"),
    }[lost]
    file = tmp_path / "sandbox" / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    monkeypatch.setattr(zygotes, "__file__", str(tmp_path / "sandbox" / "zygotes.py"))
    sandbox.close()
    if lost == "scope_signals" and os.geteuid() != 0:
        with pytest.raises(SandboxFault, match="signals pass it"):
            canaries.attack(LANDLOCK)
    else:
        assert canaries.attack(LANDLOCK) != []


def test_a_box_that_cannot_start_is_our_fault():
    with pytest.raises(SandboxFault, match="absent"), sandbox.box({}, mounts=["/absent"]):
        pass


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


def test_the_weak_level_still_limits_and_cleans_up():
    with sandbox.box({"f.txt": "x"}, Limits(cpu_s=0.3, wall_s=5), level="rlimits") as box:
        assert box.run(["/bin/cat", "f.txt"]).stdout == b"x"
        assert box.run([SHELL, "-c", "while :; do :; done"]).ended_by == "cpu_limit"
        box.run([SHELL, "-c", "setsid sleep 78.5 & sleep 0.1"])
        assert not running("78.5")
        outcome = box.run(["/bin/pwd"])
        assert outcome.level == "rlimits"
        folder = outcome.stdout.decode().strip()
        assert os.path.isdir(folder)
    assert not os.path.exists(folder)


def test_the_filter_jumps_only_forward_and_inside_itself():
    program = seccomp.program()
    if program is None:
        pytest.skip("no seccomp filter for this architecture")
    import struct

    instructions = list(struct.iter_unpack("=HBBI", program))
    for at, (code, if_true, if_false, _) in enumerate(instructions):
        if code & 7 == 5:
            assert at + 1 + max(if_true, if_false) < len(instructions)
    assert instructions[-1][0] == 6


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests of this file already run as an ordinary user")
def test_all_this_holds_for_an_ordinary_user():
    file = str(Path(__file__).resolve())
    command = [ordinary.python(), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=/", "-c/dev/null", file]
    done = subprocess.run([*ordinary.COMMAND, *command], **ordinary.QUIET)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert " passed" in done.stdout
