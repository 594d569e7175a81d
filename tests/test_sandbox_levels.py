"""Which level is chosen, whether the canaries notice what is missing, and what the doctor says of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from haloforge import doctor, sandbox
from haloforge.errors import MissingTool, SandboxFault
from haloforge.sandbox import LANDLOCK, Limits, canaries, zygotes
from haloforge.sandbox import filter as seccomp
from tests import without
from tests.in_boxes import SHELL, each_level, running

pytestmark = pytest.mark.sandbox


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


@each_level
def test_a_file_may_move_to_another_folder_of_the_box(level):
    with sandbox.box({"a/file": "x"}, level=level) as box:
        outcome = box.run([SHELL, "-c", "mkdir b && ln a/file b/file && cat b/file && ! ln b/file /usr/file"])
    assert (outcome.ok, outcome.stdout) == (True, b"x"), outcome.stderr
