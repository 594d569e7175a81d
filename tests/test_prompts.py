"""Prompt rows: the shapes that are read, the faults that are named, and the way back."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from pathlib import Path

import pytest

from haloforge.errors import BadInput
from haloforge.records import Case, Checker, Prompt
from haloforge.tasks.prompts import parse_task, prompt_row, read_prompts, write_prompts


@pytest.fixture
def read(tmp_path):
    def read(*lines):
        path = tmp_path / "prompts.jsonl"
        path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
        return read_prompts(path)

    return read


@pytest.mark.parametrize("given", ["input", "stdin"])
@pytest.mark.parametrize("wanted", ["output", "expected_output", "expected_stdout"])
@pytest.mark.parametrize("tests", ["tests", "test_cases"])
@pytest.mark.parametrize("text", ["prompt", "text"])
def test_every_documented_name_of_a_field_is_read(read, given, wanted, tests, text):
    (prompt,) = read({text: "add", "id": "a", tests: [{"name": "ignored", given: "1 2", wanted: "3"}]})
    assert prompt == Prompt("a", "add", cases=(Case("1 2", "3"),))


def test_all_fields_arrive_and_others_are_metadata(read):
    row = {
        "task_id": 7, "prompt": "p", "language": "c", "tests": [], "time_limit_s": 2, "memory_mb": 64,
        "cflags": "-O0 -g", "compare": "float_tolerance 1e-7", "validator_flags": "",
        "entry_point": "f", "source": "somewhere",
    }  # fmt: skip
    (prompt,) = read(row)
    assert prompt == Prompt(
        "7", "p", "c", (), "f", 2.0, 64, "float_tolerance 1e-7", "", "-O0 -g", metadata={"source": "somewhere"}
    )


def test_rows_written_are_the_prompts_read(read, tmp_path):
    prompts = read(
        {"prompt": "a\nb", "tests": [{"input": "é", "output": "\u2028"}], "source": "x"},
        {"prompt": "c", "id": "c", "language": "cpp", "validator_flags": "", "memory_mb": 5},
    )
    write_prompts(tmp_path / "again.jsonl", prompts)
    assert read_prompts(tmp_path / "again.jsonl") == prompts
    assert prompt_row(prompts[1]) == {
        "id": "c", "prompt": "c", "language": "cpp", "validator_flags": "", "memory_mb": 5,
    }  # fmt: skip


def test_an_id_made_from_the_content_depends_on_nothing_else(read):
    first, second = read({"prompt": "a", "source": "x"}, {"prompt": "b"})
    (again,) = read({"text": "a", "source": "y"})
    assert again.id == first.id != second.id
    (with_tests,) = read({"prompt": "a", "tests": [{"input": "", "output": "1"}]})
    assert with_tests.id != first.id


def test_identical_prompts_are_merged_with_a_warning(read, caplog):
    with caplog.at_level(logging.WARNING):
        prompts = read({"prompt": "a"}, "", {"prompt": "b"}, {"prompt": "a"}, {"prompt": "a", "id": "other"})
    assert [p.text for p in prompts] == ["a", "b"]
    assert "2 rows" in caplog.text


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"prompt": "a"}, "{not json"], "line 2: not JSON"),
        ([{"prompt": "a"}, "", "[1]"], "line 3: .*no JSON object"),
        ([{"id": "x"}], "line 1: the row has no text"),
        ([{"prompt": "  "}], "line 1: the row has no text"),
        ([{"prompt": 5}], "line 1: prompt is 5; wanted is a text"),
        ([{"prompt": "a", "id": "x"}, {"prompt": "b", "id": "x"}], "line 2: id 'x' is also that of line 1"),
        ([{"prompt": "a", "id": True}], "line 1: id is"),
        ([{"prompt": "a", "tests": {"x": 1}}], "line 1: tests is .*wanted is a list"),
        ([{"prompt": "a", "tests": "it should work"}], "line 1: tests is a text .'it should work'. of no known kind"),
        ([{"prompt": "a", "tests": "x = 1"}], "line 1: tests is a text"),
        (
            [{"prompt": "a", "tests": "x = (", "tests_kind": "python"}],
            "line 1: tests is .*python wants Python statements",
        ),
        (
            [{"prompt": "a", "tests": "def f(): pass", "tests_kind": "python"}],
            "line 1: tests is .*an assert or a check",
        ),
        ([{"prompt": "a", "tests": [{"input": "1", "output": "2"}], "tests_kind": "python"}], "python is a text"),
        ([{"prompt": "a", "tests": "int x;", "tests_kind": "append_main"}], "line 1: .*append_main wants a main"),
        ([{"prompt": "a", "tests": "mod tests {}", "tests_kind": "append_cfg_test"}], "wants a Rust module"),
        ([{"prompt": "a", "tests": "func TestA(t *testing.T) {}", "tests_kind": "go_test"}], "wants a Go test file"),
        (
            [{"prompt": "a", "tests": "package a\nfunc TestA(t *testing.T) {}", "tests_kind": "append_go_test"}],
            "without a",
        ),
        ([{"prompt": "a", "tests_kind": "stdio"}], "line 1: tests_kind is 'stdio', but the row has no tests"),
        ([{"prompt": "a", "tests": "x", "tests_kind": "stdio"}], "line 1: tests is 'x'; wanted is a list of cases"),
        ([{"prompt": "a", "tests_kind": "oracle"}], "line 1: tests_kind is 'oracle'; known are stdio"),
        ([{"prompt": "a", "hidden_tests": ["assert f()"]}], "line 1: the row has 'hidden_tests' and no tests"),
        ([{"prompt": "a", "files": {"a": "b"}, "cmd": "x"}], "line 1: code_path is missing"),
        ([{"prompt": "a", "files": {"../a": "b"}, "cmd": "x", "code_path": "c"}], "'../a' leaves the project"),
        ([{"prompt": "a", "files": {}, "cmd": "x", "code_path": "/etc/c"}], "'/etc/c' leaves the project"),
        ([{"prompt": "a", "files": {"a": 1}, "cmd": "x", "code_path": "c"}], "files: a is 1; wanted is a text"),
        ([{"prompt": "a", "checker": "x"}], "line 1: checker is 'x'; wanted is an object"),
        ([{"prompt": "a", "checker": {"language": "cpp", "code": "", "protocol": "spj"}}], "protocol is 'spj'; known"),
        ([{"prompt": "a", "checker": {"language": "b", "code": "", "protocol": "kattis"}}], "language is 'b'"),
        ([{"prompt": "a", "tests": [["1", "2"]]}], "line 1: test 1 is .*wanted is an object"),
        ([{"prompt": "a", "tests": [{"input": "1"}]}], "line 1: test 1 has no expected output"),
        (
            [{"prompt": "a", "tests": [{"input": "1", "stdin": "2", "output": "3"}]}],
            "line 1: test 1 has input and stdin, two names of one thing, and they differ",
        ),
        (
            [{"prompt": "a", "tests": [{"output": "3", "expected_stdout": "4"}]}],
            "line 1: test 1 has output and expected_stdout, two names",
        ),
        (
            [{"prompt": "a", "tests": [{"output": "3"}], "test_cases": [{"output": "4"}]}],
            "line 1: the row has tests and test_cases, two names of one thing, and they differ",
        ),
        (
            [{"prompt": "a", "time_limit_s": 1e-9, "tests": [{"output": "3"}]}],
            "time_limit_s is 1e-09; wanted is a number of at least 0.01",
        ),
        ([{"prompt": "a", "tests": [{"input": "1", "output": 2}]}], "line 1: test 1: output is"),
        ([{"prompt": "a", "tests_kind": "append_main"}], "line 1: tests is null; wanted for tests_kind append_main"),
        ([{"prompt": "a", "time_limit_s": 0}], "line 1: time_limit_s is 0"),
        ([{"prompt": "a", "memory_mb": 1.5}], "line 1: memory_mb is 1.5; wanted is a whole number"),
        ([{"prompt": "a", "compare": "fuzzy"}], "line 1: compare is 'fuzzy'"),
        ([{"prompt": "a", "cflags": "'"}], "line 1: cflags"),
        ([], "has no prompts"),
        (["", "  "], "has no prompts"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(read, rows, words):
    with pytest.raises(BadInput, match=rf"prompts\.jsonl.*{words}|{words}"):
        read(*rows)


FORMS = {
    "python": "assert f(1) == 2\n",
    "append_main": "int main() {\n  assert(f(1) == 2);\n}\n",
    "append_cfg_test": "#[cfg(test)]\nmod tests {\n  #[test]\n  fn a() {}\n}\n",
    "go_test": 'package main\n\nimport "testing"\n\nfunc TestA(t *testing.T) {}\n',
    "append_go_test": "func TestA(t *testing.T) {}\n",
}


@pytest.mark.parametrize("kind", FORMS)
def test_tests_in_the_answers_language_are_known_by_their_shape(read, tmp_path, kind):
    (prompt,) = read({"prompt": "a", "tests": FORMS[kind]})
    assert prompt == read({"prompt": "a", "tests": FORMS[kind], "tests_kind": kind})[0]
    assert (prompt.tests_kind, prompt.tests, prompt.cases, prompt.has_checks) == (kind, FORMS[kind], (), True)
    write_prompts(tmp_path / "again.jsonl", [prompt])
    assert read_prompts(tmp_path / "again.jsonl") == [prompt]


def test_a_project_and_a_checker_come_back_as_they_were(read, tmp_path):
    checker = {"language": "cpp", "code": "int main() {}", "protocol": "testlib"}
    prompts = read(
        {
            "prompt": "a",
            "files": {"Cargo.toml": "x"},
            "code_path": "src/lib.rs",
            "cmd": "cargo test # all",
            "tests": None,
        },
        {"prompt": "b", "tests": [{"output": "1"}], "checker": checker},
    )
    assert [p.tests_kind for p in prompts] == ["files", "stdio"]
    assert prompts[0].files == {"Cargo.toml": "x"}
    assert prompts[1].checker == Checker("cpp", "int main() {}", "testlib")
    write_prompts(tmp_path / "again.jsonl", prompts)
    assert read_prompts(tmp_path / "again.jsonl") == prompts


def test_the_id_of_a_prompt_with_cases_is_what_earlier_versions_gave_it(read):
    (prompt,) = read({"prompt": "a", "tests": [{"input": "1", "output": "2"}], "language": "c"})
    assert prompt.id == "eee402135b7af015"


SETS = {
    "codeforces_cpp_r1_compile": {"compile_only": 250}, "codegen16b_humaneval": {"python": 354},
    "exercism_go": {"files": 78}, "exercism_python": {"files": 150}, "exercism_rust": {"files": 102},
    "humaneval": {"python": 164}, "humaneval_mutants": {"python": 110}, "humanevalpack_cpp": {"append_main": 77},
    "humanevalpack_go": {"go_test": 80}, "humanevalpack_python": {"python": 80},
    "humanevalpack_java": {"append_main": 80}, "humanevalpack_javascript": {"append_main": 80},
    "humanevalpack_rust": {"append_cfg_test": 76}, "humanevalx_cpp": {"append_main": 161},
    "humanevalx_go": {"go_test": 164}, "humanevalx_java": {"append_main": 164},
    "humanevalx_javascript": {"append_main": 161}, "humanevalx_rust": {"append_cfg_test": 158},
    "limits_conformance": {"stdio": 33}, "mbpp": {"python": 974}, "mbpp_sanitized": {"python": 427},
    "multiple_gpt_cpp": {"append_main": 57}, "multiple_gpt_csharp": {"append_main": 38},
    "multiple_gpt_go": {"append_go_test": 56}, "multiple_gpt_rust": {"append_main": 56},
    "problemtools_examples": {"stdio": 30}, "stdio_kth_2013_2015": {"stdio": 117}, "stdio_po_training": {"stdio": 43},
    "stdio_prompts": {"stdio": 428}, "train_prompts": {"compile_only": 2176},
    "windows_mingw_compile": {"compile_only": 181},
}  # fmt: skip
"""Rows of the public sets by kind, as their README counts them."""


@pytest.mark.parametrize("name", SETS)
def test_every_row_of_the_public_sets_is_read_and_its_kind_seen(name):
    folder = os.environ.get("HALOFORGE_TEST_DATA")
    if not folder:
        pytest.skip("HALOFORGE_TEST_DATA is not set")
    kinds: Counter[str] = Counter()
    for line in Path(folder, f"{name}.jsonl").read_text().splitlines():
        row = json.loads(line)
        task = parse_task(row)
        kinds[task.tests_kind] += 1
        assert task.has_checks == (task.tests_kind != "compile_only")
        assert parse_task(prompt_row(task)) == task
        if name != "windows_mingw_compile":  # whose tests are no tests that are run
            row.pop("tests_kind", None)
            assert parse_task(row).tests_kind == task.tests_kind
    assert kinds == SETS[name]


def test_keys_that_look_like_known_ones_are_named_once_each_and_others_are_left_alone(tmp_path, caplog):
    row = {"prompt": "a", "source": "web", "difficulty": 3, "flag": 1, "tests": [{"output": "3", "stdinn": "4"}]}
    foreign = {"prompt": "b", "langauge": "c", "test": "x", "entry_point": "f", "split": "x", "idx": 3, "mode": "m"}
    rows = [row, {**row, "prompt": "c"}, foreign | {"test": "def check(f):\n    assert f()"}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    read_prompts(tmp_path / "in.jsonl")
    assert [message.partition("in.jsonl, ")[2] for message in caplog.messages] == [
        "line 1: key 'stdinn' is ignored; did you mean 'stdin'?",
        "line 3: key 'langauge' is ignored; did you mean 'language'?",
    ]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.jsonl: No such file"):
        read_prompts(tmp_path / "nowhere.jsonl")
