"""Right answers get their verdict whatever the form of the tests and of the program."""

from __future__ import annotations

import pytest

from haloforge.records import Prompt
from haloforge.verifiers import MultiLanguageVerifier
from tests.hostile import attacks
from tests.in_boxes import absent

pytestmark = pytest.mark.sandbox

USINGS = "using System;\nusing System.Linq;\nusing System.Collections.Generic;\n"
ADD = {
    "c": "int add(int a, int b) { return a + b; }\n",
    "cpp": "int add(int a, int b) { return a + b; }\n",
    "rust": "fn add(a: i32, b: i32) -> i32 { a + b }\n",
    "csharp": USINGS + "class Problem { public static int Add(int a, int b) { return a + b; }\n",
}
CHECK = {"c": "assert(add(2, 3) == 5);", "cpp": "assert(add(2, 3) == 5);", "rust": "assert_eq!(add(2, 3), 5);",
         "csharp": "if (Add(2, 3) != 5) throw new Exception();"}  # fmt: skip
EXITS = {
    "c": (
        "#include <assert.h>\n#include <stdlib.h>\nint main(void) { CHECK exit(0); }\n",
        "#include <assert.h>\n#include <stdlib.h>\n#define OK exit(EXIT_SUCCESS)\nint main() { CHECK OK; return 1; }\n",
        "#include <assert.h>\n#include <unistd.h>\nvoid end(int code) { _exit(code); }\nint main() { CHECK end(0); }\n",
        "#include <assert.h>\nvoid exit(int);\nint main() { CHECK return 0; }\n",
    ),
    "cpp": (
        "#include <cassert>\n#include <cstdlib>\nint main() { CHECK std::exit(0); }\n",
        "#include <cassert>\n#include <cstdlib>\nint main() { try { CHECK ::exit(0); } catch (...) { exit(1); } }\n",
        "#include <cassert>\n#include <cstdlib>\nstruct S { void exit(int) {} };\n"
        "int main() { CHECK S s; s.exit(3); if (add(1, 1) == 2) quick_exit(0); else exit(1); }\n",
    ),
    "rust": (
        "fn main() { CHECK std::process::exit(0); }\n",
        "use std::process;\nfn main() { CHECK process::exit(if add(1, 1) == 2 { 0 } else { 1 }) }\n",
        "use std::process::exit;\nfn main() { CHECK exit(0) }\n",
    ),
    "csharp": (
        "public static void Main(string[] args) { CHECK Environment.Exit(0); }\n}\n",
        "static int Main() { try { CHECK Environment.Exit(0); } catch { System.Environment.Exit(1); } return 1; }\n}\n",
        "static void Main() { CHECK Environment.ExitCode = Add(1, 1) == 2 ? 0 : 1; }\n}\n",
    ),
}  # fmt: skip


def needs(language):
    if absent(language):
        pytest.skip(absent(language))


@pytest.fixture(scope="module")
def every():
    verifier = MultiLanguageVerifier(max_workers=1, cpu_s=1.0, memory_mb=256)
    yield verifier
    verifier.cleanup()


def judged(every, language, code, tests, kind="append_main"):
    needs(language)
    task = Prompt("p", "p", language, tests=tests.replace("CHECK", CHECK[language]), tests_kind=kind)
    return every.verify(code, task, as_it_stands=True)


@pytest.mark.parametrize(("language", "tests"), [(name, tests) for name, all_ in EXITS.items() for tests in all_])
def test_tests_may_end_the_program_themselves(every, language, tests):
    right = judged(every, language, ADD[language], tests)
    assert (right.status, right.passed, right.trust) == ("passed", 1, "in_process"), f"{right.details} {right.error}"
    wrong = ADD[language].replace("a + b", "a - b")
    assert judged(every, language, wrong, tests).status == "tests_failed"
    bad_end = (
        tests.replace("(0)", "(7)").replace("SUCCESS", "FAILURE").replace("? 0 :", "? 9 :").replace("{ 0 }", "{ 2 }")
    )
    if bad_end != tests:
        assert judged(every, language, ADD[language], bad_end).status == "tests_failed"


def test_a_rust_test_that_exits_is_one_test(every):
    tests = "#[cfg(test)]\nmod tests {\n    use super::*;\n"
    tests += "    #[test]\n    fn a() { assert_eq!(add(2, 3), 5); std::process::exit(0) }\n"
    tests += "    #[test]\n    fn b() { assert_eq!(add(2, 2), 4); }\n}\n"
    assert judged(every, "rust", ADD["rust"], tests, "append_cfg_test").passed == 2
    wrong = ADD["rust"].replace("a + b", "if a < b { a + b } else { 0 }")
    result = judged(every, "rust", wrong, tests, "append_cfg_test")
    assert (result.status, result.passed) == ("tests_failed", 1)


def ends(suffix):
    """(kind, the forgeries' tests with an exit where they come to their end)."""
    _, kind, tests = attacks.ADD[suffix]
    old, new = {
        ".cs": ("\n    }", "\n        Environment.Exit(0);\n    }"),
        ".rs": (";\n    }", ";\n        std::process::exit(0)\n    }"),
    }.get(suffix, ("return 0;", "exit(0);"))
    assert old in tests
    return kind, tests.replace(old, new)


@pytest.mark.parametrize(
    "name", [name for name in attacks.ATTACKS if name.startswith(attacks.FORGED) and not name.endswith(".go")]
)
def test_no_forgery_passes_where_the_tests_end_the_program(every, name):
    path = attacks.FOLDER / name
    language = attacks.ADD[path.suffix][0]
    kind, tests = ends(path.suffix)
    assert judged(every, language, path.read_text(), tests, kind).status in attacks.expected(name)
