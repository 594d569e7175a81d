"""Prompts as JSONL rows: read with every fault named by file and line, written back as the same rows.

Reads haloforge's own fields and, through `shapes`, those of public sets (docs/DATA.md). A row whose tests
cannot be read is refused: nothing is left unverified in silence. Not here: rows with answers (`answers`).
"""

from __future__ import annotations

import difflib
import hashlib
import json
import logging
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import Any

from haloforge.errors import BadInput
from haloforge.records import LEAST_CPU_S, TESTS_KINDS, Case, Checker, Prompt
from haloforge.source.detect import known_language, language_of_main
from haloforge.source.lexing import python_tree
from haloforge.tasks import compare, exercism, shapes

_log = logging.getLogger(__name__)

_INPUT_NAMES = ("input", "stdin")
_OUTPUT_NAMES = ("output", "expected_output", "expected_stdout")
_OWN_FIELDS = (
    "prompt", "text", "id", "task_id", "language", "tests", "test_cases", "tests_kind", "time_limit_s", "memory_mb",
    "cflags", "compare", "validator_flags", "entry_point", "files", "code_path", "cmd", "checker", "reference",
    "canonical_solution",
)  # fmt: skip
_CASE_FIELDS = (*_INPUT_NAMES, *_OUTPUT_NAMES, "name")
_ANSWER_FIELDS = ("code", "completion", "prompt_id")
ALIKE = 0.86
"""Likeness (difflib's ratio) from which on a key that means nothing was meant as one that does: a letter in six."""
PROTOCOLS = ("testlib", "kattis", "open-r1")
_UNREAD_TESTS = re.compile(
    r"(?:\w+_)?tests?(?:_?cases?|_list|_code|_suite)?|asserts?|assertions|inputs?_outputs?|unittests?", re.I
)
"""Names of fields that hold tests in sets that this version does not know."""


def read_prompts(path: str | Path) -> list[Prompt]:
    """The prompts of a JSONL file in its order, or of a folder of Exercism exercises; identical ones once (a warning).

    A row without `id` gets a digest of what it holds, so the id does not depend on its place.

    Raises:
        BadInput: the file is missing or has no prompt, a line is no JSON object, a field has another type than
            it should, two different prompts have one id. The message has the file and the line.
    """
    path = Path(path)
    prompts: dict[str, Prompt] = {}
    first_lines: dict[str, int] = {}
    content_ids: dict[str, str] = {}
    merged = 0
    misspelt = Misspelt(path)
    for number, row in _exercises(path) if path.is_dir() else rows_of(path, "prompts"):
        try:
            prompt = parse_prompt(row)
        except BadInput as e:
            raise BadInput(f"{path}, line {number}: {e}") from e
        misspelt.look_at(number, row, prompt.metadata)
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


