"""C#: every status, tests called by a Main of ours, and answers that try to pass without being right."""

from __future__ import annotations

import json

import pytest

from haloforge.errors import MissingTool
from haloforge.records import Case, Prompt
from haloforge.verifiers import DotNetVerifier, get_verifier
from haloforge.verifiers.languages import Unit, csharp
from tests.hostile import attacks
from tests.in_boxes import needs

pytestmark = [pytest.mark.sandbox, needs("csharp")]

USINGS = "using System;\nusing System.Linq;\nusing System.Collections.Generic;\n"
RIGHT = "public static int Add(int a, int b) { return a + b; }"
WRONG = "public static int Add(int a, int b) { return 0; }"
TESTS = (attacks.FOLDER / "tasks/add.cs").read_text()


@pytest.fixture(scope="module")
def dotnet():
    return DotNetVerifier(max_workers=1, cpu_s=1)


def cased(dotnet, body, before="", **fields):
    task = Prompt("p", "text", language="csharp", cases=(Case("2 3", "5"),), **fields)
    return dotnet.verify(f"using System;\n{before}\nclass P {{ static void Main() {{ {body} }} }}\n", task)


def judged(dotnet, code, tests=TESTS, **how):
    task = Prompt("p", "", language="csharp", tests=tests, tests_kind="append_main")
    return dotnet.verify(code, task, **{"as_it_stands": True, **how})


def inside(member, before="", usings=USINGS):
    """An answer whose class the tests close."""
    return f"{usings}{before}\nclass Problem {{\n    {member}\n"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("var w = Console.ReadLine().Split(' '); Console.WriteLine(int.Parse(w[0]) + int.Parse(w[1]));", "passed"),
        ("Console.WriteLine(4);", "wrong_answer"),
        ("Console.WriteLine(5); Environment.Exit(1);", "runtime_error"),
        ("Console.WriteLine(5); throw new Exception();", "runtime_error"),
        ("for (;;) {}", "timeout"),
        ("var s = new string('5', 1 << 20); for (;;) Console.Write(s);", "output_limit"),
        ("var l = new byte[999][]; for (int i = 0; i < 999; i++) l[i] = new byte[1 << 21];", "memory_limit"),
        ("Console.WriteLine(5)", "compile_error"),
        ("Newtonsoft.Json.JsonConvert.Null();", "compile_error"),
        ("Console.WriteLine(System.Numerics.BigInteger.Pow(5, 1));", "passed"),
    ],
)  # fmt: skip
def test_a_program_gets_its_status(dotnet, body, status):
    result = cased(dotnet, body)
    assert result.status == status, f"{result.details} {result.error}"
    assert (result.trust, result.level) == ("build" if status == "compile_error" else "output", "ns")
    assert result.metadata["compiler"] in ("mcs", "dotnet")


def test_threads_and_async_work_in_little_memory(dotnet):
    body = "System.Threading.Tasks.Parallel.For(0, 100, i => {}); Console.WriteLine(5);"
    assert cased(dotnet, body, memory_mb=16).status == "passed"


def test_without_checks_a_program_or_a_class_is_built(dotnet):
    assert dotnet.verify("class P { static int Main() { return 3; } }", Prompt("p", "t", "csharp")).status == "compiled"
    unit = "public class A { public int F() { int unused; return 3; } }"
    assert dotnet.verify(unit, Prompt("p", "t", "csharp")).status == "compiled"
    careful = DotNetVerifier(max_workers=1, warnings="penalise").verify(unit, Prompt("p", "t", "csharp"))
    assert (careful.reward, "CS0168" in (careful.error or "")) == (0.3, True)
    assert dotnet.verify("public class A { int F() { return ; } }").status == "compile_error"


def test_tests_behind_the_answer_are_called(dotnet):
    result = judged(dotnet, inside(RIGHT))
    assert (result.status, result.passed, result.total, result.trust) == ("passed", 1, 1, "in_process"), result
    assert judged(dotnet, inside(WRONG)).status == "tests_failed"
    assert judged(dotnet, inside("")).status == "compile_error"
    assert judged(dotnet, inside("public static int Add(int a, int b) { for (;;) {} }")).status == "timeout"
    assert (
        get_verifier("auto")
        .verify(inside(RIGHT) + "}", Prompt("p", "", "csharp", tests=TESTS, tests_kind="append_main"))
        .status
        == "passed"
    )


OWN_CLASS = "class Tests {{ {head} {{ {body} }} }}\n"


