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
from haloforge.records import Case, Prompt
from haloforge.sandbox import canaries
from haloforge.verifiers import ClangVerifier, MinGWVerifier, MultiLanguageVerifier, resident
from haloforge.verifiers.toolchain import has_tool
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
    assert attacks.amiss(name, attacks.run(name, sandbox.NS), "ns") == []


@pytest.mark.parametrize("verifier", [ClangVerifier, MinGWVerifier])
def test_the_other_compilers_of_c_hold_too(verifier):
    for tool in (row.tools[0] for row in verifier.rows.values()):
        if not has_tool(tool):
            pytest.skip(f"needs {tool}: toolbox/install-tools.sh --languages")
    level = sandbox.level()
    wrong = {}
    for name in (name for name in attacks.ATTACKS if name.startswith(attacks.BUILDS) and name.endswith((".c", ".cpp"))):
        result = attacks.build(name, verifier(**attacks.LIMITS, compile_cpu_s=1.0), after=False)
        wrong[name] = attacks.amiss(name, result, level)
    assert {name: words for name, words in wrong.items() if words} == {}


VICTIMS = {
    "uses what another named": "class P { static void Main() { System.Console.WriteLine(Helper.Left()); } }",
    "uses another's extension": "class P { static void Main() { System.Console.WriteLine(7.Twice()); } }",
    "uses another's alias": 'class P { static void Main() { Left.WriteLine("blind"); } }',
    "asks for another's symbol": "#if LEFT\n#error left\n#endif\n"
    'class P { static void Main() { System.Console.WriteLine("blind"); } }',
    "uses the library": "using System; using System.Linq; using System.Collections.Generic;\n"
    "class P { static void Main() { var all = new List<int> { 3, 4 }; Func<int> f = () => all.ToArray().Sum();\n"
    'try { throw new Exception("b" + (f() == 7 && all.Count == 2 ? "lind" : "ad")); }\n'
    "catch (Exception e) { Console.WriteLine(e.Message); } } }",
}


@pytest.mark.skipif(bool(absent("csharp")), reason=absent("csharp"))
def test_what_a_sample_does_to_a_compiler_that_is_kept_running_changes_no_other_verdict(monkeypatch):
    monkeypatch.setattr(resident, "ANSWER_S", 1.0)
    every = MultiLanguageVerifier(**attacks.LIMITS, compile_cpu_s=attacks.BUILD_CPU_S)
    task = Prompt("p", "p", "csharp", (Case("", "blind"),))

    def verdicts():
        found = (every.verify(source, task, as_it_stands=True) for source in VICTIMS.values())
        return [(result.status, result.details, result.error) for result in found]

    with monkeypatch.context() as alone:
        alone.setattr(resident.ResidentCompilers, "compile", lambda *_: None)
        by_themselves = verdicts()
    assert [status for status, _, _ in by_themselves] == 3 * ["compile_error"] + 2 * ["passed"]
    changed = {}
    for name in (name for name in attacks.ATTACKS if name.startswith(attacks.BUILDS) and name.endswith(".cs")):
        assert attacks.build(name, every).metadata["next"] == "passed", name
        changed[name] = verdicts() != by_themselves
    every.cleanup()
    assert [name for name, true in changed.items() if true] == []


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
    assert {name: words for name, words in report["attacks"].items() if words} == {}


def test_every_attack_says_what_it_is_and_what_it_must_get():
    for name in attacks.ATTACKS:
        first = (Path(attacks.FOLDER) / name).read_text().split("\n")[0]
        assert first.startswith("// ")
        assert attacks.expected(name), name
