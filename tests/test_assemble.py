"""Answers and tests put together: what real answers become, and that known-good code comes out of raw completions."""

from __future__ import annotations

import ast
import json
import os
import random
import re
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from haloforge.records import Prompt
from haloforge.source.assemble import assemble
from haloforge.source.lexing import masked, python_tree
from haloforge.tasks.prompts import parse_task


def put(language, kind, text, tests, prompt="", **fields):
    return assemble(text, Prompt("a", prompt, language, tests=tests, tests_kind=kind, **fields))


def dedent(text):
    return textwrap.dedent(text).lstrip("\n")


# ---- C and C++ -----------------------------------------------------------------------------------------------------

CPP_PROMPT = "#include <vector>\n#include<assert.h>\nusing namespace std;\n// Add them.\nint add(int a, int b) {\n"
CPP_TESTS = "int main() {\n    assert(add(1, 2) == 3);\n}\n"
CPP_OWN = '// It adds.\nint add(int a, int b) {\n    return a + b; // } "\n}\n'


def test_a_cpp_answer_loses_its_main_and_gets_the_prompts_includes():
    text = (
        f'```C++\n#include <vector>\n{CPP_OWN}\nint main() {{\n    puts("}}");\n    return 0;\n}}\n\n'
        f"int after() {{ return 2; }}\n```"
    )
    program = put("cpp", "append_main", text, CPP_TESTS, CPP_PROMPT)
    assert "puts" not in program.code
    assert "int after()" in program.code
    assert re.sub(r"\s+", " ", program.code).startswith("#include <assert.h> using namespace std; #include <vector>")
    assert program.tests == "#undef NDEBUG\n#include <assert.h>\n" + CPP_TESTS
    assert program.files == {"main.cpp": program.code.rstrip("\n") + "\n\n" + program.tests}
    assert (program.main, program.checks, program.language) == ("main.cpp", ("main",), "cpp")


@pytest.mark.parametrize(
    "body",
    [
        "    return a + b;\n}\n",
        "    return a + b;",
        "```cpp\n    return a + b;\n}\n```",
        "    if (a) {\n        return a + b;\n    }\n    return b;\n",
        "    return a + b;\n}\n\nint main() {\n    return add(1, 2);\n}\n",
    ],
)
def test_a_cpp_body_continues_the_prompt(body):
    program = put("cpp", "append_main", body, CPP_TESTS, CPP_PROMPT)
    assert program.code.startswith(CPP_PROMPT)
    assert "main" not in program.code
    mask = masked(program.code, "cpp")
    assert mask.count("{") == mask.count("}")


def test_a_body_is_not_taken_for_prose_nor_prose_for_a_body():
    prompt = "fn add(a: i32, b: i32) -> i32 {\n"
    for body in ("    a + b", "    let c = a;\n    c + b\n", "\n    a + b\n}\n"):
        code = put("rust", "append_main", body, "fn main() {}\n", prompt).code
        assert code == prompt + body.rstrip("\n").removesuffix("\n}") + "\n}\n"
    text = "    a + b\n}\n\nThis adds the two. It doesn't overflow {much}.\n"
    assert put("rust", "append_main", text, "fn main() {}\n", prompt).code.strip() == prompt + "    a + b\n}"
    helper = "    twice(a) + b\n}\n\nfn twice(x: i32) -> i32 {\n    x * 2\n}\n"
    assert put("rust", "append_main", helper, "fn main() {}\n", prompt).code.split() == (prompt + helper).split()


def test_what_is_no_main_of_the_answer_stays():
    kept = (
        "struct S {\n    int main() { return 1; }\n};\n#define CALL main()\n"
        'int domain(int x) { return x; }\nconst char *s = R"(int main() {)";\n'
        "auto f = [](int x) { return 1'000; };\n"
    )
    text = f"{CPP_OWN}{kept}int main(int argc, char **argv)\n{{\n    if (argc) {{ return 1; }}\n}}\n"
    code = put("cpp", "append_main", text, CPP_TESTS).code
    assert code.strip() == (CPP_OWN + kept).strip()
    alone = put("cpp", "compile_only", text, "").code
    assert alone == text  # without tests the main is the program's own


