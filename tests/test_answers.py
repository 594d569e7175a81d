"""Rows with answers, with their tasks in them or in a prompts file."""

from __future__ import annotations

import json

import pytest

from haloforge.errors import BadInput
from haloforge.records import Case, Prompt
from haloforge.tasks.answers import Bad, read_answers

TASKS = [Prompt("HumanEval/0", "p", "python", tests="assert f()", tests_kind="python"), Prompt("7", "q")]


@pytest.fixture
def read(tmp_path):
    def read(*rows, **options):
        path = tmp_path / "samples.jsonl"
        path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
        return read_answers(path, **options)

    return read


def test_a_row_brings_its_own_task(read):
    (answer,) = read(
        {"id": 1, "code": "print(2)", "language": "py", "prompt": "", "tests": [{"stdin": "", "output": "2"}]}
    )
    assert (answer.id, answer.text, answer.as_it_stands) == ("1", "print(2)", True)
    assert (answer.task.cases, answer.task.language) == ((Case("", "2"),), "py")
    (raw,) = read({"completion": "```c\nint main(){}\n```"})
    assert (raw.id, raw.as_it_stands, raw.task.has_checks) == ("line 1", False, False)
    (both,) = read({"id": "a", "code": "1", "completion": "2"})
    assert both.text == "1"


def test_completions_are_joined_with_the_tasks_that_they_name(read):
    rows = [{"task_id": "HumanEval/0", "completion": c} for c in "ab"] + [
        {"task_id": 7, "completion": "c", "id": "mine"}
    ]
    answers = read(*rows, prompts=TASKS)
    assert [a.id for a in answers] == ["HumanEval/0#0", "HumanEval/0#1", "mine"]
    assert [a.task for a in answers] == [TASKS[0], TASKS[0], TASKS[1]]
    assert not any(a.as_it_stands for a in answers)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"id": 1, "code": "x"}, {"id": 2}], 'line 2: the row has no answer: "code"'),
        ([{"id": 1, "code": 3}], "line 1: code is 3; wanted is a text"),
        ([{"id": 1, "code": "x"}, {"id": 1, "code": "y"}], "line 2: id '1' is also that of line 1"),
        ([{"code": "x", "tests": "hm"}], "line 1: tests is a text"),
        (["{"], "line 1: not JSON"),
    ],
)
def test_a_bad_row_is_named_by_its_line_or_skipped(read, rows, words):
    with pytest.raises(BadInput, match=words):
        read(*rows)
    skipped: list[Bad] = []
    assert len(read(*rows, on_bad=skipped.append)) == len(rows) - 1
    assert [f"line {bad.line}: {bad.reason}"[: len(words)] for bad in skipped] == [words]


def test_a_skipped_row_keeps_its_id_where_nobody_else_has_it(read):
    skipped: list[Bad] = []
    read({"id": "a", "code": "x"}, {"id": "b"}, {"id": "a", "code": "y"}, "{", {"id": "b"}, on_bad=skipped.append)
    assert [bad.id for bad in skipped] == ["b", "line 3", "line 4", "line 5"]


def test_a_task_that_the_prompts_lack_is_named(read):
    with pytest.raises(
        BadInput, match=r"line 1: task_id is 'MBPP/2', which is no task of the prompts; wanted is one of the 2"
    ):
        read({"task_id": "MBPP/2", "completion": "x"}, prompts=TASKS)
    with pytest.raises(BadInput, match='task_id" is missing, which says which task'):
        read({"completion": "x"}, prompts=TASKS)
