"""mcs kept running: the same programs as from a mcs of their own, whatever the others were."""

from __future__ import annotations

import pytest

from haloforge import sandbox
from haloforge.records import Case, Prompt
from haloforge.sandbox import Limits
from haloforge.verifiers import MultiLanguageVerifier, resident
from haloforge.verifiers.resident import ResidentCompilers
from tests.in_boxes import each_level, needs, running

pytestmark = [pytest.mark.sandbox, needs("csharp")]
ARGUMENTS = ["-nologo", "-out:program.exe", "main.cs"]
SAYS = 'using System;\nclass P { static void Main() { Console.WriteLine("%s"); } }\n'


@pytest.fixture
def compilers():
    made = ResidentCompilers(sandbox.level())
    yield made
    made.close()


def said(program):
    with sandbox.box({"program.exe": program}, Limits(memory_bytes=1 << 30)) as box:
        return box.run(["/usr/bin/mono", "program.exe"]).stdout.decode().strip()


@each_level
def test_each_program_is_its_own(level):
    compilers = ResidentCompilers(level)
    try:
        made = [compilers.compile(ARGUMENTS, {"main.cs": SAYS % word}) for word in ("one", "two")]
        assert [said(one.program) for one in made if one] == ["one", "two"]
        assert all(one and one.cpu_s > 0 for one in made)
    finally:
        compilers.close()
    assert running("server.exe", "/usr/bin/mono") == []


def test_what_does_not_compile_gives_nothing_and_the_next_is_not_touched(compilers):
    assert compilers.compile(ARGUMENTS, {"main.cs": "class A { int x = ; }"}) is None
    assert compilers.compile(ARGUMENTS, {"main.cs": SAYS % "a", "deep/b.cs": "class B {}"})
    assert compilers.compile([*ARGUMENTS, "deep/b.cs"], {"main.cs": SAYS % "a"}) is None, "the last one's file stayed"
    assert compilers.compile(["-out:program.exe", "server.exe", "main.cs"], {"main.cs": SAYS % "a"}) is None
    last = compilers.compile(ARGUMENTS, {"main.cs": SAYS % "good"})
    assert last
    assert said(last.program) == "good"


def test_a_compiler_that_hangs_or_dies_is_replaced(compilers, monkeypatch):
    assert compilers.compile(ARGUMENTS, {"main.cs": SAYS % "a"})
    monkeypatch.setattr(resident, "ANSWER_S", 0.0)
    assert compilers.compile(ARGUMENTS, {"main.cs": SAYS % "a"}) is None
    monkeypatch.undo()
    assert compilers.compile(ARGUMENTS, {"main.cs": SAYS % "a"})
    deep = "class P { static void Main() { int x = " + "(" * 200_000 + "1" + ")" * 200_000 + "; } }"
    assert compilers.compile(ARGUMENTS, {"main.cs": deep}) is None  # its stack
    assert compilers.compile(ARGUMENTS, {"main.cs": SAYS % "a"})


def test_after_so_many_programs_it_is_started_anew(compilers, monkeypatch):
    monkeypatch.setattr(resident, "INPUTS", 2)
    seen = set()
    for word in "abcde":
        assert compilers.compile(ARGUMENTS, {"main.cs": SAYS % word})
        seen |= set(running("server.exe", "/usr/bin/mono"))
    assert len(seen) == 3


def test_a_verifier_says_the_same_with_it_and_gives_it_back(monkeypatch):
    verifier = MultiLanguageVerifier(max_workers=1)
    task = Prompt("p", "p", "csharp", (Case("", "one\n"),))
    programs = [SAYS % "one", SAYS % "two", "class P { static void Main() { int x = ; } }", SAYS % "one"]
    found = [verifier.verify(program, task) for program in programs]
    assert [one.status for one in found] == ["passed", "wrong_answer", "compile_error", "passed"]
    assert len(running("server.exe", "/usr/bin/mono")) == 1
    verifier.cleanup()
    assert running("server.exe", "/usr/bin/mono") == []
    monkeypatch.setattr(ResidentCompilers, "compile", lambda *_: None)
    plain = [verifier.verify(program, task) for program in programs]
    assert [(a.status, a.details, a.error) for a in plain] == [(b.status, b.details, b.error) for b in found]
