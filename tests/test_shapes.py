"""Rows of public sets as their makers publish them, made small; what cannot be checked is refused by name."""

from __future__ import annotations

import base64
import json
import os
import pickle
import zlib

import pytest

from haloforge.errors import BadInput
from haloforge.records import Case, Checker
from haloforge.source.assemble import assemble
from haloforge.tasks import shapes
from haloforge.tasks.prompts import parse_task, prompt_row, read_prompts


def run(program):
    names: dict[str, object] = {}
    exec(compile(program.files["main.py"], "main.py", "exec"), names)


def test_apps_with_stdin():
    row = {
        "problem_id": 12, "question": "Add.", "solutions": "[]", "starter_code": "", "difficulty": "interview",
        "input_output": json.dumps({"inputs": ["1 2\n", ["3", "4"]], "outputs": ["3\n", ["7"]]}),
    }  # fmt: skip
    task = parse_task(row)
    assert (task.id, task.text, task.tests_kind) == ("12", "Add.", "stdio")
    assert task.cases == (Case("1 2\n", "3\n"), Case("3\n4", "7"))
    assert task.metadata["difficulty"] == "interview"
    assert parse_task(prompt_row(task)) == task


def test_apps_and_taco_with_a_function_become_calls():
    data = {"fn_name": "pairs", "inputs": [[[1, 2]], [["a"]], [[]]], "outputs": [[[[1, 2]]], [["a"]], [None]]}
    row = {"id": 3, "question": "Pair.", "starter_code": "def pairs(xs):\n", "input_output": json.dumps(data)}
    task = parse_task(row)
    assert (task.tests_kind, task.entry_point, task.language) == ("python", "pairs", "python")
    assert "```python\ndef pairs(xs):\n```" in task.text
    good = "def pairs(xs):\n    return [tuple(xs)] if len(xs) == 2 else xs or None\n"
    run(assemble(f"```python\n{good}```", task))
    for bad in (good.replace("or None", "or 1"), good.replace("tuple(xs)", "xs[0]")):
        with pytest.raises(AssertionError):
            run(assemble(f"```python\n{bad}```", task))
    method = {**row, "starter_code": "class Solution:\n    def pairs(self, xs: List[int]):\n"}
    answer = (
        "class Solution:\n    def pairs(self, xs: List[int]):\n"
        "        return [tuple(xs)] if len(xs) == 2 else xs or None\n"
    )
    run(assemble(answer, parse_task(method)))


def private(cases, dump=lambda text: pickle.dumps(text)):
    return base64.b64encode(zlib.compress(dump(json.dumps(cases)))).decode()


def live(**fields):
    return {
        "question_title": "t", "question_content": "Double it.", "platform": "atcoder", "question_id": "abc",
        "starter_code": "", "metadata": "{}",
        "public_test_cases": json.dumps([{"input": "1\n", "output": "2\n", "testtype": "stdin"}]), **fields,
    }  # fmt: skip


@pytest.mark.parametrize("protocol", range(6))
def test_live_code_bench_with_its_packed_tests(protocol):
    cases = [{"input": "2\n", "output": "4\n", "testtype": "stdin"}] * 3
    packed = private(cases, lambda text: pickle.dumps(text, protocol))
    task = parse_task(live(private_test_cases=packed))
    assert task.cases == (Case("1\n", "2\n"), *[Case("2\n", "4\n")] * 3)
    assert (task.id, task.text) == ("abc", "Double it.")
    assert parse_task(live(private_test_cases=json.dumps(cases))).cases == task.cases
    assert not {"private_test_cases", "public_test_cases"} & set(task.metadata)


def test_live_code_bench_with_a_function():
    functional = [{"input": "[1, 2]\n3", "output": "[4, 5]", "testtype": "functional"}]
    row = live(
        public_test_cases=json.dumps(functional), private_test_cases="[]", metadata='{"func_name": "shift"}',
        starter_code="class Solution:\n    def shift(self, xs: List[int], n: int) -> List[int]:\n        ",
    )  # fmt: skip
    task = parse_task(row)
    body = (
        "class Solution:\n    def shift(self, xs: List[int], n: int) -> List[int]:\n"
        "        return [x + n for x in xs]\n"
    )
    run(assemble(f"```python\n{body}```", task))
    with pytest.raises(AssertionError):
        run(assemble(body.replace("x + n", "x"), task))


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/haloforge-was-here",)


