"""Go: every status, tests called without the go command, and answers that try to pass without being right."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from haloforge.errors import BadInput, MissingTool
from haloforge.records import Case, Prompt
from haloforge.verifiers import GoVerifier, get_verifier
from haloforge.verifiers.go_toolchain import built_archives, toolchain
from haloforge.verifiers.toolchain import tool_path
from tests.hostile import attacks
from tests.in_boxes import needs

pytestmark = [pytest.mark.sandbox, needs("go")]

HEAD = 'package main\n\nimport "fmt"\n\n'
WORKED = "func Add(a, b int) int { return a + b }\n"
TESTS = (attacks.FOLDER / "tasks/add.go").read_text()


@pytest.fixture(scope="module")
def go():
    return GoVerifier(max_workers=1, cpu_s=1)


def beside(code, tests=TESTS):
    return code, Prompt("p", "text", language="go", tests=tests, tests_kind="go_test")


def judged(go, code, tests=TESTS, **fields):
    task = Prompt("p", "text", language="go", tests=tests, **{"tests_kind": "go_test", **fields})
    return go.verify(code, task, as_it_stands=True)


def cased(go, body, imports="fmt", **fields):
    lines = "".join(f'import "{name}"\n' for name in imports.split())
    task = Prompt("p", "text", language="go", cases=(Case("2 3", "5"),), **fields)
    return go.verify(f"package main\n{lines}\nfunc main() {{\n{body}\n}}\n", task)


@pytest.mark.parametrize(
    ("body", "imports", "status"),
    [
        ("var a, b int; fmt.Scan(&a, &b); fmt.Println(a + b)", "fmt", "passed"),
        ("fmt.Println(4)", "fmt", "wrong_answer"),
        ("fmt.Println(5); os.Exit(1)", "fmt os", "runtime_error"),
        ("var p *int; *p = 1; fmt.Println(5)", "fmt", "runtime_error"),
        ("for {}", "", "timeout"),
        ("for { fmt.Print(strings.Repeat(\"5\", 1<<20)) }", "fmt strings", "output_limit"),
        ("b := make([]byte, 3<<30); fmt.Println(len(b))", "fmt", "memory_limit"),
        ("fmt.Println(5)", "fmt os", "compile_error"),
        ("fmt.Println(5", "fmt", "compile_error"),
        ("fmt.Println(color.Red)", "fmt github.com/fatih/color", "compile_error"),
        ("fmt.Println(cpu.X86)", "fmt internal/cpu", "compile_error"),
    ],
)  # fmt: skip
def test_a_program_gets_its_status(go, body, imports, status):
    result = cased(go, body, imports)
    assert result.status == status, f"{result.details} {result.error}"
    assert (result.trust, result.level) == ("build" if status == "compile_error" else "output", "ns")


def test_an_import_that_is_not_there_is_named(go):
    assert "github.com/fatih/color" in (cased(go, "color.Red()", "github.com/fatih/color").error or "")


def test_a_small_memory_limit_leaves_the_runtime_what_it_needs(go):
    busy = "ch := make(chan int); for i := 0; i < 50; i++ { go func() { ch <- 0 }() }; for i := 0; i < 50; i++ { <-ch }"
    assert cased(go, busy + "; fmt.Println(5)", memory_mb=16).status == "passed"


def test_without_checks_a_program_or_a_package_is_built(go):
    assert go.verify(HEAD + "func main() { fmt.Println() }").status == "compiled"
    assert go.verify(f"package sums\n\n{WORKED}").status == "compiled"
    assert go.verify(f"package main\n\n{WORKED}").status == "compiled"
    assert go.verify('package sums\n\nfunc Add() int { return "" }').status == "compile_error"
    assert (
        GoVerifier(max_workers=1, check_only=True).verify(HEAD + "func main() { fmt.Println() }").status == "compiled"
    )
    assert (
        GoVerifier(max_workers=1, run_after_compile=True).verify("package main\n\nfunc main() { panic(1) }").reward
        == 0.5
    )


def test_tests_beside_the_answer_are_counted(go):
    result = judged(go, f"package sol\n\n{WORKED}")
    assert (result.status, result.passed, result.total, result.trust) == ("passed", 2, 2, "in_process")
    half = judged(go, "package sol\n\nfunc Add(a, b int) int { return 2 * b }\n")
    assert (half.status, half.passed, half.total) == ("tests_failed", 1, 2)
    assert (
        get_verifier("execution").verify(*beside("package sol\n\nfunc Add(a, b int) int { return 2 * b }\n")).reward
        == 0.75
    )
    assert judged(go, "package sol\n\nfunc Add(a, b int) int { for {} }\n").status == "timeout"
    assert judged(go, "package sol\n").status == "compile_error"
    assert judged(go, "package other\n\n" + WORKED).status == "passed"  # the tests go where the answer is


@pytest.mark.parametrize(
    ("body", "passed"),
    [
        ("t.Run(\"in\", func(t *testing.T) { t.Parallel(); if Add(1, 1) != 2 { t.Fatal() } })", True),
        ("t.Run(\"in\", func(t *testing.T) { t.Parallel(); if Add(1, 1) == 2 { t.Fatal() } })", False),
        ("t.Parallel(); if Add(1, 1) == 2 { t.FailNow() }", False),
        ("t.Parallel(); if t.Name() != \"TestOne\" { t.FailNow() }", True),
        ("t.Skip(\"not here\")", True),
        ("t.Cleanup(func() { t.Error(\"late\") })", False),
        ("if testing.Short() { t.Error() }; if t.TempDir() == \"\" { t.Error() }", True),
        ("defer func() { recover() }(); panic(Add(1, 2))", True),
        ("go func() { panic(1) }(); select {}", False),
        ("t.SkipNow(); t.Error()", True),
    ],
)  # fmt: skip
def test_a_test_ends_as_under_go_test(go, body, passed):
    tests = f'package sol\n\nimport "testing"\n\nfunc TestOne(t *testing.T) {{ {body} }}\n'
    tests += "func TestTwo(t *testing.T) { Add(1, 1) }\n"
    result = judged(go, f"package sol\n\n{WORKED}", tests)
    assert result.status == ("passed" if passed else "tests_failed"), result


def test_tests_of_another_package_a_test_main_and_a_main(go):
    outside = TESTS.replace("package sol", "package sol_test").replace('"reflect"', '"reflect"\n\t"example.com/sol"')
    outside = outside.replace("TestAdd", "Test_add").replace("Add(", "sol.Add(")
    assert judged(go, f"package sol\n\n{WORKED}", outside).status == "passed"
    setup = TESTS + "\nvar ready bool\n\nfunc TestMain(m *testing.M) { ready = true; os.Exit(m.Run()) }\n"
    setup = setup.replace('"reflect"', '"os"\n\t"reflect"').replace("if ok :=", "if !ready { t.Fatal() }\n\tif ok :=")
    assert judged(go, f"package sol\n\n{WORKED}", setup).passed == 2
    assert judged(go, "package sol\n\nfunc Add(a, b int) int { return 3 }\n", setup).status == "tests_failed"
    main = 'func main() {\n\tif Add(1, 2) != 3 {\n\t\tpanic("no")\n\t}\n}\n'
    kind = {"tests_kind": "append_main"}
    assert judged(go, f"package main\n\n{WORKED}", main, **kind).status == "passed"
    assert judged(go, "package main\n\nfunc Add(a, b int) int { return 0 }\n", main, **kind).status == "tests_failed"
    assert (
        judged(
            go, 'package main\n\nimport "os"\n\nfunc Add(a, b int) int { os.Exit(0); return 0 }\n', main, **kind
        ).status
        == "tests_failed"
    )


@pytest.mark.parametrize(
    ("tests", "named"),
    [
        (TESTS.replace('"reflect"', '"github.com/stretchr/testify/assert"\n\t"reflect"'), "testify"),
        (TESTS + "\nfunc FuzzAdd(f *testing.F) {}\n", "FuzzAdd"),
        ("package sol\n", "no function Test"),
    ],
)
def test_tests_that_go_test_would_run_and_we_do_not_are_unknown(go, tests, named):
    result = judged(go, f"package sol\n\n{WORKED}", tests)
    assert (result.status, named in result.details) == ("unknown", True), result


@pytest.mark.parametrize(
    ("body", "status", "passed"),
    [
        ("fmt.Println(Add(1, 2))\n\t// Output: 3", "passed", 3),
        ("fmt.Println(Add(1, 2), \"\\\"é\", `//`)\n\n\t// about\n\n\t// OUTPUT:\n\t//   3 \"é //", "passed", 3),
        ("fmt.Println(2)\n\tfmt.Println(Add(0, 1))\n\t// Unordered output:\n\t// 1\n\t// 2", "passed", 3),
        ("fmt.Println(Add(1, 2)) // Output: 4", "tests_failed", 3),
        ("fmt.Println(Add(1, 2)) // Output: 3\n\tfmt.Println(4) // Output: 4", "tests_failed", 3),
        ("fmt.Println(Add(1, 2)) // Output: 4\n\t// Output: 3", "passed", 3),
        ("panic(Add(1, 2))\n\t/* Output: 3 */", "tests_failed", 0),
        ("panic(Add(1, 2)) // no output", "passed", 2),
    ],
)  # fmt: skip
def test_examples_with_output_count(go, body, status, passed):
    tests = (
        TESTS.replace('"reflect"', '"fmt"\n\t"reflect"')
        + f"\nfunc ExampleAdd() {{\n\t{body}\n}}\n\nvar _ = fmt.Sprint\n"
    )
    result = judged(go, f"package sol\n\n{WORKED}", tests)
    assert (result.status, result.passed) == (status, passed), result


def test_an_own_example_of_an_answer_among_tests_counts_only_where_it_fails(go):
    code = f'package sol\n\nimport (\n\t"fmt"\n\t"reflect"\n\t"testing"\n)\n\n{WORKED}\n'
    code += "func ExampleAdd() {\n\tfmt.Println(Add(1, 1)) // Output: N\n}\n"
    tests = TESTS.partition(")\n")[2]
    kind = {"tests_kind": "append_go_test"}
    right, wrong = (judged(go, code.replace("N", n), tests, **kind) for n in "23")
    assert (right.status, right.total) == ("passed", 2), right
    assert wrong.status == "tests_failed"
    assert judged(go, code.replace("N", "2").replace("a + b", "a"), tests, **kind).passed == 0


WRONG = "func Add(a, b int) int { return 0 }\n"
FORGERIES = sorted(name for name in attacks.ATTACKS if name.endswith(".go"))


@pytest.mark.parametrize("name", FORGERIES)
def test_no_forgery_passes_in_one_file_with_the_tests(go, name):
    """tests/test_hostile.py has them beside a test file."""
    answer = (attacks.FOLDER / name).read_text()
    testing = "" if 'import "testing"' in answer else 'import "testing"\n'
    answer = answer.replace("package sol", f'package sol\n\n{testing}import "reflect"', 1)
    result = judged(go, answer, TESTS.partition(")\n")[2], tests_kind="append_go_test")
    assert result.status in attacks.expected(name), result


@pytest.mark.parametrize(("end", "last"), [("/*", "/* of the tests */"), ("var _ = `", "// of the `tests`"[:-1])])
def test_an_answer_cannot_swallow_the_tests_behind_it(go, end, last):
    imports = 'package sol\n\nimport (\n\t"testing"\n\t"reflect"\n)\n\nvar _ = reflect.DeepEqual\n'
    tests = TESTS.partition(")\n")[2] + last + "\n"
    own = "func TestAdd(t *testing.T) {}\nfunc TestSame(t *testing.T) {}\n"
    result = judged(go, f"{imports}{WRONG}{own}{end}", tests, tests_kind="append_go_test")
    assert result.status in ("tests_failed", "compile_error"), result
    assert judged(go, f"{imports}{WORKED}", tests, tests_kind="append_go_test").status == "passed"


@pytest.mark.parametrize(
    ("test", "forged"),
    [
        ("for _, c := range cases { if Is(c) { t.Fail() } }", "func init() { cases = nil }"),
        ("for _, c := range cases { if Is(c) { t.Fail() } }", "func init() { all := &cases; *all = (*all)[:0] }"),
        (
            "for _, c := range cases { if Is(c) { t.Fail() } }",
            'import _ "unsafe"\n\n//go:linkname mine answer.cases\nvar mine []int\n\nfunc init() { mine = nil }',
        ),
        ("if Is(1) == true { t.Fail() }", "const true = false"),
        ("if Is(1) != false { t.Fail() }", "const false = 0 == 0"),
        ("if Is(1) { panic(1) }", "func panic(n int) {}"),
        ("if len([]bool{Is(1)}) != 0 { t.Fail() }", "func len(of []bool) int { return 0 }"),
        (
            "var err error; if Is(1) { err = os.ErrClosed }; if err != nil { t.Fail() }",
            'import "os"\n\nvar nil error = os.ErrClosed',
        ),
    ],
)
def test_what_the_tests_stand_on_is_not_the_answers(go, test, forged):
    """Is(n) must be false; the answer says true."""
    imports = 'import (\n\t"os"\n\t"testing"\n)\n\nvar _ = os.Args\nvar cases = []int{1, 2}\n'
    tests = f"package sol\n\n{imports}\nfunc TestIs(t *testing.T) {{ {test} }}\n"
    code = f"package sol\n\n{forged}\n\nfunc Is(n int) bool {{ return 1 == 1 }}\n"
    result = judged(go, code, tests)
    assert result.status in ("tests_failed", "compile_error"), result
    honest = "package sol\n\nfunc Is(n int) bool { return 1 == 2 }\n"
    assert judged(go, honest, tests).status == ("tests_failed" if "len" in test else "passed")


def test_names_that_the_tests_have_too_do_no_harm(go):
    code = f"package sol\n\nfunc max(a, b int) int {{ cases := a; return cases + b - b }}\n\n{WORKED}"
    assert judged(go, code).status == "passed"
    assert judged(go, f"package sol\n\nvar cases int\n{WORKED}").status == "compile_error"
    assert judged(go, f"package sol\n\nfunc TestAdd() {{}}\n{WORKED}").status == "compile_error"


# ---- Project folders -----------------------------------------------------------------------------------------------

MODULE = "module example.com/sums\n\ngo 1.18\n"


def project_task(files, cmd="go test ./..."):
    files = {"go.mod": MODULE, **files}
    return Prompt("p", "text", language="go", tests_kind="files", files=files, cmd=cmd, code_path="sums.go")


def project(go, code, files, cmd="go test ./..."):
    return go.verify(code, project_task(files, cmd), as_it_stands=True)


SUB = {
    "deep/twice.go": "package deep\n\nfunc Twice(n int) int { return 2 * n }\n",
    "deep/twice_test.go": 'package deep\n\nimport "testing"\n\nfunc TestTwice(t *testing.T) {\n'
    "\tif Twice(2) != 4 {\n\t\tt.Fail()\n\t}\n}\n",
    "outside_test.go": 'package sums_test\n\nimport (\n\t"os"\n\t"testing"\n\t"example.com/sums"\n)\n\n'
    'func TestOut(t *testing.T) {\n\tb, err := os.ReadFile("testdata/three")\n'
    "\tif err != nil || len(b)+sums.Add(0, 1) != 2 {\n\t\tt.Fatal(err)\n\t}\n}\n",
    "testdata/three": "3",
    "inside_test.go": TESTS.replace("package sol", "package sums"),
}
DEEP = 'package sums\n\nimport "example.com/sums/deep"\n\nfunc Add(a, b int) int { return deep.Twice(a) - a + b }\n'


def test_a_project_is_tested_package_by_package(go):
    result = project(go, DEEP, SUB)
    assert (result.status, result.passed, result.total) == ("passed", 4, 4), result
    assert project(go, DEEP, SUB, "go test").total == 3
    assert project(go, DEEP, SUB, "go test -v -count=1 ./deep").total == 1
    assert project(go, DEEP.replace("+ b", "- b"), SUB).status == "tests_failed"
    assert project(go, "package sums\n", SUB).status == "compile_error"
    cycle = {**SUB, "deep/more.go": 'package deep\n\nimport _ "example.com/sums"\n'}
    assert project(go, DEEP, cycle).status == "compile_error"
    for body in ("os.Exit(0)", "cases = nil"):
        code = f'package sums\n\nimport "os"\n\nvar _ = os.Args\n\nfunc init() {{ {body} }}\n{WRONG}'
        assert project(go, code, SUB).status in ("tests_failed", "compile_error")


OUTSIDE = {name: text for name, text in SUB.items() if name != "inside_test.go"}
NAMED = {"outside_test.go": OUTSIDE["outside_test.go"].replace('"example.com/sums"', 'sums "example.com/sums"')}
ONLY_BESIDE = (
    'package sol_test\n\nimport (\n\t"testing"\n\tsol "example.com/sol"\n)\n\n'
    "func TestAdd(t *testing.T) {\n\tif sol.Add(1, 2) != 3 {\n\t\tt.Fail()\n\t}\n}\n"
)


@pytest.mark.parametrize("files", [SUB, OUTSIDE, {**OUTSIDE, **NAMED}], ids=["inside", "beside", "beside by a name"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("package sums", "package other"),
        ("package sums", "package sums_test"),
        ("package sums", "package"),
        ('/deep"\n', '/deep"\nimport _ "example.com/sums_test"\n'),
        ('/deep"\n', '/deep"\nimport _ "example.com/sums"\n'),
        ('/deep"\n', '/deep"\nimport _ "example.com/nowhere"\n'),
        ('/deep"\n', '/deep"\nimport _ "example.com/sums/z_test"\n'),
        ('/deep"\n', '/deep"\nimport _ "example.com/sums/z"\n'),
        ('/deep"\n', '/deep"\nimport "C"\n'),
        ("package sums", "//go:build windows\n\npackage other"),
    ],
)
def test_no_words_of_an_answer_make_its_project_one_that_is_not_judged(go, files, old, new):
    more = {"z/z.go": 'package z\n\nimport _ "example.com/sums"\n', "z/z_test.go": "package z_test\n"}
    assert project(go, DEEP, {**files, **more}).status == "passed"
    assert old in DEEP
    result = project(go, DEEP.replace(old, new, 1), {**files, **more})
    assert result.status == "compile_error", result


def test_an_answers_own_package_line_does_not_decide_whether_it_is_judged(go):
    task = Prompt("p", "text", language="go", tests_kind="go_test", tests=ONLY_BESIDE)
    for package, status in (("sol", "passed"), ("other", "compile_error"), ("sol_test", "compile_error")):
        result = go.verify(f"package {package}\n{WORKED}", task, as_it_stands=True)
        assert result.status == status, result


@pytest.mark.parametrize(
    ("files", "cmd", "named"),
    [
        ({}, "make test", "make test"),
        ({}, "go test -race ./...", "-race"),
        ({}, "go vet ./...", "go vet"),
        ({}, "go test ./nowhere", "nowhere"),
        ({"go.mod": MODULE + "\nrequire (\n\tgithub.com/a/b v1.2.3\n)\n"}, "go test", "github.com/a/b"),
        ({"deep/go.mod": MODULE}, "go test", "deep/go.mod"),
        ({"go.mod": MODULE.replace("1.18", "1.99")}, "go test", "go.mod wants Go 1.99; here is Go 1."),
        (
            {
                "deep/more.go": 'package deep\n\nimport _ "example.com/sums/deep/two"\n',
                "deep/two/two.go": 'package two\n\nimport _ "example.com/sums/deep"\n',
            },
            "go test",
            "import each other",
        ),
        ({"deep/other.go": "package other\n"}, "go test", "deep has the packages deep, other"),
        ({"deep/x_windows.go": "package deep\n"}, "go test", "x_windows.go"),
        ({"deep/y.go": "//go:build ignore\n\npackage deep\n"}, "go test", "y.go"),
        ({"deep/z.go": 'package deep\n\nimport "C"\n'}, "go test", "cgo"),
        ({"deep/w.go": 'package deep\n\nimport "golang.org/x/text"\n'}, "go test", "golang.org/x/text"),
    ],
)
def test_a_project_of_another_kind_is_refused_before_a_run_and_unknown(go, files, cmd, named):
    with pytest.raises(BadInput, match=f"not judged here: .*{re.escape(named)}"):
        go.check([project_task(SUB), project_task({**SUB, **files}, cmd)])
    result = project(go, DEEP, {**SUB, **files}, cmd)
    assert (result.status, named in result.details) == ("unknown", True), result


# ---- The toolchain -------------------------------------------------------------------------------------------------


def test_archives_of_a_go_that_brings_none_are_built_and_used(tmp_path, monkeypatch):
    folder = built_archives(tool_path("go"), tmp_path / "go" / "archives", ("fmt", "testing"))
    assert (folder / "internal" / "bytealg.a").stat().st_size > 1000
    before = (folder / "fmt.a").stat().st_mtime_ns
    assert built_archives(tool_path("go"), folder) == folder
    assert (folder / "fmt.a").stat().st_mtime_ns == before
    archives = {str(path.relative_to(folder).with_suffix("")): str(path) for path in folder.rglob("*.a")}
    ours = toolchain()
    theirs = type(ours)(ours.compiler, ours.linker, ours.release, archives, (str(folder),))
    for module in ("languages.go", "drivers.go"):
        monkeypatch.setattr(f"haloforge.verifiers.{module}.toolchain", lambda: theirs)
    go = GoVerifier(max_workers=1)
    assert cased(go, "fmt.Println(5)").status == "passed"
    assert judged(go, f"package sol\n\n{WORKED}").status == "passed"


def test_a_go_that_does_not_work_is_our_fault(go, monkeypatch):
    def refuse(*words, **_):
        return subprocess.CompletedProcess(words, 1, "", "go: cannot find GOROOT directory")

    toolchain.cache_clear()
    monkeypatch.setattr("haloforge.verifiers.go_toolchain.subprocess.run", refuse)
    with pytest.raises(MissingTool, match="cannot find GOROOT"):
        go.prepare(["golang"])
    assert cased(go, "fmt.Println(5)").status == "infra_error"
    monkeypatch.undo()
    assert json.dumps(toolchain().release) >= "[1, 1"
