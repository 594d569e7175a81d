"""Right answers get their verdict whatever the form of the tests and of the program."""

from __future__ import annotations

import pytest

from haloforge.errors import BadInput
from haloforge.records import Case, Prompt
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


@pytest.mark.parametrize(
    "before",
    [
        "// no_mangle, #[link_section = \"x\"] and asm! of std::arch\n",
        "/* export_name \" /* nested */ no_mangle */\n",
        "const WORDS: [&str; 2] = [\"no_mangle\", r#\"global_asm!(\"\")\"#];\nconst GLOB: &str = \"/* /* \";\n",
        "#![deny(warnings)]\n#![deny(missing_docs, clippy::all)]\n#![forbid(unsafe_code)]\n#![warn(unused)]\n",
    ],
)  # fmt: skip
def test_words_and_lints_of_a_rust_answer_are_its_own_affair(every, before):
    kind, tests = attacks.ADD[".rs"][1:]
    for code in (before + ADD["rust"], before + ADD["rust"].replace("a + b", "a - b")):
        assert judged(every, "rust", code, tests, kind).status == ("passed" if "+" in code else "tests_failed")


@pytest.mark.parametrize(
    "hidden", ['c"/*"', 'cr#"" /* "#', "'\"'", "'\\''", '"/*"', "b'\"'", 'r##"/*"#"##', "1 // \\\n"]
)
def test_no_literal_of_an_answer_hides_an_attribute(every, hidden):
    code = f'const _: () = {{ let _ = {hidden}; }};\n#[no_mangle]\nextern "C" fn first() {{}}\n{ADD["rust"]}// */ " \''
    kind, tests = attacks.ADD[".rs"][1:]
    result = judged(every, "rust", code, tests, kind)
    assert (result.status, "no_mangle" in (result.error or "")) == ("compile_error", True), result.error


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("c", '#include <stdio.h>\nint (main)(void) { puts("7"); return 0; }\n'),
        ("c", '#include <stdio.h>\n#define M main\nint M(void) { puts("7"); return 0; }\n'),
        ("c", '#include <stdio.h>\nint ma\\\nin(void) { puts("7"); return 0; }\n'),
        ("cpp", '#include <cstdio>\nauto main() -> int { puts("7"); }\n'),
        ("cpp", '#include <cstdio>\nauto quote = R"(")"; int main() { puts("7"); }\n'),
        ("go", 'package main; import "fmt"; func main() { fmt.Println(7) }\n'),
        ("go", 'package main; import ("fmt"); var x = 7; func main() { fmt.Println(x) }\n'),
    ],
)
def test_a_main_of_any_form_is_a_main(every, language, code):
    needs(language)
    assert (
        every.verify(code, Prompt("p", "p", language, cases=(Case("", "7\n"),)), as_it_stands=True).status == "passed"
    )


def test_usings_of_tests_may_stand_behind_an_answer_that_is_taken_as_it_stands(every):
    answer = "public class Sums { public static int Add(int a, int b) { return a + b; } }\n"
    tests = "using System;\nusing System.Linq;\nclass Tests { static void Main() {\n"
    tests += "    if (new[] { Sums.Add(2, 3) }.Sum() != 5) throw new Exception(); } }\n"
    for code in (answer, "using System;\n" + answer):
        assert judged(every, "csharp", code, tests).status == "passed"
    assert judged(every, "csharp", answer.replace("+", "-"), tests).status == "tests_failed"


def test_go_tests_follow_the_package_of_an_answer_that_is_taken_as_it_stands(every):
    needs("go")
    _, kind, tests = attacks.ADD[".go"]
    for package in ("sol", "main", "other"):
        for sign, status in (("+", "passed"), ("-", "tests_failed")):
            code = f"package {package}\n\nfunc Add(a, b int) int {{ return a {sign} b }}\n"
            task = Prompt("p", "p", "go", tests=tests, tests_kind=kind)
            assert every.verify(code, task, as_it_stands=True).status == status


def test_a_guess_between_c_and_cpp_that_does_not_compile_is_tried_the_other_way(every):
    c = "int main(void) { int *class = 0; return class == 0 ? 0 : 1; }\n"  # no header says that it is C
    cpp = "#include <stdio.h>\nbool odd(int &n) { return n % 2; }\nint main() { int n = 3; return !odd(n); }\n"
    for code, language in ((c, "c"), (cpp, "cpp")):
        result = every.verify(code)
        assert (result.status, result.metadata["language"]) == ("compiled", language), result.error
        assert every.verify(code, Prompt("p", "p", {"c": "cpp", "cpp": "c"}[language])).status == "compile_error"
    neither = every.verify("int main(void) { return x; }\n")
    assert (neither.status, "which was a guess" in neither.details) == ("compile_error", True)