def test_helpers_of_the_prompt_are_there_for_whole_answers():
    prompt = (
        "#include <cmath>\ntypedef long long ll;\nstruct P { int x; };\ndouble poly(double x) {\n"
        "    return x * 2;\n}\n\ndouble find_zero(double x) {\n"
    )
    code = put("cpp", "append_main", "double find_zero(double x) { return poly(x); }", "int main() {}\n", prompt).code
    assert [word for word in ("<cmath>", "typedef long long ll;", "struct P", "double poly(") if word not in code] == []
    own = (
        "#include <cmath>\ntypedef long long ll;\nstruct P { int x; };\n"
        "double poly(double x) { return 2 * x; }\ndouble find_zero(double x) { return poly(x); }\n"
    )
    assert put("cpp", "append_main", own, "int main() {}\n", prompt).code == own


# ---- Rust ---------------------------------------------------------------------------------------------------------

RUST_TESTS = (
    "#[cfg(test)]\nmod tests {\n    use super::*;\n    #[test]\n"
    "    fn adds() { assert_eq!(add(1, 2), 3); }\n    #[test]\n    #[should_panic]\n"
    "    fn panics() { add(0, 0); }\n    fn helper() {}\n}\n"
)


def test_a_rust_answer_loses_its_main_and_tests():
    text = dedent(
        """
        Here it is:
        ```rust
        use std::collections::HashMap;

        /// Adds. fn main() {}
        fn add<'a>(a: i32, b: i32) -> i32 where i32: Copy {
            let c: char = '{'; let s = r#"fn main() { "#;
            a + b
        }

        fn main() {
            println!("{}", add(1, 2));
        }

        #[cfg(test)]
        mod tests {
            use super::*;
            #[test]
            fn mine() { assert!(true); }
        }

        fn later() -> [u8; 2] { [1, 2] }
        ```
        """
    )
    program = put("rust", "append_cfg_test", text, RUST_TESTS)
    assert "mine" not in program.code
    assert "println" not in program.code
    assert 'r#"fn main() { "#' in program.code
    assert "fn later() -> [u8; 2] { [1, 2] }" in program.code
    assert program.checks == ("tests::adds", "tests::panics")
    assert list(program.files) == ["main.rs"]


def test_rust_gets_of_the_prompts_uses_what_it_needs_once():
    prompt = (
        "fn main(){}\n\nuse std::{slice::Iter, cmp::{max, self}, collections::{HashSet, HashMap}};\n"
        "use rand::Rng;\nuse regex::Regex;\n\nfn add(a: i32, b: i32) -> i32{\n"
    )
    whole = (
        "use std::collections::HashMap;\n"
        "fn add(a: i32, b: i32) -> i32 { let _m: HashMap<i32, i32>; let _s: HashSet<i32>; max(a, b) }\n"
    )
    code = put("rust", "append_cfg_test", whole, RUST_TESTS, prompt).code
    assert code == "use std::cmp::max;\nuse std::collections::HashSet;\n" + whole
    body = put("rust", "append_cfg_test", "    max(a, b)\n}\n", RUST_TESTS, prompt).code
    assert "rand" not in body
    assert "regex" not in body
    assert "fn main" not in body
    assert body.rstrip().endswith("fn add(a: i32, b: i32) -> i32{\n    max(a, b)\n}")


# ---- Go -----------------------------------------------------------------------------------------------------------

GO_TESTS = 'func TestAdd(t *testing.T) {\n\tif fmt.Sprint(add(1, 2)) != "3" {\n\t\tt.Errorf("no")\n\t}\n}\n'
GO_PROMPT = 'package add_test\n\nimport (\n    "testing"\n    "fmt"\n)\n\n// Adds.\nfunc add(a int, b int) int {\n'
GO_ANSWER = dedent(
    """
    ```go
    package add_test

    import (
    \t"fmt"
    \t"os"
    \tstr "strings"
    \t"testing"
    )

    // Adds; `}`.
    func add(a int, b int) int {
    \t_ = str.ToUpper(`{`)
    \treturn a + b
    }

    func TestMain(m *testing.M) { os.Exit(0) }

    func TestAdd(t *testing.T) {
    \tt.Log("mine")
    }

    func ExampleAdd() {
    \tfmt.Println(add(1, 2))
    }

    func Testify(x int) int { return x }

    func main() {
    \tos.Exit(1)
    }
    ```
    """
)


def imports(code):
    found = re.search(r"import \((.*?)\)", code, re.S)
    return found[1].split() if found else []


def test_a_go_answer_loses_its_tests_and_its_imports_follow():
    program = put("go", "append_go_test", GO_ANSWER, GO_TESTS, GO_PROMPT)
    for gone in ("TestMain", "mine", "ExampleAdd", "func main", '"os"'):
        assert gone not in program.code
    assert "func Testify(x int) int" in program.code
    assert imports(program.code) == ['"fmt"', "str", '"strings"', '"testing"']
    assert program.files == {"sol_test.go": program.code.rstrip("\n") + "\n\n" + GO_TESTS}
    assert program.code.startswith("package add_test\n")
    assert program.checks == ("TestAdd",)


