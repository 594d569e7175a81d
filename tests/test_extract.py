"""Extraction: what is taken out of an answer, and that taking it out twice changes nothing."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from haloforge.source.extract import ALIASES, extract_code, guess_language, known_language

C = '#include <stdio.h>\n\nint main(void) {\n    printf("```\\n");\n    return 0;\n}\n'
CPP = "#include <iostream>\nint main() { std::cout << 1; }\n"


@pytest.mark.parametrize(
    "tag", ["c", "C", "cc", "cpp", "C++", "c++", "cxx", "CPP", "", "c17", "cpp filename=a.cpp", "{.c}"]
)
def test_a_fence_of_any_name_is_taken_off(tag):
    assert extract_code(f"Here it is:\n\n```{tag}\n{C}```\nIt prints ticks.").code == C


def test_the_fence_names_the_language():
    assert extract_code(f"```C++\n{CPP}```").language == "cpp"
    assert extract_code(f"~~~c\n{C}~~~").language == "c"
    assert extract_code(f"```\n{C}```").language is None
    assert {known_language(name) for name in ALIASES} >= {"c", "cpp", "python", "rust", "go", "csharp"}


def test_a_fence_that_is_never_closed_ends_with_the_text():
    assert extract_code(f"Sure!\n```c\n{C}").code == C


def test_thoughts_are_no_code():
    thought = f"<think>\nMaybe\n```c\nint main(void) {{ return 1; }}\n```\nno.\n</think>\n```c\n{C}```"
    assert extract_code(thought).code == C
    assert extract_code(thought.removeprefix("<think>\n")).code == C  # the template opened the thought
    assert extract_code("<think>\nint main(void) { return 1; }\n").code == ""
    assert extract_code(f"<THINK>hm</THINK>\n{C}").code == C


def test_of_several_blocks_the_last_program_is_taken():
    wrong = C.replace("return 0", "return 1")
    assert extract_code(f"```c\n{wrong}```\nWait, better:\n```c\n{C}```").code == C
    assert extract_code(f"```c\n{C}```\nRun it:\n```bash\ngcc a.c && ./a.out\n```\nOutput:\n```\n1 2 3\n```").code == C
    assert extract_code(f"```c\n{C}```\nA helper would be\n```c\nint f(void);\n```").code == C
    assert extract_code(f"```cpp\n{CPP}```\nor in Python\n```python\nprint(1)\n```", "cpp").code == CPP
    assert extract_code(f"```c\n{C}```\n```cpp\n{CPP}```", "c").code == C


def test_a_new_fence_inside_an_open_one_starts_a_new_block():
    assert extract_code(f"```c\nint main(\nSorry, again:\n```c\n{C}```").code == C


def test_raw_code_stays_as_it_is():
    odd = "#define N 10\n#include <stdio.h>\nint\nmain() { return N; }\n\n\n"
    assert extract_code(odd).code == odd
    assert extract_code(C.replace("\n", "\r\n")).code == C


def test_prose_around_raw_code_goes():
    assert (
        extract_code(f"Here is the program you asked for.\n\n{C}\nThis program prints three ticks.").code.strip()
        == C.strip()
    )


@pytest.mark.parametrize(
    "text", ["", "   \n\n", " n!= m:\n   ", "I am sorry, I cannot do that.", "```c\n```", "```\n\n\n```", "<think>"]
)
def test_without_a_line_of_code_there_is_no_code(text):
    assert extract_code(text).code == ""


def test_the_language_is_guessed_from_what_only_one_has():
    assert guess_language(C) == "c"
    assert guess_language(CPP) == "cpp"
    assert guess_language("#include <stdio.h>\nusing namespace std;\nint main() {}") == "cpp"
    assert guess_language("#include <bits/stdc++.h>\nint main() {}") == "cpp"
    assert guess_language("int main() {}") is None


PY = "def add(a, b):\n    return a + b\n"
ANSWERS = {
    "alias in another case": (f"```Python\n{PY}```", "python", PY),
    "py": (f"```py\n{PY}```", "python", PY),
    "python3 with attributes": (f'```python3 title="add.py"\n{PY}```', "python", PY),
    "rs": ("```rs\nfn main() {}\n```", "rust", "fn main() {}\n"),
    "golang": ("```golang\npackage main\n```", "go", "package main\n"),
    "C#": ("```C#\nclass A {}\n```", "csharp", "class A {}\n"),
    "cs": ("```cs\nclass A {}\n```", "csharp", "class A {}\n"),
    "ps1": ("```ps1\nGet-Item .\n```", "powershell", "Get-Item .\n"),
    "unclosed": (f"Sure, here is the code:\n\n```python\n{PY}", "python", PY),
    "a draft in the thoughts": (
        f"<think>\nLet me try\n```python\ndef add(a, b): return a\n```\nno, wrong\n</think>\n\n```python\n{PY}```\n",
        "python",
        PY,
    ),
    "an indented fence in a list": (
        "1. The function:\n\n   ```python\n   def add(a, b):\n       return a + b\n   ```\n2. Done.\n",
        "python",
        PY,
    ),
    "an example session behind it": (f"```python\n{PY}```\nUsage:\n```python\n>>> add(1, 2)\n3\n```", "python", PY),
    "a call behind it": (f"```python\n{PY}```\nExample:\n```python\nprint(add(1, 2))\n```", "python", PY),
    "tests in a block of their own": (
        f"```python\n{PY}```\n```python\nimport unittest\nclass T(unittest.TestCase):\n    pass\n```",
        "python",
        PY,
    ),
    "corrected downwards": (
        f"```python\ndef add(a, b):\n    return a - b\n```\nWait, that subtracts:\n```python\n{PY}```",
        "python",
        PY,
    ),
    "another language behind it": (
        f"```python\n{PY}```\nIn JavaScript:\n```js\nfunction add() {{}}\n```",
        "python",
        PY,
    ),
    "installed first": (f"```bash\npip install numpy\n```\n```python\n{PY}```", "python", PY),
    "its output": (f"```python\n{PY}```\n```\n3\n```", "python", PY),
    "prose around raw code": (f"Here is the solution:\n\n{PY}\nThis adds the two numbers.", "python", PY),
    "windows line ends": (f"```python\r\n{PY}```\r\n".replace("\n", "\r\n").replace("\r\r", "\r"), "python", PY),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_answers_as_models_write_them(case):
    text, language, code = ANSWERS[case]
    found = extract_code(text, None, ("add",) if language == "python" else ())
    assert found.code.strip("\n") == code.strip("\n")
    assert found.language in (language, None)


def test_the_block_that_defines_what_the_tests_call_wins_in_every_language():
    blocks = {
        "cpp": (
            "int helper() { return 1; }\nint add(int a, int b) {\n  return a + b;\n}\n",
            "int main() { add(1, 2); }\n",
        ),
        "rust": ("pub fn add(a: i32, b: i32) -> i32 {\n    a + b\n}\n", "fn main() { add(1, 2); }\n"),
        "go": ("func add(a int, b int) int {\n\treturn a + b\n}\n", "func main() { add(1, 2) }\n"),
        "csharp": ("static int add(int a, int b) {\n    return a + b;\n}\n", "static void Main() { add(1, 2); }\n"),
    }
    for language, (wanted, other) in blocks.items():
        text = f"```{language}\n{wanted}```\nand to try it\n```{language}\n{other}```\n"
        assert extract_code(text, language, ("add",)).code == wanted
        assert extract_code(text, language).code == other  # a whole program is the one with a main


def test_a_session_is_no_program():
    program = "def main():\n    print(int(input()) + 1)\nmain()\n"
    text = f"```python\n{program}```\nFor example:\n```python\n>>> main()\n4\n5\n```\n"
    assert extract_code(text).code == program


def test_helpers_after_main_braces_in_strings_and_define_before_include_stay():
    code = (
        '#define N 3\n#include <stdio.h>\nint twice(int x);\nint main(void) {\n    printf("}%d{\\n", twice(N));\n'
        "    return '}' - '}';\n}\n\nint twice(int x) {\n    return 2 * x;\n}\n"
    )
    for text in (code, f"```c\n{code}```", f"Here you go:\n\n{code}\nIt prints six.", code.replace("\n", "\r\n")):
        assert extract_code(text).code.strip("\n") == code.strip("\n")


PIECES = [
    C, CPP, "```c\n", "```\n", "```", "~~~~cpp\n", "~~~\n", "<think>\n", "</think>\n", "Here you go:\n", "\r\n",
    "    ```cpp\n",     "#define A 1\n", "int x;\n", "}", "\n\n", "This works because it does. Really!\n",
    "``` text\n", "/* a\n comment\n*/\n",
    "def f(x):\n    return x\n", "é\u2028ü\n", "\x00", "unsigned long long\n", "- a list\n", "1. First do this.\n",
]  # fmt: skip


def test_extracting_twice_changes_nothing():
    source = random.Random(7)
    for _ in range(5000):
        text = "".join(source.choices(PIECES, k=source.randint(0, 9)))
        once = extract_code(text)
        assert extract_code(once.code).code == once.code, repr(text)


def test_real_programs_come_out_whole_raw_and_fenced():
    folder = os.environ.get("HALOFORGE_TEST_DATA")
    if not folder:
        pytest.skip("HALOFORGE_TEST_DATA is not set")
    seen = 0
    for name in (
        "codeforces_cpp_r1_compile",
        "stdio_kth_2013_2015",
        "stdio_po_training",
        "humanevalx_cpp",
        "exercism_python",
    ):
        for line in Path(folder, f"{name}.jsonl").read_text().splitlines():
            row = json.loads(line)
            code = row["code"].replace("\r\n", "\n")
            assert extract_code(row["code"]).code == code, row["id"]
            fenced = extract_code(f"The answer follows.\n```{row['language']}\n{code}\n```\nThat is all.")
            assert fenced.code.strip("\n") == code.strip("\n"), row["id"]
            seen += 1
    assert seen > 500
