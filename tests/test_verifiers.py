"""Verdicts and rewards: every status that `gcc` and `execution` give, and what comes with it."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from haloforge import records, sandbox
from haloforge.errors import BadInput, MissingTool, SandboxFault
from haloforge.records import Case, Checker, Prompt
from haloforge.verifiers import ExecutionVerifier, GCCVerifier, Verifier, check_ready, get_verifier, rewards
from haloforge.verifiers.base import printable
from haloforge.verifiers.languages.rows import EVERY
from tests import load

pytestmark = pytest.mark.sandbox

ECHO = '#include <stdio.h>\nint main(void) { int n; while (scanf("%d", &n) == 1) printf("%d\\n", n); return 0; }\n'
CASES = (Case("1", "1"), Case("2", "2"), Case("3", "4"), Case("5", "5"))


def task(*cases, **fields):
    return Prompt("p", "text", cases=tuple(cases), **fields)


@pytest.fixture(scope="module")
def gcc():
    return GCCVerifier(max_workers=1, cpu_s=0.3)


@pytest.fixture(scope="module")
def execution():
    return ExecutionVerifier(max_workers=1, cpu_s=0.3)


BODIES = {
    "return 0;": ("wrong_answer", 0.7),
    "puts(\"7\"); return 0;": ("passed", 1.0),
    "puts(\"7\"); return 1;": ("runtime_error", 0.5),
    "puts(\"7\"); fflush(stdout); *(volatile int *)0 = 1;": ("runtime_error", 0.5),
    "for (;;) {}": ("timeout", 0.5),
    "for (;;) puts(\"7777777777777777777777777\");": ("output_limit", 0.5),
    "volatile char *p = malloc(200 << 20); if (p) for (long i = 0; i < 200L << 20; i += 4096) p[i] = 1;":
        ("memory_limit", 0.5),
    "return 0": ("compile_error", 0.0),
    "missing(); return 0;": ("compile_error", 0.0),
    "kill(getpid(), 31);": ("violation", 0.0),
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_a_program_gets_its_status_and_reward(gcc, body):
    headers = "".join(f"#include <{name}.h>\n" for name in ("stdio", "stdlib", "signal", "unistd"))
    code = f"{headers}int main(void) {{ {body} }}\n"
    result = gcc.verify(code, task(Case("", "7\n"), language="c", memory_mb=128))
    assert (result.status, result.reward) == BODIES[body], f"{result.details} {result.error}"
    assert result.success == (result.status == "passed")
    assert (result.passed, result.total) == (int(result.success), 1)
    trust = "build" if result.status == "compile_error" else "output"
    assert (result.level, result.trust, result.code) == ("ns", trust, code)
    assert result.cpu_s > 0
    assert result.wall_s > 0


def test_the_first_failing_case_names_the_status_and_the_others_still_run(gcc, execution):
    result = gcc.verify(ECHO, task(*CASES))
    assert (result.status, result.passed, result.total, result.reward) == ("wrong_answer", 3, 4, 0.7)
    assert result.details == "case 3 of 4: printed '3', expected '4'"
    assert execution.verify(ECHO, task(*CASES)).reward == 0.5 + 0.5 * 3 / 4
    assert execution.verify(ECHO, task(*CASES[:2])).reward == 1.0


def test_a_hang_costs_one_cpu_limit_and_the_rest_counts_as_failed(execution):
    hang = ECHO.replace("printf", "if (n == 2) for (;;) {} printf")
    result = execution.verify(hang, task(*[Case(str(n), str(n)) for n in (1, 2, 3, 4, 5, 6)]))
    assert (result.status, result.passed, result.total) == ("timeout", 1, 6)
    assert result.reward == pytest.approx(0.5 + 0.5 / 6)
    assert 0.3 <= result.cpu_s < 0.3 + 0.6
    assert result.metadata["ended_by"] == "cpu_limit"
    assert result.metadata["timeout_s"] >= 0.3


def test_an_idle_program_is_looked_at_twice_before_it_is_a_timeout(gcc, monkeypatch):
    monkeypatch.setattr("haloforge.verifiers.programs.wall_limit_s", lambda cpu_s: 1.0)
    start = time.monotonic()
    result = gcc.verify("#include <unistd.h>\nint main(void) { sleep(60); }", task(Case("", "")))
    assert (result.status, result.metadata["ended_by"]) == ("timeout", "wall_limit")
    assert 2.0 <= time.monotonic() - start < 20
    once = '#include <unistd.h>\nint main(void) { if (access("seen", 0)) { close(creat("seen", 0600)); sleep(60); } }'
    again = gcc.verify("#include <fcntl.h>\n" + once, task(Case("", ""), language="c"))
    assert again.status == "passed"


def test_without_cases_a_program_is_only_built(gcc):
    result = gcc.verify("int main(void) { return 3; }", task(language="c"))
    assert (result.status, result.reward, result.success, result.trust) == ("compiled", 0.5, True, "build")
    assert gcc.verify("int twice(int n) { return 2 * n; }", task(language="c")).status == "compiled"
    assert gcc.verify("int main(void) { return absent(); }", task(language="c")).status == "compile_error"
    assert gcc.verify("// main()\nint twice(int n) { return 2 * n; }", task(language="c")).status == "compiled"
    assert gcc.verify("int twice(int n) { return 2 * n; }", task(Case("", "1"))).status == "runtime_error"


def test_run_after_compile_pays_for_a_good_end():
    verifier = GCCVerifier(max_workers=1, run_after_compile=True)
    assert (verifier.verify("int main() { return 0; }").status, verifier.verify("int main() {}").reward) == (
        "compiled",
        0.7,
    )
    crash = verifier.verify("int main() { return 3; }")
    assert (crash.status, crash.reward, crash.success) == ("runtime_error", 0.5, False)
    assert verifier.verify("int f() { return 0; }").reward == 0.5


def test_warnings_cost_only_where_they_are_penalised(gcc):
    careless = "int main() { int unused; return 0; }"
    verifier = GCCVerifier(max_workers=1, warnings="penalise")
    result = verifier.verify(careless)
    assert (result.status, result.reward, result.metadata["warnings"]) == ("compiled", 0.3, True)
    assert "unused" in (result.error or "")
    assert verifier.verify("int main() { return 0; }").reward == 0.5
    assert gcc.verify(careless).reward == 0.5
    with pytest.raises(BadInput, match="penalise"):
        GCCVerifier(warnings="yes")  # type: ignore[arg-type]


def test_the_language_comes_from_task_then_fence_then_content_then_cpp(gcc):
    only_c = "int main(void) { int class = 0; return class; }"
    assert gcc.verify(only_c, task(language="c")).status == "compiled"
    assert gcc.verify(f"```c\n{only_c}\n```").metadata["language"] == "c"
    assert gcc.verify("#include <stdio.h>\n" + only_c).metadata["language"] == "c"
    assert gcc.verify(only_c).metadata["language"] == "c"  # which C++ was tried before
    assert gcc.verify(f"```c\n{only_c}\n```", task(language="C++")).status == "compile_error"
    assert gcc.verify("#include <vector>\nstd::vector<int> v; int main() {}").metadata["language"] == "cpp"


def test_what_a_verifier_cannot_judge_is_unknown(gcc, execution):
    for result in (
        gcc.verify("print(1)", task(language="python")),
        gcc.verify("```rust\nfn main() {}\n```"),
        gcc.verify("fn", task(language="klingon")),
        execution.verify(ECHO, task()),
        execution.verify(ECHO),
    ):
        assert (result.status, result.reward, result.success) == ("unknown", None, False), result
        assert result.trust == ""
    assert "klingon" in gcc.verify("x = 1;", task(language="klingon")).details


FOREIGN = "Quick:\n```python\nprint(1)\n```\n"
GO_TESTS = 'package sol\n\nimport "testing"\n\nfunc TestA(t *testing.T) {}\n'


@pytest.mark.parametrize(
    ("text", "fields", "status"),
    [
        (FOREIGN, {"language": "c"}, "no_code"),
        (FOREIGN, {"language": "c", "cases": CASES}, "no_code"),
        (FOREIGN, {"tests": "int main() { return f(); }", "tests_kind": "append_main"}, "no_code"),
        (FOREIGN + "```javascript\n1;\n```\n", {"language": "cpp"}, "no_code"),
        (FOREIGN, {"tests": GO_TESTS, "tests_kind": "go_test"}, "no_code"),
        ("```c\nint f;\n```\n", {"tests": GO_TESTS, "tests_kind": "go_test"}, "no_code"),
        ("```rust\nfn f() {}\n```\n", {"tests_kind": "files", "files": {}, "code_path": "a.go", "cmd": "x"}, "no_code"),
        (FOREIGN + "```\nint main(void) { return 0; }\n```\n", {"language": "c"}, "compiled"),
        (FOREIGN + "```cpp\nint main() { return 0; }\n```\n", {"language": "c"}, "compiled"),
        ("```bash\nls\n```\n```kotlin\nint main(void) { return 0; }\n```\n", {"language": "c"}, "compiled"),
        (FOREIGN, {"language": "any"}, "unknown"),
        (FOREIGN, {}, "unknown"),
    ],
)  # fmt: skip
def test_a_fence_of_another_language_than_the_tasks_is_no_way_to_go_unjudged(text, fields, status):
    result = get_verifier("auto", max_workers=1).verify(text, Prompt("p", "text", **fields))
    assert result.status == status, result
    assert status != "no_code" or "only; wanted is " in result.details


TESTED: dict[str, Any] = {
    "tests": "#include <assert.h>\nint main() { assert(f() == 1); return 0; }\n",
    "tests_kind": "append_main",
}


@pytest.mark.parametrize(("fence", "language"), [("c", "c"), ("cpp", "cpp"), ("win32", "cpp"), ("", "cpp")])
def test_tests_say_the_language_and_between_c_and_cpp_the_fence(fence, language):
    text = f"```{fence}\nint f(void) {{ return 1; }}\n```\nIn another language:\n```python\ndef f(): return 1\n```\n"
    result = get_verifier("auto", max_workers=1).verify(text, Prompt("p", "text", **TESTED))
    assert (result.status, result.metadata["language"]) == ("passed", language), result


def test_a_program_whose_tests_this_machine_cannot_run_is_no_success(monkeypatch):
    monkeypatch.setattr("haloforge.verifiers.languages.has_tool", lambda tool: tool != "wine")
    code = "```win32\n#include <windows.h>\n#include <stdio.h>\nint main() { puts(%s); return 0; }\n```"
    for name in ("auto", "execution"):
        result = get_verifier(name, max_workers=1).verify(code % '"7"', task(Case("", "7")))
        assert (result.status, result.success, result.reward, result.trust) == ("unknown", False, None, "build")
        assert "cannot run" in result.details
        assert get_verifier(name, max_workers=1).verify(code % "7x", task(Case("", "7"))).status == "compile_error"
        with pytest.raises(BadInput, match="only builds such programs, because wine is absent"):
            check_ready(name, {}, [task(Case("", "7"), language="cpp-windows")])
    with pytest.raises(BadInput, match="wine is absent"):
        check_ready("mingw", {}, [task(Case("", "7"))])
    with pytest.raises(BadInput, match="wine is absent"):
        check_ready("execution", {"test_cases": [{"output": "7"}]}, [task(language="cpp-windows")])
    assert get_verifier("auto", max_workers=1).verify(code % '"7"').status == "compiled"


def test_a_compiler_that_idled_past_its_time_is_asked_once_more(monkeypatch):
    plain, asked, idle = sandbox.Box.run, [], 1

    def busy(self, argv, *rest):
        asked.append(argv[0])
        if len(asked) <= idle:
            return sandbox.Outcome(None, 9, b"", b"", 0.0, 22.0, 0, sandbox.WALL_LIMIT, "ns")
        return plain(self, argv, *rest)

    monkeypatch.setattr(sandbox.Box, "run", busy)
    gcc = GCCVerifier(max_workers=1)
    assert gcc.verify("int main(void) { return 0; }", task(language="c")).status == "compiled"
    assert len(asked) == 2
    asked.clear()
    idle = 2
    result = gcc.verify("int main(void) { return 0; }", task(language="c"))
    assert (result.status, result.metadata["ended_by"], len(asked)) == ("compile_error", "wall_limit", 2)


def test_no_code_is_no_code(gcc):
    result = gcc.verify("I would rather not.", task(*CASES))
    assert (result.status, result.reward, result.total, result.code) == ("no_code", 0.0, 4, "")


def test_the_task_sets_time_memory_flags_and_comparison(gcc):
    burn = "#include <time.h>\nint main(void) { while (clock() < CLOCKS_PER_SEC * 6 / 10) {} return 0; }"
    assert gcc.verify(burn, task(Case("", ""))).status == "timeout"
    assert gcc.verify(burn, task(Case("", ""), time_limit_s=5.0)).status == "passed"
    hungry = (
        "#include <string.h>\nstatic volatile char a[99 << 20];\nint main(void) { memset((char *)a, 1, sizeof a); }"
    )
    assert gcc.verify(hungry, task(Case("", ""), time_limit_s=5.0)).status == "passed"
    assert gcc.verify(hungry, task(Case("", ""), time_limit_s=5.0, memory_mb=32)).status == "memory_limit"
    flagged = "#ifndef N\n#error no N\n#endif\nint main(void) { return N; }"
    assert gcc.verify(flagged, task(Case("", ""), cflags="-DN='0'")).status == "passed"
    near = '#include <stdio.h>\nint main(void) { puts("0.3333"); }'
    assert gcc.verify(near, task(Case("", "0.33333333"))).status == "wrong_answer"
    assert gcc.verify(near, task(Case("", "0.33333333"), compare="float_tolerance 1e-3")).status == "passed"
    assert gcc.verify(near, task(Case("", "0.33333333"), compare="float", validator_flags="")).status == "wrong_answer"


def test_cases_may_come_with_the_constructor(execution):
    own = ExecutionVerifier(max_workers=1, test_cases=[{"input": "1", "output": "1"}, Case("2", "2")])
    assert own.verify(ECHO).status == "passed"
    assert own.verify(ECHO, task(Case("1", "9"))).total == 1
    with pytest.raises(BadInput, match="test 1"):
        ExecutionVerifier(test_cases=[{"input": "1"}])


def test_a_batch_keeps_its_order_and_runs_side_by_side():
    verifier = GCCVerifier(max_workers=8)
    codes = [f"int main(void) {{ return {n % 3}; }}" for n in range(9)]
    statuses = [r.status for r in verifier.verify_batch(codes, task(Case("", ""), language="c"))]
    assert statuses == ["passed", "runtime_error", "runtime_error"] * 3
    assert verifier.verify_batch([]) == []
    with pytest.raises(ValueError, match="2 codes but 1 tasks"):
        verifier.verify_batch(["a", "b"], [None])
    verifier.cleanup()


def test_what_a_verdict_says_is_short_printable_and_free_of_escapes(gcc):
    loud = '#include <stdio.h>\nint main(void) { for (int i = 0; i < 9999; i++) printf("\\033[31mred\\a"); return 0; }'
    result = gcc.verify(loud, task(Case("", "x\x1b[2J")))
    assert len(result.details) < 300
    assert result.details.isprintable()
    assert "\x1b" not in result.details
    broken = gcc.verify("int main() { " + "undefined_thing; " * 500 + "}")
    assert broken.error is not None
    assert len(broken.error) <= 400
    assert "undefined_thing" in broken.error
    assert printable(b"\x1b]0;title\x07a\xff\x00b") == "0;title a� b"


def test_a_fault_of_ours_is_never_the_samples(gcc, monkeypatch):
    def fail(self):
        raise SandboxFault("no room")

    with monkeypatch.context() as m:
        m.setattr(sandbox.Box, "_start", fail)
        result = gcc.verify(ECHO, task(*CASES))
    assert (result.status, result.reward, result.error) == ("infra_error", None, "no room")
    monkeypatch.setattr("haloforge.verifiers.toolchain.shutil.which", lambda name, path=None: None)
    result = gcc.verify(ECHO, task(*CASES))
    assert result.status == "infra_error"
    assert "toolbox/install-tools.sh" in (result.error or "")
    with pytest.raises(MissingTool, match="gcc"):
        gcc.required_tools("c")


def test_the_registry_names_what_it_knows():
    assert isinstance(get_verifier("gcc", max_workers=2, slot=3), GCCVerifier)
    assert isinstance(get_verifier("execution"), ExecutionVerifier)
    with pytest.raises(BadInput, match="no verifier 'gpp'; known are gcc, clang, "):
        get_verifier("gpp")
    with pytest.raises(BadInput, match="bogus"):
        get_verifier("gcc", bogus=1)


def test_a_run_is_refused_before_it_starts_where_it_could_not_be_judged():
    check_ready("gcc", {}, [task(), task(*CASES, language="c"), task(language="any")])
    with pytest.raises(BadInput, match="cannot judge python"):
        check_ready("gcc", {}, [task(language="python")])
    with pytest.raises(BadInput, match="'p' has none"):
        check_ready("execution", {}, [task()])


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tests": "func TestA(t *testing.T) {}", "tests_kind": "append_go_test", "language": "cpp"}, "tests_kind app"),
        ({"tests": "assert f()", "tests_kind": "python", "language": "c"}, "tests_kind python"),
        ({"tests_kind": "files", "files": {}, "code_path": "a.c", "cmd": "make"}, "tests_kind files"),
        ({"tests_kind": "files", "files": {}, "code_path": "src/lib.rs", "cmd": "make"}, "a project .* cmd is 'make'"),
        ({"cases": CASES, "checker": Checker("java", "class Main {}", "kattis")}, "a checker in java"),
    ],
)
def test_tests_that_a_verifier_cannot_run_are_refused_before_a_run_and_unknown_in_python(gcc, fields, named):
    prompt = Prompt("p", "text", **fields)
    for name in ("execution",) if prompt.code_path == "src/lib.rs" else ("gcc", "execution"):
        with pytest.raises(BadInput, match=f"verifier {name} cannot judge prompt 'p', which has {named}"):
            check_ready(name, {}, [task(*CASES, language="c"), prompt])
    result = gcc.verify("int main(void) { return 0; }", prompt)
    assert (result.status, result.reward, result.success) == ("unknown", None, False)


def test_a_custom_verifier_runs_its_tools_in_a_box():
    class Lines(Verifier):
        def verify(self, code, task=None, *, as_it_stands=False):
            outcome = self.run(["/usr/bin/wc", "-l", "code"], {"code": code})
            return records.VerifyResult(outcome.ok, 1.0, outcome.stdout.decode(), level=outcome.level)

    result = Lines(max_workers=1).verify("a\nb\n")
    assert (result.details, result.level, result.status) == ("2 code\n", "ns", "passed")


def test_every_status_has_its_reward_and_every_language_its_row():
    assert set(rewards.GCC) == set(records.STATUSES)
    assert {s for s, value in rewards.GCC.items() if value is None} == set(records.UNDECIDED)
    assert all(name == row.name for name, row in EVERY.items())
    assert rewards.execution("timeout", 3, 4) == 0.875
    assert rewards.execution("violation", 3, 4) == 0.0


def test_the_compilers_made_up_file_names_are_not_in_the_verdict():
    code = "int missing(void); int main(void) { return missing(); }"
    errors = {str(get_verifier("gcc").verify(code).error) for _ in range(2)}
    assert len(errors) == 1
    assert "missing" in errors.pop()


def test_a_compiler_that_is_broken_is_our_fault_and_a_sample_that_says_so_is_not_believed(tmp_path, monkeypatch):
    verifier = GCCVerifier(max_workers=1)
    says = '#error "gcc: fatal error: cannot execute cc1: installation problem"\nint main(void) { return 0; }\n'
    assert verifier.verify(says, task(language="c")).status == "compile_error"
    # As gcc is without its passes: it starts, and cannot go on.
    broken = tmp_path / "gcc"
    broken.write_text("#!/bin/sh\necho 'gcc: fatal error: cannot execute ‘cc1’' >&2\nexit 1\n")
    broken.chmod(0o755)
    tmp_path.chmod(0o755)
    shown = GCCVerifier(max_workers=1, mounts=[str(tmp_path)])
    for module in ("programs", "broken_toolchain"):
        monkeypatch.setattr(f"haloforge.verifiers.{module}.tool_path", lambda tool: str(broken))
    result = shown.verify("int main(void) { return 0; }", task(language="c"))
    assert (result.status, result.reward) == ("infra_error", None)
    assert "gcc is broken on this node" in str(result.error)
    monkeypatch.undo()
    assert shown.verify("int main(void) { return 0; }", task(language="c")).status == "compiled"


def test_a_fault_of_ours_that_passes_costs_nobody_anything(gcc, monkeypatch):
    plain, faults = sandbox.Box._start, ["no process"]

    def sometimes(self):
        if faults:
            raise SandboxFault(faults.pop())
        plain(self)

    monkeypatch.setattr(sandbox.Box, "_start", sometimes)
    assert gcc.verify(ECHO, task(*CASES[:2])).status == "passed"
    assert not faults


def test_a_loaded_machine_changes_no_verdict():
    made = load.programs(50)
    with load.burning(2 * (os.cpu_count() or 1)):
        assert load.judged(made, 8) == [status for _, status in made]


def test_c_is_compiled_as_c_and_cpp_as_cpp(gcc):
    allocates = "#include <stdlib.h>\nint main(void) { int *class = malloc(4); free(class); return 0; }\n"
    assert gcc.verify(allocates, task(language="c")).status == "compiled"
    assert gcc.verify(allocates, task(language="cpp")).status == "compile_error"


def test_output_that_is_no_utf8_is_compared_byte_by_byte(gcc):
    code = "#include <stdio.h>\nint main(void) { putchar(0xff); putchar(%s); putchar('\\n'); return 0; }\n"
    wanted = task(Case("", "\udcff\udc00\n".replace("\udc00", "\udcfe")), language="c")
    assert gcc.verify(code % "0xfe", wanted).status == "passed"
    assert gcc.verify(code % "0xfd", wanted).status == "wrong_answer"


def test_the_temporary_folders_name_has_no_say(tmp_path, monkeypatch):
    (tmp_path / "a.c.d").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "a.c.d"))
    assert GCCVerifier(max_workers=1).verify("int main(void) { return 0; }", task(language="c")).status == "compiled"


APPENDED = "#include <assert.h>\nint main() { assert(twice(2) == 4); assert(twice(3) == 6); }\n"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("int twice(int n) { return 2 * n; }", "passed"),
        ("int twice(int n) { return n == 2 ? 4 : 0; }", "tests_failed"),
        ("#include <stdlib.h>\nint twice(int n) { abort(); }", "tests_failed"),
        ("int twice(int n) { for (;;) {} }", "timeout"),
        ("int twice(int n) { return n", "compile_error"),
        ("int thrice(int n) { return n; }", "compile_error"),
        ("int read(void) { return 2; }\nint twice(int n) { return read() * n; }", "passed"),
        ('#include <stdio.h>\nint twice(int n) { return 2 * n; }\nint main() { puts("mine"); return 3; }', "passed"),
    ],
)
@pytest.mark.parametrize("language", ["c", "cpp"])
def test_appended_tests_pass_only_when_they_came_to_their_end(gcc, code, status, language):
    result = gcc.verify(code, task(language=language, tests=APPENDED, tests_kind="append_main"))
    assert (result.status, result.trust) == (status, "in_process"), f"{result.details} {result.error}"
    assert (result.passed, result.total) == (int(status == "passed"), 1)


def test_a_tests_main_may_take_arguments_return_nothing_and_fail_by_its_value(gcc):
    def judged(main, language="c"):
        return gcc.verify("int one(void) { return 1; }", task(language=language, tests=main, tests_kind="append_main"))

    assert judged("int main(int argc, char **argv) { return argc - one(); }").status == "passed"
    assert judged("void main(void) { if (one() != 1) __builtin_trap(); }").status == "passed"
    assert judged("int main(void) { return one(); }").status == "tests_failed"
    assert judged("auto main() -> int { return one() - 1; }", "cpp").status == "passed"
    refused = judged("static int check(void) { return one(); }")
    assert (refused.status, refused.reward) == ("unknown", None)
    assert "0 functions called main" in refused.details


KEY_HUNT = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__asm__(".data\nhunted: .incbin \"main.c\"\n.byte 0\n.text");
extern char hunted[];
static void answer(const char *text, unsigned long long nonce) {
    for (const char *p = text; *p; p++) {
        char *end;
        if (*p < '0' || *p > '9' || (p > text && p[-1] >= '0' && p[-1] <= '9')) continue;
        unsigned long long x = nonce ^ strtoull(p, &end, 10);
        if (end - p < 14) continue;
        x += 0x9E3779B97F4A7C15ULL;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
        printf("\n%016llx\n", x ^ (x >> 31));
    }
}
int add(int a, int b) {
    static char nonce[17], text[1 << 16];
    lseek(0, 0, SEEK_SET);
    if (read(0, nonce, 16) != 16) abort();
    answer(hunted, strtoull(nonce, 0, 16));
    int source = open("main.c", O_RDONLY);
    if (source >= 0 && read(source, text, sizeof text - 1) > 0) answer(text, strtoull(nonce, 0, 16));
    fflush(stdout);
    _exit(0);
}
"""