def test_go_tests_bring_the_imports_that_they_need():
    program = put(
        "go", "append_go_test", "```go\nfunc add(a, b int) int {\n\treturn a + b\n}\n```", GO_TESTS, "Add two."
    )
    assert imports(program.code) == ['"fmt"', '"testing"']
    assert program.code.startswith("package main\n")
    own = GO_TESTS.replace("if fmt", "var reflect helper\n\treflect.Do()\n\tif fmt")
    assert '"reflect"' not in put("go", "append_go_test", GO_ANSWER, own, GO_PROMPT).code


def test_a_go_body_continues_the_prompt_with_the_imports_that_are_left():
    program = put("go", "append_go_test", "\treturn a + b\n}\n", GO_TESTS, GO_PROMPT)
    assert program.code.rstrip().endswith("func add(a int, b int) int {\n\treturn a + b\n}")
    assert imports(program.code) == ['"fmt"', '"testing"']


def test_a_go_file_beside_its_test_file_takes_its_package_and_keeps_its_own_mistakes():
    tests = 'package main\n\nimport "testing"\n\n' + GO_TESTS.replace('fmt.Sprint(add(1, 2)) != "3"', "add(1, 2) != 3")
    prompt = 'import (\n    "math"\n)\n\nfunc add(a int, b int) int {\n'
    program = put("go", "go_test", "    return a + b\n}", tests, prompt)
    assert program.files == {
        "sol.go": "package main\n\nfunc add(a int, b int) int {\n    return a + b\n}\n", "sol_test.go": tests,
    }  # fmt: skip
    assert program.main == "sol.go"
    theirs = put(
        "go",
        "go_test",
        'package sum\n\nimport "os"\n\nfunc add(a int, b int) int {\n\treturn a + b\n}\n',
        tests,
        prompt,
    )
    assert theirs.files["sol.go"].startswith('package main\n\nimport (\n\t"os"\n)\n')  # unused: the answer's mistake
    external = put("go", "go_test", "package x\n\nfunc Add() {}\n", tests.replace("package main", "package sum_test"))
    assert external.files["sol.go"].startswith("package sum\n")


# ---- C# -----------------------------------------------------------------------------------------------------------

CS_PROMPT = (
    "using System;\nusing System.Linq;\nclass Problem {\n    // Adds.\n    public static int Add(int a, int b) {\n"
)
CS_TESTS = (
    "    public static void Main(string[] args) {\n    if (Add(1, 2) != 3) throw new System.Exception();\n    }\n\n}\n"
)


def balanced(program):
    mask = masked(program.files["main.cs"], "csharp")
    return mask.count("{") == mask.count("}")


def test_a_csharp_class_that_the_tests_close_is_left_open():
    text = dedent(
        """
        ```csharp
        using System;
        using static System.Math;

        class Problem {
            // Adds.
            public static int Add(int a, int b) {
                string s = $"{a}}}" + @"{""x" + '{';
                return a + Helper.Zero + b;
            }

            public static void Main(string[] args) {
                Console.WriteLine(Add(1, 2));
            }
        }

        static class Helper {
            public const int Zero = 0;
            static void Main() => Console.WriteLine();
        }
        ```
        """
    )
    program = put("csharp", "append_main", text, CS_TESTS, CS_PROMPT)
    assert balanced(program)
    assert program.files["main.cs"].count("Main(") == 1
    assert program.code.splitlines()[:3] == ["using System.Linq;", "using System;", "using static System.Math;"]
    assert program.code.index("static class Helper") < program.code.index("class Problem")
    assert program.code.rstrip().endswith("return a + Helper.Zero + b;\n    }")


