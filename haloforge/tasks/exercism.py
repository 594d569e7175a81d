"""Exercism's exercise folders (exercises/practice/NAME) as rows of tests_kind `files`."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from haloforge.errors import BadInput
from haloforge.source.detect import known_language

CONFIG = Path(".meta", "config.json")
_HIDDEN = (".meta", ".docs", ".approaches", ".articles")


def exercise_folders(folder: Path) -> list[Path]:
    """The exercises in or below `folder`, sorted."""
    return sorted(found.parent.parent for found in folder.rglob(str(CONFIG)))


def exercise_row(folder: Path) -> dict[str, Any]:
    """One exercise: its instructions and its stub as the prompt, all its files but the solution's beside.

    Raises:
        BadInput: no exercise, of another language than Go, Rust or Python, or with several files to write.
    """
    try:
        files = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["files"]
        solution, tests = list(files["solution"]), list(files["test"])
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise BadInput(f"{folder} is no exercise folder: {CONFIG} has no files.solution and files.test ({e!r})") from e
    sources = [name for name in solution if known_language(PurePosixPath(name).suffix.lstrip("."))]
    language = known_language(PurePosixPath(sources[0]).suffix.lstrip(".")) if sources else None
    if language not in ("go", "rust", "python"):
        raise BadInput(f"{folder} wants {', '.join(solution)}; read are exercises in Go, Rust and Python")
    if len(sources) != 1:
        raise BadInput(f"{folder} wants {len(sources)} files ({', '.join(sources)}); an answer is one file")
    texts = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in _HIDDEN
    }
    missing = [name for name in tests if name not in texts]
    if missing:
        raise BadInput(f"{folder}: the tests {', '.join(missing)} are missing")
    stub = texts.pop(sources[0], "")
    said = [folder / ".docs" / name for name in ("introduction.md", "instructions.md", "instructions.append.md")]
    prompt = "\n\n".join(path.read_text(encoding="utf-8").strip() for path in said if path.is_file())
    if stub.strip():
        prompt += f"\n\nWrite the whole of `{sources[0]}`, which begins as:\n\n```{language}\n{stub.rstrip()}\n```"
    return {
        "id": f"exercism-{language}/{folder.name}",
        "prompt": prompt + "\n",
        "language": language,
        "tests_kind": "files",
        "files": texts,
        "code_path": sources[0],
        "cmd": _command(language, tests, texts),
    }


def _command(language: str, tests: list[str], texts: dict[str, str]) -> str:
    if language == "go":
        return "go test ./..."
    if language == "rust":  # all but the first test of an exercise are marked #[ignore]
        return "cargo test --offline -- --include-ignored"
    if any("pytest" in texts[name] for name in tests):
        return "python -m pytest " + " ".join(tests)
    return "python -m unittest " + " ".join(
        PurePosixPath(name).with_suffix("").as_posix().replace("/", ".") for name in tests
    )