def test_the_key_of_appended_tests_is_not_in_the_source(gcc):
    tests = "int main(void) { assert(add(1, 2) == 3); return 0; }"
    result = gcc.verify(
        KEY_HUNT, Prompt("p", "t", language="c", tests=tests, tests_kind="append_main"), as_it_stands=True
    )
    assert (result.status, result.trust) == ("tests_failed", "in_process"), result.error


@pytest.mark.parametrize("said", ["gcc: fatal error: Killed signal terminated program cc1", ""])
def test_a_compiler_that_was_killed_once_is_asked_again(monkeypatch, said):
    verifier, faults = GCCVerifier(max_workers=1), [said]
    plain = sandbox.Box.run

    def sometimes(self, argv, *rest):
        if faults:
            said = faults.pop().encode()
            code, by = (1, None) if said else (None, 9)  # a part of the compiler was killed, or the whole
            return sandbox.Outcome(code, by, b"", said, 0.0, 0.0, 0, None, "ns")
        return plain(self, argv, *rest)

    monkeypatch.setattr(sandbox.Box, "run", sometimes)
    assert verifier.verify("int main(void) { return 0; }", task(language="c")).status == "compiled"
    assert not faults


def test_a_late_idle_case_is_noted_so_that_nobody_keeps_the_verdict(execution):
    code = (
        "#include <stdio.h>\n#include <unistd.h>\n"
        'int main(void) { int n; scanf("%d", &n); if (n == 2) pause(); puts("1"); return 0; }\n'
    )
    result = execution.verify(code, task(Case("1", "0"), Case("2", "1"), language="c"))
    assert (result.status, result.metadata["ended_by"]) == ("wrong_answer", "wall_limit")


def test_a_guess_by_content_is_no_reason_not_to_judge(gcc):
    looks_like_rust = "struct p { int x; };\nint f(struct p *q) { return q->x; }\n"
    assert gcc.verify(looks_like_rust).status == "compiled"
    assert gcc.verify(f"```rust\n{looks_like_rust}```").status == "unknown"


def test_an_answers_own_operators_and_uses_of_the_library_stay_its_own_affair(gcc):
    code = (
        "#include <cstring>\n#include <string>\nusing namespace std;\n"
        "struct P { int x; bool operator==(const P &o) const { return x == o.x; } bool operator<(int n) const"
        " { return x < n; } };\nbool operator!=(const P &a, const P &b) { return !(a == b); }\n"
        "template <class T> struct Q { T t; };\n"
        "template <class T> bool operator==(const Q<T> &a, const Q<T> &b) { return a.t == b.t; }\n"
        'int twice(int n) { return memcmp("a", "a", 1) == 0 && strlen("ab") == 2 ? 2 * n : 0; }\n'
    )
    result = gcc.verify(code, task(language="cpp", tests=APPENDED, tests_kind="append_main"))
    assert result.status == "passed", result.error
