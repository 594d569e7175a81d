"""The step-by-step chapters of docs/VERIFIERS.md, done as they stand: files written, diffs applied, commands run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import BLOCK, ROOT

NAMED = re.compile(r"# (\S+\.\w+)\n")


def chapter(title: str) -> list[tuple[str, str]]:
    """(kind, text) of the blocks under a heading."""
    text = (ROOT / "docs/VERIFIERS.md").read_text()
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## )", text, re.S | re.M)
    return [(match["kind"], match["text"]) for match in BLOCK.finditer(found)]


def follow(title: str, place: Path) -> list[str]:
    """Do what the chapter says in `place`, which has the code; returns what its commands printed."""
    for package in ("haloforge", "actors", "configs"):
        shutil.copytree(ROOT / package, place / package, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | {
        "PYTHONPATH": str(place),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    said = []
    for kind, text in chapter(title):
        if kind == "diff":
            patched = subprocess.run(
                ["git", "apply", "-C1", "-"], cwd=place, input=text, text=True, capture_output=True
            )
            assert patched.returncode == 0, patched.stderr + text
        elif kind == "sh":
            done = subprocess.run(
                ["bash", "-exuo", "pipefail", "-c", text], cwd=place, env=environment, text=True, timeout=300,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout
            said.append(done.stdout)
        else:
            name = NAMED.match(text)
            assert name, f"a block that names no file: {text}"
            (place / name[1]).parent.mkdir(parents=True, exist_ok=True)
            (place / name[1]).write_text(text)
    assert said, "no commands were run"
    return said


def row(name: str, said: str) -> dict[str, object]:
    return next(r for line in said.splitlines() if line.startswith("{") and (r := json.loads(line))["id"] == name)


@pytest.mark.sandbox
def test_a_language_is_added_as_the_page_says(tmp_path, home):
    (said,) = follow("Add a language, step by step", tmp_path)
    assert "twice.pl: compiled" in said
    assert (row("right", said)["status"], row("right", said)["trust"]) == ("passed", "output")
    assert row("wrong", said)["status"] == "wrong_answer"
    assert row("broken", said)["status"] == "compile_error"


@pytest.mark.sandbox
def test_a_verifier_is_added_as_the_page_says(tmp_path, home):
    (said,) = follow("Add a verifier, step by step", tmp_path)
    assert "checks/run.yaml: ok (raft)" in said
    assert (row("good", said)["reward"], row("good", said)["trust"]) == (1.0, "custom")
    assert row("bad", said)["reward"] == 0.0
    assert "unused" in str(row("bad", said)["error"])
