"""Attacks that must fail: the programs of tests/hostile, at both levels, as whoever runs the tests and as an
ordinary user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from haloforge import sandbox
from haloforge.records import Prompt
from haloforge.sandbox import canaries
from haloforge.verifiers import MultiLanguageVerifier
from tests import ordinary
from tests.hostile import attacks
from tests.in_boxes import absent

pytestmark = pytest.mark.sandbox
LEVELS = [sandbox.NS, sandbox.LANDLOCK]


@pytest.fixture(autouse=True)
def own_level(monkeypatch):
    """Attacks choose the level for this process; the next test asks again."""
    monkeypatch.setattr(canaries, "_answers", {})


@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_an_attack_gets_its_status_and_nothing_survives_it(name):
    result = attacks.run(name, sandbox.NS)
    assert result.status in attacks.expected(name), f"{result.details}\n{result.error}"
    assert result.level == "ns"
    assert attacks.survivors() == []
    assert "root:" not in (result.error or "") + result.details  # nothing of /etc/shadow came out


RIGHT = {
    ".c": "int add(int a, int b) { return a + b; }\n",
    ".cpp": "int add(int a, int b) { return a + b; }\n",
    ".rs": "fn add(a: i32, b: i32) -> i32 { a + b }\n",
    ".go": "package sol\n\nfunc Add(a, b int) int { return a + b }\n",
    ".cs": "using System;\nusing System.Linq;\nusing System.Collections.Generic;\nclass Problem {\n"
    "    public static int Add(int a, int b) { return a + b; }\n",
}


@pytest.mark.parametrize("suffix", attacks.ADD)
def test_the_task_of_the_forgeries_is_passed_by_a_right_answer_and_by_no_wrong_one(suffix):
    language, kind, tests = attacks.ADD[suffix]
    if absent(language):
        pytest.skip(absent(language))
    task = Prompt("p", "p", language, tests=tests, tests_kind=kind, entry_point="add")
    wrong = RIGHT[suffix].replace("+", "-", 1)
    results = MultiLanguageVerifier(max_workers=1).verify_batch([RIGHT[suffix], wrong], task)
    assert [result.status for result in results] == ["passed", "tests_failed"]
    assert [result.trust for result in results] == ["in_process", "in_process"]


@pytest.mark.parametrize("level", LEVELS)
def test_what_one_sample_leaves_the_next_does_not_find(level):
    assert [attacks.run("leave_data.c", level).status for _ in range(2)] == ["passed", "passed"]


def test_without_namespaces_the_attacks_fail_too():
    judged(subprocess.run([sys.executable, attacks.__file__, sandbox.LANDLOCK], **ordinary.QUIET), sandbox.LANDLOCK)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, else the other tests run as an ordinary user anyway")
@pytest.mark.parametrize("level", LEVELS)
def test_the_attacks_fail_the_same_way_for_an_ordinary_user(level):
    done = subprocess.run([*ordinary.COMMAND, ordinary.python(), attacks.__file__, level], **ordinary.QUIET)
    judged(done, level, ordinary.UID)


def judged(done, level, uid=None):
    """Every attack of a run as a script got its status; nothing survived."""
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["uid"] == (os.geteuid() if uid is None else uid)
    assert sorted(report["attacks"]) == attacks.ATTACKS
    assert report["left"] == []
    wrong = {
        name: row
        for name, row in report["attacks"].items()
        if row["status"] not in row["expected"] or row["survivors"] or row["level"] != level
    }
    assert wrong == {}


def test_every_attack_says_what_it_is_and_what_it_must_get():
    for name in attacks.ATTACKS:
        first = (Path(attacks.FOLDER) / name).read_text().split("\n")[0]
        assert first.startswith("// ")
        assert attacks.expected(name), name
