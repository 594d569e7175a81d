"""Attacks that must fail: the programs of tests/hostile, judged as whoever runs the tests and as an ordinary user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile import attacks

pytestmark = pytest.mark.sandbox
ORDINARY = 65123


@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_an_attack_gets_its_status_and_nothing_survives_it(name):
    result = attacks.run(name)
    assert result.status in attacks.expected(name), f"{result.details}\n{result.error}"
    assert result.level == "ns"
    assert attacks.survivors() == []
    assert "root:" not in (result.error or "") + result.details  # nothing of /etc/shadow came out


def test_what_one_sample_leaves_the_next_does_not_find():
    assert [attacks.run("leave_data.c").status for _ in range(2)] == ["passed", "passed"]


def python_for_everybody() -> str | None:
    """A Python ≥ 3.11 that user ORDINARY may start, or None."""
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        probe = ["setpriv", "--reuid", str(ORDINARY), "--regid", str(ORDINARY), "--clear-groups", python, "-c"]
        code = f"import sys; assert sys.version_info >= (3, 11); open({attacks.__file__!r})"
        if subprocess.run([*probe, code], capture_output=True, cwd="/").returncode == 0:
            return python
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests already run as an ordinary user")
def test_the_attacks_fail_the_same_way_for_an_ordinary_user(tmp_path):
    python = python_for_everybody() if shutil.which("setpriv") else None
    if python is None:
        pytest.skip("no Python ≥ 3.11 and checkout that an ordinary user can read, or no setpriv")
    done = subprocess.run(
        ["setpriv", "--reuid", str(ORDINARY), "--regid", str(ORDINARY), "--clear-groups", python, attacks.__file__],
        capture_output=True, text=True, timeout=600, cwd="/", env={**os.environ, "HOME": "/nonexistent"},
    )  # fmt: skip
    if "user namespaces" in done.stderr:
        pytest.skip("user namespaces are not allowed on this machine")
    report = json.loads(done.stdout)
    assert report["uid"] == ORDINARY
    assert sorted(report["attacks"]) == attacks.ATTACKS
    wrong = {
        name: row
        for name, row in report["attacks"].items()
        if row["status"] not in row["expected"] or row["survivors"] or row["level"] != "ns"
    }
    assert wrong == {}


def test_every_attack_says_what_it_is_and_what_it_must_get():
    for name in attacks.ATTACKS:
        first = (Path(attacks.FOLDER) / name).read_text().split("\n")[0]
        assert first.startswith("// ")
        assert attacks.expected(name), name
