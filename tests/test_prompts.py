"""Prompt rows: the shapes that are read, the faults that are named, and the way back."""

from __future__ import annotations

import json
import logging

import pytest

from haloforge.errors import BadInput
from haloforge.prompts import prompt_row, read_prompts, write_prompts
from haloforge.records import Case, Prompt


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
        ([{"prompt": 5}], "line 1: prompt is '5'; wanted is a text"),
        ([{"prompt": "a", "id": "x"}, {"prompt": "b", "id": "x"}], "line 2: id 'x' is also that of line 1"),
        ([{"prompt": "a", "id": True}], "line 1: id is"),
        ([{"prompt": "a", "tests": {"x": 1}}], "line 1: tests is .*wanted is a list"),
        ([{"prompt": "a", "tests": "assert f()"}], "line 1: tests is a text"),
        ([{"prompt": "a", "tests": [["1", "2"]]}], "line 1: test 1 is .*wanted is an object"),
        ([{"prompt": "a", "tests": [{"input": "1"}]}], "line 1: test 1 has no expected output"),
        ([{"prompt": "a", "tests": [{"input": "1", "output": 2}]}], "line 1: test 1: output is"),
        ([{"prompt": "a", "tests_kind": "append_main"}], "line 1: tests_kind is 'append_main'"),
        ([{"prompt": "a", "time_limit_s": 0}], "line 1: time_limit_s is '0'"),
        ([{"prompt": "a", "memory_mb": 1.5}], "line 1: memory_mb is '1.5'; wanted is a whole number"),
        ([{"prompt": "a", "compare": "fuzzy"}], "line 1: compare is 'fuzzy'"),
        ([{"prompt": "a", "cflags": "'"}], "line 1: cflags"),
        ([], "has no prompts"),
        (["", "  "], "has no prompts"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(read, rows, words):
    with pytest.raises(BadInput, match=rf"prompts\.jsonl.*{words}|{words}"):
        read(*rows)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.jsonl: No such file"):
        read_prompts(tmp_path / "nowhere.jsonl")