@pytest.mark.parametrize(
    ("head", "body", "passed"),
    [
        ("static int Main()", "return Problem.Add(1, 2) == 3 ? 0 : 1;", True),
        ("static int Main()", "return Problem.Add(1, 2) == 3 ? 1 : 0;", False),
        ("public static async System.Threading.Tasks.Task Main()", "await System.Threading.Tasks.Task.Delay(1);", True),
        ("static async Task<int> Main()", "await Task.Yield(); return 2;", False),
        ("static async Task Main()", "await Task.Yield(); throw new System.Exception();", False),
        ("static void Main(string[] a)", "System.Diagnostics.Debug.Assert(Problem.Add(1, 2) == 3, \"sum\");", True),
        ("static void Main(string[] a)", "Debug.Assert(a.Length == 0); Debug.Assert(Problem.Add(1, 2) == 4);", False),
        ("static void Main()", "Trace.Assert(Problem.Add(1, 2) == 4);", False),
    ],
)  # fmt: skip
def test_a_main_of_any_kind_is_called(dotnet, head, body, passed):
    code = f"using System.Diagnostics;\nusing System.Threading.Tasks;\nclass Problem {{ {RIGHT} }}\n"
    result = judged(dotnet, code, OWN_CLASS.format(head=head, body=body))
    assert result.status == ("passed" if passed else "tests_failed"), result


def test_tests_without_a_main_are_unknown(dotnet):
    result = judged(dotnet, f"class Problem {{ {RIGHT} }}\n", "class T { static void Mainly() {} }\n")
    assert (result.status, "called Main" in result.details) == ("unknown", True)


def test_an_answers_own_types_do_no_harm_where_the_tests_do_not_name_them(dotnet):
    assert (
        judged(
            dotnet,
            inside(
                RIGHT + " class Queue<T> {} class Tuple {} class Console {}",
                "static class E { public static bool Count2<T>(this List<T> a) { return true; } }",
            ),
        ).status
        == "passed"
    )


def test_errors_are_the_same_each_time(dotnet):
    for code in (inside(""), inside(WRONG + " static void Check(bool ok) {}"), inside(WRONG)):
        first, second = judged(dotnet, code), judged(dotnet, code)
        assert (first.error, first.details) == (second.error, second.details)


def test_the_sdk_is_called_as_it_lies(tmp_path, monkeypatch):
    """Not run here: there is no .NET SDK. Its folders are laid out as Microsoft and the distributions do."""
    for name in ("8.0.100", "8.0.20", "10.0.100"):
        compiler = tmp_path / "sdk" / name / "Roslyn" / "bincore" / "csc.dll"
        compiler.parent.mkdir(parents=True)
        compiler.touch()
    for version in ("8.0.11", "10.0.0"):
        folder = tmp_path / "packs" / "Microsoft.NETCore.App.Ref" / version / "ref" / f"net{version[:-2].rstrip('.1')}"
        folder.mkdir(parents=True)
        for name in ("System.Runtime.dll", "System.Linq.dll"):
            (folder / name).touch()
    (tmp_path / "dotnet").touch()
    monkeypatch.setattr(csharp, "tool_path", lambda tool: str(tmp_path / tool))
    build = csharp.build_by_sdk(Unit("main.cs", {"main.cs": "", "h.cs": "", "notes": ""}, entry="h"))
    (argv,) = build.commands
    assert argv[4:6] == (
        str(tmp_path / "dotnet"),
        str(tmp_path / "sdk" / "10.0.100" / "Roslyn" / "bincore" / "csc.dll"),
    )
    assert argv[-4:] == ("-target:exe", "-main:h", "h.cs", "main.cs")
    assert "10.0.0" in build.files["references.rsp"]
    config = json.loads(build.files["program.runtimeconfig.json"])["runtimeOptions"]
    assert config["framework"] == {"name": "Microsoft.NETCore.App", "version": "10.0.0"}
    csharp._sdk.cache_clear()
    (tmp_path / "sdk").rename(tmp_path / "none")
    with pytest.raises(MissingTool, match=r"needs the \.NET SDK"):
        csharp.build_by_sdk(Unit("main.cs", {"main.cs": ""}))
    csharp._sdk.cache_clear()


def test_statements_outside_of_classes_are_a_program():
    assert csharp.has_main("using System;\nConsole.WriteLine(5);\n")
    assert csharp.has_main("class P { public static async System.Threading.Tasks.Task<int> Main(string[] args) { } }")
    assert not csharp.has_main(
        "using System;\n[assembly: A]\nnamespace N { public class P { void Main() {} } }\n// static Main()\n"
    )
    assert not csharp.has_main("public delegate int F(int x);\npublic record R(int X);\nenum E { A }\n")