def test_packed_tests_are_never_unpickled(monkeypatch):
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("unpickled"))
    evil = base64.b64encode(zlib.compress(pickle.dumps(Evil()))).decode()
    with pytest.raises(BadInput, match=r"private_test_cases holds a pickle with .*only a plain text"):
        parse_task(live(private_test_cases=evil))
    for data, words in (
        (b"no zlib", "neither JSON nor base64 of zlib"),
        (zlib.compress(b"no pickle"), "no pickle of a text|holds a pickle"),
        (zlib.compress(pickle.dumps(["a", "b"])), "holds a pickle with"),
        (zlib.compress(pickle.dumps("x" * 99))[:-6], "cut off"),
        (zlib.compress(pickle.dumps("not json")), "no JSON"),
    ):
        with pytest.raises(BadInput, match=words):
            parse_task(live(private_test_cases=base64.b64encode(data).decode()))


def test_what_unpacks_to_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(shapes, "UNPACKED_BYTES", 1 << 20)
    bomb = base64.b64encode(zlib.compress(pickle.dumps(" " * (2 << 20)))).decode()
    with pytest.raises(BadInput, match="unpacks to more than"):
        parse_task(live(private_test_cases=bomb))


CODEFORCES = {
    "id": "1/A", "title": "Sum", "description": "Add two.", "input_format": "Two numbers.", "output_format": "One.",
    "interaction_format": None, "note": None, "input_mode": "stdio", "time_limit": 2.0, "memory_limit": 256.0,
    "examples": [{"input": "1 2", "output": "3"}], "official_tests": [{"input": "1 2\n", "output": "3\n"}],
    "generated_checker": None,
}  # fmt: skip


def test_codeforces_as_open_r1_has_it():
    task = parse_task(CODEFORCES)
    assert (task.cases, task.time_limit_s, task.memory_mb) == ((Case("1 2\n", "3\n"),), 2.0, 256)
    assert task.text == "Sum\n\nAdd two.\n\nInput\nTwo numbers.\n\nOutput\nOne.\n\nExample\nInput\n1 2\nOutput\n3"
    checked = parse_task({**CODEFORCES, "generated_checker": "print(1)"})
    assert checked.checker == Checker("python", "print(1)", "open-r1")
    assert parse_task(prompt_row(checked)) == checked
    for change, words in (
        ({"input_mode": "file"}, "input_mode is 'file': the problem reads a file"),
        ({"interaction_format": "Print ?"}, "interaction_format is set: an interactive problem"),
        ({"official_tests": [], "examples": None}, "official_tests is empty"),
    ):
        with pytest.raises(BadInput, match=words):
            parse_task({**CODEFORCES, **change})


def test_human_eval():
    row = {
        "task_id": "HumanEval/0", "prompt": "def f(x):\n    '''Doubles.'''\n", "entry_point": "f",
        "canonical_solution": "    return 2 * x\n", "test": "def check(candidate):\n    assert candidate(2) == 4\n",
    }  # fmt: skip
    task = parse_task(row)
    assert (task.id, task.tests_kind, task.language) == ("HumanEval/0", "python", "python")
    run(assemble(row["canonical_solution"], task))
    with pytest.raises(AssertionError):
        run(assemble("    return x\n", task))


@pytest.mark.parametrize("text", ["text", "prompt"])
@pytest.mark.parametrize("setup", [{"test_setup_code": "import math"}, {"test_imports": ["import math"]}])
def test_mbpp(text, setup):
    row = {"task_id": 2, text: "Write f.", "code": "def f(): pass", "test_list": ["assert f(1) == math.pi"], **setup}
    task = parse_task({**row, "challenge_test_list": []})
    assert (task.id, task.text, task.tests) == ("2", "Write f.", "import math\nassert f(1) == math.pi")
    run(assemble("```python\ndef f(x):\n    return 3.141592653589793\n```", task))


MULTIPL_E = {
    "cpp": ("int f(int x) {\n", "}\nint main() {\n    assert(f(1) == 2);\n}\n", "    return x + 1;", "append_main"),
    "rs": ("fn f(x: i32) -> i32 {\n", "}\n\nfn main() {\n    assert_eq!(f(1), 2);\n}\n", "    x + 1", "append_main"),
    "cs": (
        "using System;\nclass Problem {\n    public static int F(int x) {\n",
        "    }\n    public static void Main(string[] args) {\n    Debug.Assert(F(1) == (2));\n    }\n\n}\n",
        "        return x + 1;",
        "append_main",
    ),
    "go_test.go": (
        'package f_test\n\nimport (\n    "testing"\n    "fmt"\n)\n\nfunc f(x int) int {\n',
        "func TestF(t *testing.T) {\n  if fmt.Sprint(f(1)) != \"2\" { t.Error(1) }\n}\n",
        "    return x + 1\n}",
        "append_go_test",
    ),
    "py": ("def f(x):\n    '''Adds one.'''\n", "def check(candidate):\n    assert candidate(1) == 2\n\ncheck(f)\n",
           "    return x + 1", "python"),
}  # fmt: skip