@pytest.mark.parametrize(
    "text",
    [
        "        return a + b;\n    }\n",
        "        return a + b;\n",
        "        return a + b;\n    }\n\n    static int Twice(int x) { return 2 * x; }\n}\n",
        "    public static int Add(int a, int b) {\n        return a + b;\n    }\n",
        "    public static int Add(int a, int b) => a + b;\n",
        "namespace N {\n    using System.IO;\n    "
        "class Problem {\n        public static int Add(int a, int b) { return a + b; }\n    }\n}\n",
        "namespace N;\nclass Problem { public static int Add(int a, int b) { return a + b; } }\n",
        "class Sum {\n    public static int Add(int a, int b) { return a + b; }\n}\n"
        "class Program { static void Main() { } }\n",
    ],
)
def test_csharp_in_all_the_ways_in_which_it_comes(text):
    program = put("csharp", "append_main", text, CS_TESTS, CS_PROMPT)
    assert balanced(program), program.files["main.cs"]
    code = program.files["main.cs"]
    assert code.count("Main(") == 1
    assert re.search(r"int Add\(int a, int b\)", code)
    assert code.rindex("using ") < code.index("class "), code


def test_a_csharp_prompt_with_a_namespace_and_a_library_that_is_not_there():
    prompt = (
        "using System;\nusing Foreign.Tools;\n\nnamespace S\n{\n    public class P\n    {\n"
        "        public static int F(int x)\n        {\n"
    )
    for text in (
        "            return x + 1;\n        }\n",
        "            return x + 1;\n        }\n    }\n}\n",
        prompt + "            return x + 1;\n        }\n    }\n}\n",
        "```cs\nusing System;\nusing Foreign.Tools;\nclass P { public static int F(int x) { return x + 1; } }\n```",
    ):
        program = put("csharp", "compile_only", text, "", prompt)
        assert balanced(program), program.code
        assert "Foreign" not in program.code
        assert program.code.startswith("using System;\n")


# ---- Python -------------------------------------------------------------------------------------------------------

PY_PROMPT = (
    "import math\nfrom typing import List\n\n\ndef area(r: float) -> List[float]:\n"
    '    """ The area.\n    >>> area(0)\n    [0.0]\n    """\n'
)
PY_TESTS = "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate(0) == [0.0]\n"


def run(program):
    """The names after running the program; trusted text of this file only."""
    names = {"__name__": "__main__"}
    exec(compile(program.files["main.py"], "main.py", "exec"), names)
    return names


@pytest.mark.parametrize(
    "text",
    [
        "    return [math.pi * r ** 2]\n",
        "    return [math.pi * r ** 2]",
        "return [math.pi * r ** 2]\n",
        "x = r ** 2\nreturn [math.pi * x]\n",
        "x = r ** 2\n    return [math.pi * x]\n",
        "```python\n    return [math.pi * r ** 2]\n```",
        "```python\ndef area(r: float) -> List[float]:\n    return [math.pi * r ** 2]\n```",
        "Sure!\n```py\ndef area(r):\n    area = [math.pi * r ** 2]\n    return area\n```\nThat is it.",
        "    area = [math.pi * r ** 2]\n    return area\n",
        "    return [math.pi * r ** 2]\n\n\nif __name__ == '__main__':\n    import doctest\n    raise SystemExit(0)\n",
        "def area(r):\n    return [math.pi * r ** 2]\n\nif '__main__' == __name__:\n    raise SystemExit(0)\n",
        "<think>\ndef area(r): pass\n</think>\n    return [math.pi * r ** 2]\n",
        "from __future__ import annotations\n\ndef area(r: float) -> List[float]:\n    return [math.pi * r ** 2]\n",
        "    def area(r):\n        return [math.pi * r ** 2]\n",
        "\n\n    # the formula\n    return [math.pi * r ** 2]\n",
    ],
)
def test_python_in_all_the_ways_in_which_it_comes(text):
    program = put("python", "python", text, PY_TESTS, PY_PROMPT, entry_point="area")
    run(program)
    assert program.checks == ("line 7",)
    assert program.tests.endswith("check(area)\n")
    broken = put("python", "python", text.replace("** 2]", "** 2 + 1]").replace("x]", "x + 1]"), PY_TESTS, PY_PROMPT)
    with pytest.raises(AssertionError):
        run(broken)


def test_python_tests_that_are_called_already_are_not_called_again():
    called = put(
        "python", "python", "    return [0.0]\n", PY_TESTS + "\n\ncheck(area)\n", PY_PROMPT, entry_point="area"
    )
    assert called.tests.count("check(area)") == 1
    mbpp = put("python", "python", "def area(r):\n    return 1\n", "def test_solution():\n    assert area(0) == 0\n")
    assert mbpp.tests.endswith("test_solution()\n")
    with pytest.raises(AssertionError):
        run(mbpp)


