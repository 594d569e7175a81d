"""Rows with answers: each with its task, which stands in the row or in a prompts file.

for answer in read_answers("samples.jsonl", prompts=read_prompts("HumanEval.jsonl")): …
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from haloforge.errors import BadInput
from haloforge.records import Prompt
from haloforge.tasks.prompts import Misspelt, parse_task, rows_of, short

TASK_KEYS = ("task_id", "prompt_id", "id")
"""Keys by which a row names its task; the last one may be the answer's own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to judge."""

    id: str
    text: str
    as_it_stands: bool
    """The row said `code`: nothing is to be extracted or completed. False: `completion`, raw model text."""
    task: Prompt
    line: int = 0
    """Of its row; 0: it is of no file."""
    task_named: str = ""
    """How the row names a task that may stand elsewhere, in words; "" where it says itself how it is checked."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that cannot be judged."""

    id: str
    """The row's own where nobody else has it, else `line N`."""
    line: int
    reason: str


def read_answers(
    path: str | Path, prompts: Iterable[Prompt] = (), on_bad: Callable[[Bad], None] | None = None
) -> list[Answer]:
    """The answers of a JSONL file, in its order.

    A row without `id` is called by its task and a count ("HumanEval/3#0"), or by its line.

    Args:
        prompts: tasks that rows name by `task_id` (or `id`).
        on_bad: called for a bad row, which is then left out.

    Raises:
        BadInput: the file cannot be read; a bad row, with its line, where there is no `on_bad`; two with one id.
    """
    path = Path(path)
    tasks = {prompt.id: prompt for prompt in prompts}
    answers: dict[str, Answer] = {}
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    misspelt = Misspelt(path)

    def bad(line: int, reason: str, id: object = None) -> None:
        if on_bad is None:
            raise BadInput(f"{path}, line {line}: {reason}")
        name = str(id) if isinstance(id, str | int) and str(id) and str(id) not in lines else f"line {line}"
        lines[name] = line
        on_bad(Bad(name, line, reason))

    for number, row in rows_of(path, "input", bad if on_bad else None):
        try:
            answer = replace(parse_answer(row, tasks), line=number)
            if row.get("id") is None:
                name = str(row["task_id"]) if row.get("task_id") is not None else f"line {number}"
                count = counts[name] = counts.get(name, -1) + 1
                answer = replace(answer, id=name if name.startswith("line ") else f"{name}#{count}")
            if answer.id in lines:
                raise BadInput(f"id {answer.id!r} is also that of line {lines[answer.id]}; give each answer its own id")
        except BadInput as e:
            bad(number, str(e), row.get("id"))
            continue
        misspelt.look_at(number, row, row if tasks else answer.task.metadata)
        answers[answer.id] = answer
        lines[answer.id] = number
    return list(answers.values())


def parse_answer(row: dict[str, Any], tasks: Mapping[str, Prompt] | None = None) -> Answer:
    """One row as an answer; where `tasks` are given, its task is the one that it names, and only that.

    Raises:
        BadInput: no code and no completion, or both; a task that `tasks` lacks; a bad field.
    """
    given = [name for name in ("code", "completion") if row.get(name) is not None]
    if not given:
        raise BadInput(
            'the row has no answer: "code" (judged as it stands) or "completion" (raw model text) is missing'
        )
    # Sets of real answers keep both: the raw text, and what their authors made of it.
    name = given[-1] if tasks else given[0]
    text = row[name]
    if not isinstance(text, str):
        raise BadInput(f"{name} is {short(text)}; wanted is a text")
    if tasks:
        task = _named(row, tasks)
    else:
        task = parse_task({k: v for k, v in row.items() if k not in ("code", "completion")})
    said = row["id"] if row.get("id") is not None else row.get("task_id")
    keys = [] if row.get("tests_kind") is not None else [key for key in TASK_KEYS[:2] if row.get(key) is not None]
    task_named = f"{keys[0]} {row[keys[0]]!r}" if keys else ""
    return Answer(str(said if said is not None else task.id), text, name == "code", task, task_named=task_named)


def _named(row: dict[str, Any], tasks: Mapping[str, Prompt]) -> Prompt:
    given = [key for key in TASK_KEYS if row.get(key) is not None]
    for key in given:
        if str(row[key]) in tasks:
            return tasks[str(row[key])]
    first = repr(next(iter(tasks)))
    has = f"one of the {len(tasks)} tasks there, such as {first}" if len(tasks) > 1 else f"the only task there, {first}"
    if not given:
        raise BadInput(f'"task_id" is missing, which says which task of the prompts the answer is to; wanted is {has}')
    raise BadInput(f"{given[0]} is {row[given[0]]!r}, which is no task of the prompts; wanted is {has}")