@pytest.mark.parametrize("language", MULTIPL_E)
def test_multipl_e(language):
    prompt, tests, body, kind = MULTIPL_E[language]
    row = {"name": "HumanEval_0_f", "language": language, "prompt": prompt, "tests": tests, "stop_tokens": ["\n}"]}
    task = parse_task(row)
    assert (task.id, task.tests_kind) == ("HumanEval_0_f", kind)
    assert parse_task(prompt_row(task)) == task
    program = assemble(body, task)
    whole = next(iter(program.files.values()))
    assert whole.count("{") == whole.count("}")
    assert body in program.code
    assert "Debug.Assert" not in whole  # which checks nothing in a build without DEBUG


X = {
    "CPP": ("cpp", "append_main", "#undef NDEBUG\n#include<assert.h>\nint main(){\n  assert(f(1)==2);\n}\n"),
    "Rust": ("rust", "append_cfg_test", "#[cfg(test)]\nmod tests {\n  #[test]\n  fn t() { assert!(true); }\n}\n"),
    "Python": ("python", "python", "def check(f):\n    assert f(1) == 2\n\ncheck(f)\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", X)
def test_human_eval_x(name):
    language, kind, test = X[name]
    row = {
        "task_id": f"{name}/0",
        "prompt": "f",
        "declaration": "f",
        "canonical_solution": "",
        "test": test,
        "example_test": "",
    }
    task = parse_task(row)
    assert (task.language, task.tests_kind, task.tests.strip()) == (language, kind, test.strip())


def test_human_eval_x_in_go_needs_nothing_but_go():
    row = {
        "task_id": "Go/0", "prompt": "func Add(a, b int) int {\n", "declaration": "", "canonical_solution": "",
        "test_setup": 'package main\n\nimport (\n    "testing"\n    "github.com/stretchr/testify/assert"\n)\n',
        "test": "func TestAdd(t *testing.T) {\n    assert := assert.New(t)\n    assert.Equal(3, Add(1, 2))\n}\n",
    }  # fmt: skip
    task = parse_task(row)
    assert task.tests.startswith('package main\n\nimport (\n\t"reflect"\n\t"testing"\n)\n')
    assert "github.com" not in task.tests
    assert assemble("    return a + b\n}", task).checks == ("TestAdd",)
    with pytest.raises(BadInput, match=r"the tests import github.com/x/y; only Go's standard"):
        parse_task({**row, "test_setup": 'package main\n\nimport "github.com/x/y"\n'})
    with pytest.raises(BadInput, match=r"task_id is 'Java/0'"):
        parse_task({**row, "task_id": "Java/0"})


def test_inputs_and_outputs_in_the_tests_field():
    task = parse_task({"prompt": "p", "tests": {"inputs": ["1"], "outputs": ["2"]}})
    assert task.cases == (Case("1", "2"),)
    with pytest.raises(BadInput, match="1 inputs and 2 outputs"):
        parse_task({"prompt": "p", "tests": {"inputs": ["1"], "outputs": ["2", "3"]}})


def test_a_row_that_only_looks_like_one_of_a_set_is_refused():
    with pytest.raises(BadInput, match=r"looks like one of Codeforces .*KeyError"):
        parse_task({**CODEFORCES, "official_tests": [{"in": "1"}]})


def test_exercism_folders(tmp_path):
    exercise = tmp_path / "exercises" / "practice" / "leap"
    for name, text in {
        ".meta/config.json": '{"files": {"solution": ["src/lib.rs", "Cargo.toml"], "test": ["tests/leap.rs"]}}',
        ".meta/example.rs": "secret", ".docs/instructions.md": "# Leap\n", "src/lib.rs": "pub fn is_leap() {}\n",
        "Cargo.toml": "[package]\n", "tests/leap.rs": "#[test]\nfn a() {}\n",
    }.items():  # fmt: skip
        (exercise / name).parent.mkdir(parents=True, exist_ok=True)
        (exercise / name).write_text(text)
    (prompt,) = read_prompts(tmp_path)
    assert (prompt.id, prompt.tests_kind, prompt.code_path) == ("exercism-rust/leap", "files", "src/lib.rs")
    assert set(prompt.files) == {"Cargo.toml", "tests/leap.rs"}
    assert prompt.cmd == "cargo test --offline -- --include-ignored"
    assert prompt.text.startswith("# Leap")
    assert "pub fn is_leap" in prompt.text
    (exercise / ".meta/config.json").write_text(json.dumps({"files": {"solution": ["a.cob"], "test": []}}))
    with pytest.raises(BadInput, match=r"wants a\.cob; read are exercises in Go, Rust and Python"):
        read_prompts(tmp_path)
    (exercise / ".meta/config.json").write_text("{}")
    with pytest.raises(BadInput, match="no exercise folder"):
        read_prompts(tmp_path)
