"""Prompts as JSONL rows: read with every fault named by file and line, written back as the same rows.

Reads today: stdin/stdout cases, and rows without tests. Other `tests_kind`s are refused by name.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from haloforge import compare
from haloforge.errors import BadInput
from haloforge.records import Case, Prompt

_log = logging.getLogger(__name__)

_INPUT_NAMES = ("input", "stdin")
_OUTPUT_NAMES = ("output", "expected_output", "expected_stdout")
_KINDS = ("stdio", "compile_only")
_OWN_FIELDS = (
    "prompt", "text", "id", "task_id", "language", "tests", "test_cases", "tests_kind", "time_limit_s", "memory_mb",
    "cflags", "compare", "validator_flags", "entry_point",
)  # fmt: skip


def read_prompts(path: str | Path) -> list[Prompt]:
    """The prompts of a JSONL file in its order; identical ones once, with a warning.

    A row without `id` gets a digest of what it holds, so the id does not depend on its place.

    Raises:
        BadInput: the file is missing or has no prompt, a line is no JSON object, a field has another type than
            it should, two different prompts have one id. The message has the file and the line.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as e:
        reason = e.strerror if isinstance(e, OSError) else f"it is not UTF-8 ({e})"
        raise BadInput(f"cannot read the prompts file {path}: {reason}") from e
    prompts: dict[str, Prompt] = {}
    first_lines: dict[str, int] = {}
    content_ids: dict[str, str] = {}
    merged = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            prompt = parse_prompt(_object(line))
        except BadInput as e:
            raise BadInput(f"{path}, line {number}: {e}") from e
        seen = prompts.get(prompt.id)
        if seen is not None and seen != prompt:
            raise BadInput(
                f"{path}, line {number}: id {prompt.id!r} is also that of line {first_lines[prompt.id]}, "
                "but the two rows differ; give each prompt its own id"
            )
        digest = content_digest(prompt)
        if digest in content_ids:
            merged += 1
            continue
        content_ids[digest] = prompt.id
        prompts[prompt.id] = prompt
        first_lines[prompt.id] = number
    if not prompts:
        raise BadInput(f'the prompts file {path} has no prompts; a line is a JSON object with a "prompt"')
    if merged:
        _log.warning("%s: %d rows say the same as an earlier one and were merged with it", path, merged)
    return list(prompts.values())


def parse_prompt(row: dict[str, Any]) -> Prompt:
    """One row as a Prompt.

    Raises:
        BadInput: names the field, what it holds and what it should.
    """
    text = _field(row, ("prompt", "text"), str)
    if text is None or not text.strip():
        raise BadInput('the row has no text: "prompt" (or "text") is missing or empty')
    given = row["id"] if row.get("id") is not None else row.get("task_id")
    if given is not None and (not isinstance(given, str | int) or isinstance(given, bool) or given == ""):
        raise BadInput(f"id is {_short(given)}; wanted is a text or a whole number")
    kind = _field(row, ("tests_kind",), str)
    tests = _field(row, ("tests", "test_cases"), object)
    cflags = _field(row, ("cflags",), str)
    prompt = Prompt(
        id="" if given is None else str(given),
        text=text,
        language=_field(row, ("language",), str),
        cases=_cases(tests, kind),
        entry_point=_field(row, ("entry_point",), str),
        time_limit_s=_positive(row, "time_limit_s", float),
        memory_mb=_positive(row, "memory_mb", int),
        compare=_field(row, ("compare",), str),
        validator_flags=_field(row, ("validator_flags",), str),
        cflags=cflags,
        metadata={key: value for key, value in row.items() if key not in _OWN_FIELDS},
    )
    compare.rule(prompt.compare, prompt.validator_flags)
    try:
        shlex.split(cflags or "")
    except ValueError as e:
        raise BadInput(f"cflags is {_short(cflags)}: {e}") from e
    return prompt if prompt.id else replace(prompt, id=content_digest(prompt))


def prompt_row(prompt: Prompt) -> dict[str, Any]:
    """The row that `parse_prompt` reads back as an equal Prompt; fields that are None are left out."""
    row: dict[str, Any] = {"id": prompt.id, "prompt": prompt.text}
    if prompt.cases:
        row["tests"] = [{"input": case.stdin, "output": case.expected_stdout} for case in prompt.cases]
    for name in ("language", "entry_point", "time_limit_s", "memory_mb", "compare", "validator_flags", "cflags"):
        value = getattr(prompt, name)
        if value is not None:
            row[name] = value
    return {**{k: v for k, v in prompt.metadata.items() if k not in _OWN_FIELDS}, **row}


def write_prompts(path: str | Path, prompts: Iterable[Prompt]) -> None:
    """Write one row per prompt; the file is written aside and renamed."""
    path = Path(path)
    aside = path.with_name(path.name + ".part")
    with open(aside, "w", encoding="utf-8") as f:
        for prompt in prompts:
            f.write(json.dumps(prompt_row(prompt), ensure_ascii=False) + "\n")
    aside.replace(path)


def content_digest(prompt: Prompt) -> str:
    """16 hexadecimal digits of everything that makes the task; id and metadata are left out."""
    row = prompt_row(replace(prompt, id="", metadata={}))
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]


def _object(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as e:
        raise BadInput(f"not JSON ({e}): {_short(line)}") from e
    if not isinstance(row, dict):
        raise BadInput(f"{_short(row)} is no JSON object")
    return row


def _field(row: dict[str, Any], names: tuple[str, ...], kind: type) -> Any:
    """The first of `names` that the row has and that is not null."""
    for name in names:
        value = row.get(name)
        if value is not None:
            if not isinstance(value, kind):
                raise BadInput(f"{name} is {_short(value)}; wanted is a {'text' if kind is str else kind.__name__}")
            return value
    return None


def _positive(row: dict[str, Any], name: str, kind: type[int] | type[float]) -> Any:
    value = row.get(name)
    if value is None:
        return None
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9 and kind(value) == value
    if not fits:
        raise BadInput(f"{name} is {_short(value)}; wanted is a {'whole ' if kind is int else ''}number above 0")
    return kind(value)


def _cases(tests: Any, kind: str | None) -> tuple[Case, ...]:
    if kind is not None and kind not in _KINDS:
        raise BadInput(f"tests_kind is {kind!r}; this version reads {' and '.join(_KINDS)}")
    if kind == "compile_only" or tests is None:
        return ()
    if isinstance(tests, str):
        raise BadInput(f"tests is a text ({_short(tests)}); this version reads a list of stdin/stdout cases")
    if not isinstance(tests, list):
        raise BadInput(f"tests is {_short(tests)}; wanted is a list of cases")
    return tuple(parse_case(case, index) for index, case in enumerate(tests, start=1))


def parse_case(case: Any, index: int) -> Case:
    """One stdin/stdout check; `index` counts from 1 and is for the message of BadInput."""
    if not isinstance(case, Mapping):
        raise BadInput(f"test {index} is {_short(case)}; wanted is an object with input and output")
    texts = []
    for names in (_INPUT_NAMES, _OUTPUT_NAMES):
        present = [name for name in names if case.get(name) is not None]
        if not present:
            if names is _INPUT_NAMES:  # a program may need no input
                texts.append("")
                continue
            raise BadInput(f"test {index} has no expected output: one of {', '.join(names)} (keys: {', '.join(case)})")
        value = case[present[0]]
        if not isinstance(value, str):
            raise BadInput(f"test {index}: {present[0]} is {_short(value)}; wanted is a text")
        texts.append(value)
    return Case(*texts)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return ascii(text if len(text) <= 60 else text[:57] + "...")
