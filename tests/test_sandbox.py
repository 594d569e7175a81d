"""The box: what a run may use, how it is said to have ended, and what stays behind on our side (nothing)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from haloforge import sandbox
from haloforge.errors import MissingTool, SandboxFault
from haloforge.sandbox import MIB, Limits, boxes, canaries
from haloforge.sandbox import filter as seccomp

pytestmark = pytest.mark.sandbox
SHELL = "/bin/sh"


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


def test_a_box_that_dies_is_a_violation_not_our_fault(box):
    assert box.run(["/bin/true"]).ok
    bwrap = box._process.pid
    with open(f"/proc/{bwrap}/task/{bwrap}/children") as f:
        os.kill(int(f.read()), signal.SIGKILL)
    assert box.run(["/bin/true"]).ended_by == "violation"
    assert box.run(["/bin/true"]).ended_by == "violation"


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../b", "", "a\0b"])
def test_a_file_name_that_leaves_the_box_is_refused(name):
    with pytest.raises(ValueError, match="inside the box"):
        sandbox.box({name: "x"})


def test_a_hundred_boxes_leave_no_descriptor_thread_or_process_behind():
    def held():
        children = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "comm="], capture_output=True, text=True)
        return len(os.listdir("/proc/self/fd")), threading.active_count(), children.stdout.count("bwrap")

    before = held()
    for i in range(100):
        with sandbox.box({"f": str(i)}) as box:
            if i % 10 == 0:
                box.run(["/bin/true"])
    assert held() == before


def test_the_box_ends_when_the_process_that_made_it_is_killed():
    code = (
        "import sys, time\nfrom haloforge import sandbox\nbox = sandbox.box({}).__enter__()\n"
        "import threading\nthreading.Thread(target=box.run, args=(['/bin/sleep', '77.25'],)).start()\n"
        "time.sleep(0.5)\nprint('up', flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert running("77.25")
        process.kill()
    deadline = time.monotonic() + 10
    while running("77.25") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running("77.25")


def running(argument):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"/bin/sleep", argument.encode()]:
            found.append(pid)
    return found


def test_without_bubblewrap_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(canaries, "_answers", {})
    monkeypatch.setattr(boxes.shutil, "which", lambda name: None)
    boxes._bwrap_arguments.cache_clear()
    with pytest.raises(MissingTool, match=r"bubblewrap.*toolbox/install-tools\.sh"):
        sandbox.level()
    assert sandbox.level(allow_weak=True) == "rlimits"
    assert any("bubblewrap" in note for note in sandbox.notes("rlimits"))


def test_a_canary_that_comes_through_refuses_the_machine(monkeypatch):
    monkeypatch.setattr(canaries, "_answers", {})
    monkeypatch.setattr(canaries, "_attack", lambda: ["connects_to_the_host"])
    with pytest.raises(MissingTool, match="connects_to_the_host"):
        sandbox.level()


def test_without_the_seccomp_filter_the_canaries_notice(monkeypatch):
    real = seccomp.program()
    if real is None:
        pytest.skip("no seccomp filter for this architecture")
    allow_all = b"\x06\x00\x00\x00\x00\x00\xff\x7f"
    monkeypatch.setattr(boxes.seccomp, "program", lambda: allow_all)
    assert {"memfd", "opens_vsock"} & set(canaries._attack())


def test_a_box_that_cannot_start_is_our_fault(monkeypatch):
    sandbox.level()
    real = boxes._bwrap_arguments
    monkeypatch.setattr(boxes, "_bwrap_arguments", lambda *a: (*real(*a), "--ro-bind", "/absent", "/absent"))
    with pytest.raises(SandboxFault, match="absent"), sandbox.box({}):
        pass


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
