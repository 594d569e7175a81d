"""The box: what a run may use, what it sees, and how it is said to have ended."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path

import pytest

from haloforge import sandbox
from haloforge.errors import SandboxFault
from haloforge.sandbox import MIB, Limits
from tests.in_boxes import SHELL, each_level, running

pytestmark = pytest.mark.sandbox


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
    alone = min(box.run([SHELL, "-c", burn]).cpu_s for _ in range(3))
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


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../b", "", "a\0b"])
def test_a_file_name_that_leaves_the_box_is_refused(name):
    with pytest.raises(ValueError, match="inside the box"):
        sandbox.box({name: "x"})


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


TALKER = """import sys
while length := int.from_bytes(sys.stdin.buffer.read(4), "big"):
    said = sys.stdin.buffer.read(length)
    if said == b"end":
        sys.exit(1)
    if said == b"hang":
        while True:
            pass
    answer = said.upper()
    sys.stdout.buffer.write(len(answer).to_bytes(4, "big") + answer)
    sys.stdout.buffer.flush()
"""
ALWAYS = Limits(cpu_s=3600, wall_s=3600)


@each_level
def test_a_box_that_talks_answers_again_and_again_and_ends_with_its_box(level):
    with sandbox.box({"talker.py": TALKER}, ALWAYS, level=level, talks=True) as box:
        box.start(["/usr/bin/python3", "talker.py"], ALWAYS)
        for text in (b"a", b"b" * MIB, b"c"):
            assert box.ask(text, 10, 2 * MIB) == text.upper()
        with pytest.raises(SandboxFault, match="too much"):
            box.ask(b"d" * 100, 10, 99)
    assert running("talker.py", "/usr/bin/python3") == []
    for last, seconds, message in ((b"end", 10, "has ended"), (b"hang", 0.5, "did not answer within 0.5 s")):
        with sandbox.box({"talker.py": TALKER}, ALWAYS, level=level, talks=True) as box:
            box.start(["/usr/bin/python3", "talker.py"], ALWAYS)
            with pytest.raises(SandboxFault, match=message):
                box.ask(last, seconds, 100)
    assert running("talker.py", "/usr/bin/python3") == []