def _exercises(folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, exercise in enumerate(exercism.exercise_folders(folder), start=1):
        yield number, exercism.exercise_row(exercise)


class Misspelt:
    """Warns of keys of a file's rows that mean nothing but look like one that does: of each once, with its line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._said: set[str] = set()

    def look_at(self, number: int, row: Mapping[str, Any], unread: Iterable[str]) -> None:
        """`unread`: those of the row's keys that nobody read."""
        tests = row.get("tests") or row.get("test_cases")
        cases = [case for case in tests if isinstance(case, Mapping)] if isinstance(tests, list) else []
        self._warn(number, unread, (*_OWN_FIELDS, *_ANSWER_FIELDS))
        self._warn(number, {key: None for case in cases for key in case}, _CASE_FIELDS)

    def _warn(self, number: int, keys: Iterable[str], known: Sequence[str]) -> None:
        for key in keys:
            near = difflib.get_close_matches(key.lower(), known, 1, ALIKE) if key not in known else []
            if near and key not in self._said:
                self._said.add(key)
                _log.warning("%s, line %d: key %r is ignored; did you mean %r?", self._path, number, key, near[0])


def rows_of(
    path: Path, what: str, on_bad: Callable[[int, str], None] | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, JSON object) of each line of a file that is not blank.

    Args:
        on_bad: called with line and reason where a line is no JSON object, which is then left out.

    Raises:
        BadInput: the file cannot be read; a line is no JSON object, where there is no `on_bad`.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as e:
        reason = e.strerror if isinstance(e, OSError) else f"it is not UTF-8 ({e})"
        raise BadInput(f"cannot read the {what} file {path}: {reason}") from e
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                row = _object(line)
            except BadInput as e:
                if on_bad is None:
                    raise BadInput(f"{path}, line {number}: {e}") from e
                on_bad(number, str(e))
                continue
            yield number, row


def parse_prompt(row: dict[str, Any]) -> Prompt:
    """One row as a Prompt.

    Raises:
        BadInput: names the field, what it holds and what it should.
    """
    prompt = parse_task(row)
    if not prompt.text.strip():
        raise BadInput('the row has no text: "prompt" (or "text") is missing or empty')
    return prompt


def parse_task(row: dict[str, Any]) -> Prompt:
    """As `parse_prompt`, but the text may be missing: the row of an answer needs none."""
    row = shapes.canonical(row)
    given = row["id"] if row.get("id") is not None else row.get("task_id")
    if given is not None and (not isinstance(given, str | int) or isinstance(given, bool) or given == ""):
        raise BadInput(f"id is {short(given)}; wanted is a text or a whole number")
    cflags = _field(row, ("cflags",), str)
    prompt = Prompt(
        id="" if given is None else str(given),
        text=_field(row, ("prompt", "text"), str) or "",
        language=_field(row, ("language",), str),
        entry_point=_field(row, ("entry_point",), str) or None,
        time_limit_s=_positive(row, "time_limit_s", float, LEAST_CPU_S),
        memory_mb=_positive(row, "memory_mb", int),
        compare=_field(row, ("compare",), str),
        validator_flags=_field(row, ("validator_flags",), str),
        cflags=cflags,
        checker=_checker(row.get("checker")),
        reference=_field(row, ("reference", "canonical_solution"), str) or None,
        metadata={key: value for key, value in row.items() if key not in _OWN_FIELDS},
        **_checks(row),
    )
    if not prompt.checker:  # a checker decides instead, and may have flags of its own
        rule = compare.rule(prompt.compare, prompt.validator_flags)
        if reason := next((why for case in prompt.cases if (why := compare.unusable(case.expected_stdout, rule))), ""):
            raise BadInput(f"compare is {prompt.compare!r}, and a test's {reason}")
    try:
        shlex.split(cflags or "")
    except ValueError as e:
        raise BadInput(f"cflags is {short(cflags)}: {e}") from e
    return prompt if prompt.id else replace(prompt, id=content_digest(prompt))


def prompt_row(prompt: Prompt) -> dict[str, Any]:
    """The row that `parse_prompt` reads back as an equal Prompt; fields that say nothing are left out."""
    row: dict[str, Any] = {"id": prompt.id, "prompt": prompt.text}
    if prompt.cases:
        row["tests"] = [{"input": case.stdin, "output": case.expected_stdout} for case in prompt.cases]
    elif prompt.tests:
        row["tests"] = prompt.tests
    if prompt.tests_kind not in ("stdio", "compile_only"):  # these two follow from the shape
        row["tests_kind"] = prompt.tests_kind
    if prompt.files:
        row["files"] = prompt.files
    if prompt.checker:
        row["checker"] = {name: value for name, value in asdict(prompt.checker).items() if value is not None}
    for name in (
        "language", "entry_point", "time_limit_s", "memory_mb", "compare", "validator_flags", "cflags", "code_path",
        "cmd", "reference",
    ):  # fmt: skip
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
        raise BadInput(f"not JSON ({e}): {short(line)}") from e
    if not isinstance(row, dict):
        raise BadInput(f"{short(row)} is no JSON object")
    return row


def _field(row: dict[str, Any], names: tuple[str, ...], kind: type) -> Any:
    """The first of `names` that the row has and that is not null."""
    for name in names:
        value = row.get(name)
        if value is not None:
            if not isinstance(value, kind):
                raise BadInput(f"{name} is {short(value)}; wanted is a {'text' if kind is str else kind.__name__}")
            return value
    return None


def _positive(row: dict[str, Any], name: str, kind: type[int] | type[float], least: float = 0) -> Any:
    value = row.get(name)
    if value is None:
        return None
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9 and kind(value) == value
    if not fits or value < least:
        from_ = f"of at least {least}" if least else "above 0"
        raise BadInput(f"{name} is {short(value)}; wanted is a {'whole ' if kind is int else ''}number {from_}")
    return kind(value)


def _checks(row: dict[str, Any]) -> dict[str, Any]:
    """The fields of a Prompt that say how an answer is checked."""
    named = [name for name in ("tests", "test_cases") if row.get(name) not in (None, "", [])]
    if len(named) > 1 and row["tests"] != row["test_cases"]:
        raise BadInput(
            "the row has tests and test_cases, two names of one thing, and they differ; leave one of them out"
        )
    tests = row[named[0]] if named else None
    kind = _kind(row, tests)
    if kind == "compile_only":
        return {"tests_kind": kind}
    if kind == "files":
        return {"tests_kind": kind, **_project(row)}
    if kind == "stdio":
        if not isinstance(tests, list):
            raise BadInput(f"tests is {short(tests)}; wanted is a list of cases")
        return {"tests_kind": kind, "cases": tuple(parse_case(case, index) for index, case in enumerate(tests, 1))}
    if isinstance(tests, list) and kind == "python" and all(isinstance(line, str) for line in tests):
        tests = "\n".join(tests)
    if not isinstance(tests, str) or not tests.strip():
        raise BadInput(f"tests is {short(tests)}; wanted for tests_kind {kind} is a text")
    tests = tests.replace("\r\n", "\n")
    if not _BRINGS[kind](tests):
        raise BadInput(f"tests is {short(tests)}; tests_kind {kind} wants {_WANTED[kind]}")
    return {"tests_kind": kind, "tests": tests}


_GO_TEST = re.compile(r"^func\s+Test\w*\s*\(\s*\w+\s*\*\s*testing\.T", re.M)


def _brings_python(tests: str) -> bool:
    """Whether something in it can fail when it is run, or is called (docs/DATA.md)."""
    tree = python_tree(tests)
    return tree is not None and bool(re.search(r"\bassert|\bcheck\s*\(|\braise\b|\bself\.fail|\bunittest\b", tests))


_BRINGS = {
    "python": _brings_python,
    "append_main": lambda tests: language_of_main(tests) is not None,
    "append_cfg_test": lambda tests: bool(re.search(r"#\s*\[\s*test\s*\]", tests)),
    "go_test": lambda tests: bool(re.search(r"^\s*package\s", tests, re.M) and _GO_TEST.search(tests)),
    "append_go_test": lambda tests: bool(_GO_TEST.search(tests)) and not re.search(r"^\s*package\s", tests, re.M),
}
_WANTED = {
    "python": "Python statements with an assert or a check",
    "append_main": "a main in C, C++, C#, Rust or Go",
    "append_cfg_test": "a Rust module with #[test] functions",
    "go_test": "a Go test file: package, Test functions",
    "append_go_test": "Go Test functions without a package line",
}
_FOUND_IN_THIS_ORDER = ("append_cfg_test", "go_test", "append_go_test", "append_main", "python")


def _kind(row: dict[str, Any], tests: Any) -> str:
    """One of TESTS_KINDS: as the row says, else from the shape of what it has."""
    said = _field(row, ("tests_kind",), str)
    if said is not None:
        kind = str(said).partition("+")[0]  # compile_only+stdout_contains: the output is not looked at
        if kind not in TESTS_KINDS:
            raise BadInput(f"tests_kind is {said!r}; known are {', '.join(TESTS_KINDS)}")
        if kind == "stdio" and tests is None:
            raise BadInput("tests_kind is 'stdio', but the row has no tests; wanted is a list of cases")
        return kind
    if row.get("files") or row.get("cmd"):
        return "files"
    if tests is None:
        unread = [k for k, v in row.items() if v and k not in _OWN_FIELDS and _UNREAD_TESTS.fullmatch(k)]
        if unread:
            raise BadInput(
                f"the row has {', '.join(map(repr, unread))} and no tests that this version reads; give it tests "
                '(docs/DATA.md), or "tests_kind": "compile_only" where its answers shall only be compiled'
            )
        return "compile_only"
    if isinstance(tests, list):
        return "python" if all(isinstance(test, str) for test in tests) else "stdio"
    if isinstance(tests, str):
        for kind in _FOUND_IN_THIS_ORDER:
            if _BRINGS[kind](tests):
                return kind
        raise BadInput(
            f"tests is a text ({short(tests)}) of no known kind; wanted is a list of cases, or a tests_kind of "
            f"{', '.join(TESTS_KINDS)}"
        )
    raise BadInput(f"tests is {short(tests)}; wanted is a list of cases, or a text in the answer's language")


def _project(row: dict[str, Any]) -> dict[str, Any]:
    files = _field(row, ("files",), dict) or {}
    code_path, cmd = _field(row, ("code_path",), str), _field(row, ("cmd",), str)
    if not code_path or not cmd:
        raise BadInput(f"{'cmd' if code_path else 'code_path'} is missing; a project has files, code_path and cmd")
    for name, text in [*files.items(), (code_path, "")]:
        if not isinstance(text, str):
            raise BadInput(f"files: {name} is {short(text)}; wanted is a text")
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
            raise BadInput(f"files: {short(name)} leaves the project; wanted is a relative path")
    return {"files": {name: text for name, text in files.items()}, "code_path": code_path, "cmd": cmd}


def _checker(value: Any) -> Checker | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(value.get(k), str) for k in ("language", "code")):
        raise BadInput(f"checker is {short(value)}; wanted is an object with language, code and protocol")
    if value.get("protocol") not in PROTOCOLS:
        raise BadInput(f"checker: protocol is {short(value.get('protocol'))}; known are {', '.join(PROTOCOLS)}")
    if known_language(value["language"]) is None:
        raise BadInput(f"checker: language is {short(value['language'])}, which haloforge does not know")
    return Checker(value["language"], value["code"], value["protocol"], _positive(dict(value), "full_score", float))


def parse_case(case: Any, index: int) -> Case:
    """One stdin/stdout check; `index` counts from 1 and is for the message of BadInput."""
    if not isinstance(case, Mapping):
        raise BadInput(f"test {index} is {short(case)}; wanted is an object with input and output")
    texts = []
    for names in (_INPUT_NAMES, _OUTPUT_NAMES):
        present = [name for name in names if case.get(name) is not None]
        if not present:
            if names is _INPUT_NAMES:  # a program may need no input
                texts.append("")
                continue
            raise BadInput(f"test {index} has no expected output: one of {', '.join(names)} (keys: {', '.join(case)})")
        value = case[present[0]]
        if other := next((name for name in present if case[name] != value), ""):
            raise BadInput(
                f"test {index} has {present[0]} and {other}, two names of one thing, and they differ; leave one out"
            )
        if not isinstance(value, str):
            raise BadInput(f"test {index}: {present[0]} is {short(value)}; wanted is a text")
        texts.append(value)
    return Case(*texts)


def short(value: Any) -> str:
    """A value of a row for a message: JSON on one line, a text in quotation marks, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = ascii(text if len(text) <= 60 else text[:57] + "...")
    return text if isinstance(value, str) else text[1:-1]