def test_a_python_answer_that_does_not_parse_stays_as_it_came():
    program = put("python", "python", "    return (1\n", PY_TESTS, PY_PROMPT, entry_point="area")
    assert program.code == PY_PROMPT + "    return (1\n"
    whole = put(
        "python", "python", "```python\ndef area(r:\n    return 1\n```", PY_TESTS, PY_PROMPT, entry_point="area"
    )
    assert whole.code == "def area(r:\n    return 1\n"
    for nothing in ("", "\n\n", "I cannot do that, sorry.", "<think>hm"):
        empty = put("python", "python", nothing, PY_TESTS, PY_PROMPT, entry_point="area")
        assert (empty.code, empty.files) == ("", {})


def test_helpers_that_the_prompt_defines_are_there_for_a_whole_answer():
    prompt = "def half(x):\n    return x / 2\n\n\ndef quarter(x):\n    '''A quarter.'''\n"
    program = put("python", "python", "def quarter(x):\n    return half(half(x))\n", "assert quarter(4) == 1\n", prompt)
    run(program)
    own = "def half(x):\n    return x // 2\n\n\ndef quarter(x):\n    return half(half(x))\n"
    assert put("python", "python", own, "assert quarter(4) == 1\n", prompt).code == own


def test_a_prompt_that_imports_inside_of_the_function():
    prompt = 'def up(x):\n    import math\n    """Rounds up."""\n'
    for text in ("    return math.ceil(x)\n", "```python\ndef up(x):\n    return math.ceil(x)\n```"):
        run(put("python", "python", text, "assert up(1.5) == 2\n", prompt))


