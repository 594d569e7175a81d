"""Language detection; `python -m tests.test_detect` prints the confusion table over the public sets."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from haloforge.records import Prompt
from haloforge.source.detect import detect, known_language, language_of

COUNTED = ("c", "cpp", "cpp-windows", "python", "rust", "go", "csharp")


def confusion(folder: str) -> Counter[tuple[str, str | None]]:
    """{(language of the row, language found in its code): programs} over every row with code."""
    table: Counter[tuple[str, str | None]] = Counter()
    for file in sorted(Path(folder).glob("*.jsonl")):
        for line in file.read_text().splitlines():
            row = json.loads(line)
            if row.get("code") and row.get("language"):
                table[row["language"], language_of(row["code"])] += 1
    return table


def test_whole_programs_are_found_by_content_alone():
    folder = os.environ.get("HALOFORGE_TEST_DATA")
    if not folder:
        pytest.skip("HALOFORGE_TEST_DATA is not set")
    table = confusion(folder)
    counted = {pair: n for pair, n in table.items() if pair[0] in COUNTED}
    assert sum(counted.values()) > 3900
    right = sum(n for (said, found), n in counted.items() if said == found)
    assert right / sum(counted.values()) >= 0.995
    for language in set(COUNTED) - {"c"}:  # of 15 C programs two are "int main()" and no more
        mine = {found: n for (said, found), n in counted.items() if said == language}
        assert mine[language] / sum(mine.values()) >= 0.99, (language, mine)
    # What is not told falls to C++; what is told wrongly is C++ that is C as well.
    assert {pair for pair in counted if pair[0] != pair[1]} <= {("c", None), ("cpp", "c")}
    for other in ("java", "javascript"):
        assert {found for said, found in table if said == other} == {other}


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("use std::collections::HashMap;\n\nfn count(words: &[&str]) -> HashMap<String, usize> { todo!() }\n", "rust"),
        ("use std::io;\nfn main() {\n    let mut s = String::new();\n    io::stdin();\n}", "rust"),
        ("class Shape { }\nclass Circle : Shape {\n    public double Area() { return 3.14; }\n}\n", "csharp"),
        ("using System;\nclass Dog : Animal, IComparable<Dog>\n{\n    public Dog() : base(1) { }\n}\n", "csharp"),
        ("def add(a, b):\n    return a + b\n", "python"),
        ("n = int(input())\nprint(n * 2)", "python"),
        ("# a comment\nfrom typing import List\n", "python"),
        ("for i in range(3):\n    total += i\n", "python"),
        ("#include <stdio.h>\nint main(void) { printf(\"def f(x):\\n    use std::io;\"); }", "c"),
        ("#include <stdio.h>\n#include <vector>\nint main() {}", "cpp"),
        ("int gcd(int a, int b) { return b ? gcd(b, a % b) : a; }", None),
        ("int main() { std::cout << 1; }", "cpp"),
        ("#include <Windows.h>\nint main() { Sleep(1); }", "cpp-windows"),
        ("#include <stdio.h>\n#include \"winsock2.h\"\nint main(void) { return 0; }", "cpp-windows"),
        ("package main\n\nfunc main() {}\n", "go"),
        ("func Add(a int, b int) int {\n\treturn a + b\n}\n", "go"),
        ("func (s *Stack) Push(x int) { s.items = append(s.items, x) }", "go"),
        ("param(\n    [string]$Path\n)\nGet-ChildItem $Path | Where-Object { $_.Length -gt 1kb }\n", "powershell"),
        ("function Get-Sum {\n    param([int]$a, [int]$b)\n    return $a + $b\n}\n", "powershell"),
        ("$names = @('a', 'b')\nforeach ($n in $names) { Write-Output $n }", "powershell"),
        ("public class Main { public static void main(String[] args) { System.out.println(1); } }", "java"),
        ("const f = (x) => x * 2;\nconsole.log(f(2));", "javascript"),
        ("", None),
        ("hello", None),
    ],
)  # fmt: skip
def test_each_language_by_what_only_it_has(code, language):
    assert language_of(code) == language
    assert language_of(code.replace("\n", "\r\n")) == language


def test_what_people_call_a_language():
    names = {
        "C++": "cpp", "CC": "cpp", "GNU C++17 7.3.0": "cpp", "C++20 (GCC 13-64)": "cpp", "C": "c", "GNU C11": "c",
        "Python": "python", "PyPy 3-64": "python", "python3": "python", "Python 3.11": "python", "rs": "rust",
        "Rust 2021": "rust", "golang": "go", "go_test.go": "go", "Go 1.22": "go", "C#": "csharp", "cs": "csharp",
        "C# 10": "csharp", "Mono C#": "csharp", "ps1": "powershell", "cpp-windows": "cpp-windows", "any": None,
        "": None, None: None, "cobol": None, "gopher": None, "rusty": None, "cython": None,
    }  # fmt: skip
    assert {name: known_language(name) for name in names} == names


def test_the_row_decides_before_the_fence_the_tests_and_the_content():
    python = "def f():\n    return 1\n"
    rust = Prompt("a", "p", tests="#[cfg(test)]\nmod tests {}", tests_kind="append_cfg_test")
    assert detect(python, "go", Prompt("a", "p", "C++")) == "cpp"
    assert detect(python, "go", Prompt("a", "p", "cobol")) == "cobol"
    assert detect(python, "go", rust) == "go"
    assert detect(python, None, rust) == "rust"
    assert detect(python, None, Prompt("a", "p", "any")) == "python"
    mains = {
        "cpp": "int main(){\n  assert(f() == 1);\n}", "rust": "fn main() {\n}", "go": "func main() {}",
        "csharp": "public static void Main(string[] args) {\n}\n}",
    }  # fmt: skip
    for language, tests in mains.items():
        assert detect("", None, Prompt("a", "p", tests=tests, tests_kind="append_main")) == language
    project = Prompt("a", "p", tests_kind="files", code_path="src/lib.rs", cmd="cargo test")
    assert detect("", None, project) == "rust"


if __name__ == "__main__":
    table = confusion(os.environ["HALOFORGE_TEST_DATA"])
    found = sorted({str(pair[1]) for pair in table})
    print("| row says | " + " | ".join(found) + " |\n|---" + "|---" * len(found) + "|")
    for said in sorted({pair[0] for pair in table}):
        print(f"| {said} | " + " | ".join(str(table.get((said, None if f == "None" else f), "")) for f in found) + " |")
