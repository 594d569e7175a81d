"""A model's answer and its task's tests, put together as the files that are compiled and run.

    program = assemble(sample.text, prompt)

Pure text: nothing is compiled or run, and what comes out says nothing of whether the answer is any good.
The answer's share and the tests' share also stand alone in the result, for a verifier whose driver goes between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from haloforge.records import Prompt
from haloforge.source.assemble import csharp, gnu, go, python, rust
from haloforge.source.assemble.parts import Parts, Task, called_in_files
from haloforge.source.detect import detect
from haloforge.source.extract import extract_code

__all__ = ["SOURCES", "Program", "assemble", "entry_points"]

SOURCES = {
    "c": "main.c", "cpp": "main.cpp", "cpp-windows": "main.cpp", "rust": "main.rs", "go": "main.go",
    "csharp": "main.cs", "python": "main.py", "powershell": "main.ps1",
}  # fmt: skip
"""What a program's one file is called."""

_ASSEMBLERS: dict[str, Callable[[str, str, Task], Parts]] = {
    "c": gnu.parts, "cpp": gnu.parts, "cpp-windows": gnu.parts, "rust": rust.parts, "go": go.parts,
    "csharp": csharp.parts, "python": python.parts,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be judged."""

    language: str | None
    """None where nothing tells it."""
    tests_kind: str
    code: str
    """The answer's share as it is compiled: completed by the prompt, its own main and tests dropped.
    "" where the answer has no code."""
    tests: str
    """The tests' share, "" where there is none."""
    files: dict[str, str]
    """Relative path → text: all that is written before the build."""
    main: str
    """The key of `files` that is compiled or run; "" for a project, whose `cmd` knows."""
    checks: tuple[str, ...]
    """Names of the tests, from the tests and never from the answer: functions in Go and Rust ("tests::adds"),
    ("main",) where one runs them all, ("line 7", …) of the statements that check in Python."""
    names: tuple[str, ...] = ()
    """Entry points: what the tests call of the answer, as far as known."""
    cmd: str = ""
    """Of a project: what runs its tests."""
    code_path: str = ""
    """Of a project: the key of `files` that is the answer."""


def assemble(text: str, task: Prompt, *, as_it_stands: bool = False) -> Program:
    """The program that judges `text` as an answer to `task`.

    Args:
        text: raw model text, or code.
        as_it_stands: `text` is the answer's share already (a row's `code`): nothing is extracted, completed or
            dropped.
    """
    names = () if task.tests_kind == "stdio" else entry_points(task)
    found = extract_code(text, task.language, names)
    language = detect(found.code, found.language, task)
    code = text.replace("\r\n", "\n") if as_it_stands else found.code
    if task.tests_kind == "files":
        path = task.code_path or ""
        files = {**task.files, path: code} if code.strip() else {}
        return Program(language, "files", code, "", files, "", (), names, task.cmd or "", path)
    source = SOURCES.get(language or "", "main.txt")
    if task.tests_kind == "stdio" or language not in _ASSEMBLERS:
        files = {source: code} if code.strip() else {}
        return Program(language, task.tests_kind, code, task.tests, files, source, ())
    raw = code if as_it_stands else text
    parts = _ASSEMBLERS[language](raw, code, Task(task, language, names, as_it_stands))
    files = parts.files(source) if parts.code.strip() else {}
    main = next((name for name in files if not name.endswith("_test.go")), next(iter(files), source))
    return Program(language, task.tests_kind, parts.code, parts.tests, files, main, parts.checks, names)


def entry_points(task: Prompt) -> tuple[str, ...]:
    """Names of which an answer must define one: what the row says, what the prompt opens, else what the tests call."""
    if task.entry_point:
        return (task.entry_point.rpartition(".")[2],)
    if task.tests_kind == "files":
        return called_in_files(task)
    language = detect("", None, task)
    if language == "python":
        return python.entry_points(task)
    if language in _ASSEMBLERS:
        return Task(task, language, (), False).entry_points()
    return ()