HOSTILE = (
    "{",
    "(",
    "\n",
    "use {",
    '$"{',
    "/*",
    "func f(",
    "for a in b ",
    "auto a, ",
    "def f(\n",
    "<think>",
    "#",
    "lambda ",
)


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("language", ["cpp", "rust", "go", "csharp", "python", None])
def test_no_answer_makes_putting_together_long(language, piece):
    prompt = {"cpp": CPP_PROMPT, "go": GO_PROMPT, "csharp": CS_PROMPT, "python": PY_PROMPT}.get(
        language or "", "fn f() {\n"
    )
    kind = "python" if language == "python" else "append_main"
    start = time.process_time()
    put(language, kind, piece * (20_000 // len(piece)), "int main() {}\n", prompt)
    assert time.process_time() - start < 5


def test_typing_is_there_for_a_class_solution_as_sites_have_it():
    prompt = "Add all.\n\n```python\nclass Solution:\n    def add(self, xs: List[int]) -> int:\n```"
    answer = "class Solution:\n    def add(self, xs: List[int]) -> int:\n        return sum(xs)\n"
    tests = "assert Solution().add([1, 2]) == 3\n"
    run(put("python", "python", f"```python\n{answer}```", tests, prompt, entry_point="add"))
    run(put("python", "python", "        return sum(xs)\n", tests, prompt, entry_point="add"))


# ---- everything else ----------------------------------------------------------------------------------------------


def test_a_project_and_a_whole_program_are_only_extracted():
    task = Prompt(
        "a", "p", "rust", tests_kind="files", files={"Cargo.toml": "[package]"}, code_path="src/lib.rs", cmd="x"
    )
    program = assemble("```rust\npub fn f() {}\n```", task)
    assert program.files == {"Cargo.toml": "[package]", "src/lib.rs": "pub fn f() {}\n"}
    text = "```rust\npub fn f() {}\n```\nUse it:\n```rust\nfn main() { f(); }\n```\n"
    tested = replace(task, files={"tests/f.rs": "use x::f;\n#[test]\nfn t() { f() }\n"})
    assert assemble(text, tested).code == "pub fn f() {}\n"
    stdio = assemble("```python\nprint(1)\n```", Prompt("a", "p", "any", tests_kind="stdio"))
    assert (stdio.files, stdio.language) == ({"main.py": "print(1)\n"}, "python")


def test_code_that_is_to_be_judged_as_it_stands_is_not_touched():
    code = f"{CPP_OWN}\nint main() {{}}\n"
    task = Prompt("a", CPP_PROMPT, "cpp", tests=CPP_TESTS, tests_kind="append_main")
    assert assemble(code, task, as_it_stands=True).files == {"main.cpp": code.rstrip("\n") + "\n\n" + CPP_TESTS}


def rows(name):
    folder = os.environ.get("HALOFORGE_TEST_DATA")
    if not folder:
        pytest.skip("HALOFORGE_TEST_DATA is not set")
    return [json.loads(line) for line in Path(folder, f"{name}.jsonl").read_text().splitlines()]


def essence(code, language):
    """What of a program matters: its imports as a set, the rest without comments and white space."""
    if language == "python":
        tree = python_tree(code)
        return ast.unparse(tree) if tree else code.strip()
    text = re.sub(r"//[^\n]*", "", code)
    header = {
        "cpp": r"^[ \t]*#[ \t]*include[^\n]*$", "csharp": r"^using [\w.]+;$", "rust": r"(?!)",
        "go": r"^import \((.*?)^\)$|^import \"[^\"]*\"$",
    }[language]  # fmt: skip
    pattern = re.compile(header, re.M | re.S)
    heads = {word for found in pattern.finditer(text) for word in re.sub(r"#\s*include\s*", "", found[0]).split()}
    return heads, re.sub(r"\s+", "", pattern.sub("", text))


def without_go_examples(code):
    """Known-good code keeps the answers' own Example and Benchmark functions; ours drops them."""
    return re.sub(r"^func (?:Example|Benchmark)\w*\(.*?^\}$", "", code, flags=re.M | re.S)


@pytest.mark.parametrize(
    "name", ["multiple_gpt_cpp", "multiple_gpt_rust", "multiple_gpt_go", "multiple_gpt_csharp", "codegen16b_humaneval"]
)
def test_answers_that_are_cut_off_anywhere_are_put_together_without_a_fault(name):
    source = random.Random(5)
    for row in rows(name):
        task = parse_task(row)
        text = row["completion"]
        for _ in range(3):
            start, end = sorted(source.choices(range(len(text) + 1), k=2))
            for cut in (text[:end], text[start:end], text[start:]):
                program = assemble(cut, task)
                assert assemble(cut, task) == program
                assert bool(program.files) == bool(program.code.strip())


@pytest.mark.parametrize(
    ("name", "count"),
    [("multiple_gpt_cpp", 57), ("multiple_gpt_rust", 56), ("multiple_gpt_go", 56), ("multiple_gpt_csharp", 38)],
)
def test_real_completions_become_the_code_that_is_known(name, count):
    different = []
    chosen = rows(name)
    assert len(chosen) == count
    for row in chosen:
        got = assemble(row["completion"], parse_task(row))
        wanted = without_go_examples(row["code"]) if row["language"] == "go" else row["code"]
        if essence(got.code, row["language"]) != essence(wanted, row["language"]):
            different.append(row["id"])
    assert different == []


def test_real_python_bodies_become_the_code_that_is_known():
    chosen = rows("codegen16b_humaneval")
    assert len(chosen) == 354
    different = [
        row["id"]
        for row in chosen
        if essence(assemble(row["completion"], parse_task(row)).code, "python") != essence(row["code"], "python")
    ]
    # Two answers are empty lines: no code. Their rows judge the prompt alone.
    empty = [row["id"] for row in chosen if not row["completion"].strip()]
    assert different == empty
    assert len(empty) == 2


@pytest.mark.parametrize(
    "name",
    [
        "humaneval", "humaneval_mutants", "mbpp_sanitized", "mbpp", "humanevalpack_python", "humanevalpack_cpp",
        "humanevalpack_go", "humanevalpack_rust", "humanevalx_cpp", "humanevalx_go", "humanevalx_rust",
    ],
)  # fmt: skip
def test_whole_programs_of_the_sets_stay_what_they_are_in_a_fence(name):
    different = []
    for row in rows(name):
        text = f"Here is the function:\n\n```{row['language']}\n{row['code']}\n```\n\nIt works because it must."
        got = assemble(text, parse_task(row))
        if essence(got.code, row["language"]) != essence(row["code"], row["language"]) or not got.checks:
            different.append(row["id"])
    assert different == []


@pytest.mark.parametrize("name", ["humanevalx_cpp", "humanevalx_go", "humanevalpack_rust", "multiple_gpt_csharp"])
def test_bodies_cut_from_whole_programs_continue_the_prompt(name):
    different, seen = [], 0
    for row in rows(name):
        signature = row["prompt"].rstrip().rsplit("\n", 1)[-1].strip()
        _, found, body = row["code"].partition(signature)
        if not found or not signature.endswith("{"):
            continue
        task = parse_task(row)
        tail = essence(body, row["language"])[1][-40:]
        for cut in (body, re.sub(r"\}\s*$", "", body)):
            seen += 1
            got = re.sub(r"\s+", "", essence(assemble(cut, task).code, row["language"])[1])
            if signature.replace(" ", "") not in got or not got.endswith(tail):
                different.append(row["id"])
    assert seen > 60
    assert different == []