@pytest.mark.parametrize(
    ("language", "tests"),
    [
        ("c", "static int check(void) { return 0; }\n"),
        ("rust", "use std::process::{exit, id};\nfn main() { id(); exit(0) }\n"),
        ("go", "func main() { os.Exit(run()) }\n"),
    ],
)
def test_tests_that_no_driver_can_call_are_refused_before_a_run(every, language, tests):
    needs(language)
    with pytest.raises(BadInput, match=r"prompt 'p', which has tests that are not judged here: the tests"):
        every.check([Prompt("p", "p", language, tests=tests, tests_kind="append_main")])
    every.check([Prompt("p", "p", name, tests=all_[0], tests_kind="append_main") for name, all_ in EXITS.items()])


NAMED = {"c": "const char *name(void) { return W; }\n", "cpp": "const char *name() { return W; }\n"}
COMPARED = '#include <assert.h>\n#include <string.h>\nint main(void) { assert(strcmp(name(), "ab") == 0); return 0; }\n'
PROTOTYPES = {
    "c": "#include <stddef.h>\nint strcmp(const char *, const char *);\nextern size_t strlen(const char *s);\n"
    "unsigned long n(void) { return strlen(\"ab\"); }\n",
    "cpp": "#include <cstring>\nextern \"C\" int strcmp(const char *, const char *) noexcept;\n"
    "int n = strlen(\"ab\");\n",
}  # fmt: skip


@pytest.mark.parametrize("language", ["c", "cpp"])
def test_an_answer_may_say_that_the_librarys_functions_are_there(every, language):
    for word, status in (('"ab"', "passed"), ('"zz"', "tests_failed")):
        code = PROTOTYPES[language] + NAMED[language].replace("W", word)
        result = judged(every, language, code, COMPARED)
        assert result.status == status, result.error


TWO = "(const char *a, const char *b)"
REPLACED = {
    "static": f"static int strcmp{TWO} {{ return 0; }}\n",
    "pasted": f"#define P(x) x##cmp\nint P(str){TWO} {{ return 0; }}\n",
    "in parentheses": f"int (strcmp){TWO} {{ return 0; }}\n",
    "behind a condition": f"#if 0\nvoid f() {{\n#endif\nint strcmp{TWO} {{ return 0; }}\n#if 0\n}}\n#endif\n",
    "an alias": f'int mine{TWO} {{ return 0; }}\nint strcmp{TWO} __attribute__((alias("mine")));\n',
    "a weak alias": f"#pragma weak strcmp = mine\nint mine{TWO} {{ return 0; }}\n",
    "a renamed one": f"#pragma redefine_extname mine strcmp\nint mine{TWO};\nint mine{TWO} {{ return 0; }}\n",
    "a label": f'int mine{TWO} __asm__("str" "cmp");\nint mine{TWO} {{ return 0; }}\n',
    "assembly": '__asm__(".globl strcmp\\nstrcmp: xorl %eax, %eax\\nret");\n',
    "an overload": "#define S strcmp(char *a, const char *b) { return 0; }\nstatic inline int S\n",
    "a template": "#define S strcmp(T a, const char *b) { return 0; }\ntemplate <class T> int S\n",
    "a namespace": f"#define S strcmp{TWO} {{ return 0; }}\nnamespace n {{ static int S }} using namespace n;\n",
}  # fmt: skip


@pytest.mark.parametrize("how", REPLACED)
@pytest.mark.parametrize("language", ["c", "cpp"])
def test_no_answer_replaces_what_tests_compare_with(every, language, how):
    code = REPLACED[how] + NAMED[language].replace("W", '"zz"')
    assert judged(every, language, code, COMPARED).status in ("compile_error", "tests_failed")
    tests = COMPARED.replace("name()", "(char *)name()")
    assert judged(every, language, code, tests).status in ("compile_error", "tests_failed")


def test_a_function_of_the_library_may_be_the_task(every):
    code = "#include <stddef.h>\nsize_t strlen(const char *s) { size_t n = 0; while (s[n]) n++; return n + M; }\n"
    tests = "#include <assert.h>\n#include <string.h>\n#include <stdio.h>\n"
    tests += 'int main(void) { volatile char s[4] = "abc"; assert(strlen((char *)s) == 3); puts("ok"); return 0; }\n'
    assert judged(every, "c", code.replace("M", "0"), tests).status == "passed"
    assert judged(every, "c", code.replace("M", "1"), tests).status == "tests_failed"
