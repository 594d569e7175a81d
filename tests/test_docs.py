"""Every command in the README and the docs is executed here, or marked with what executes it or what it needs.

A ```sh block has a comment in front of it: `<!-- runs -->` (executed below, in the order of the page),
`<!-- run by: FILE -->` (that file of ours executes it) or `<!-- needs: … -->` (what it needs and we have not).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.S | re.M)
COMMAND = re.compile(r"^(?:haloforge|ray|make|pip|git|cluster/|toolbox/|tensorboard|python|\.venv/)", re.M)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


# A line that begins with `$ ` shows what was printed; what is to be typed stands without it.


class Block(NamedTuple):
    page: str
    line: int
    mark: str
    kind: str
    text: str


def blocks() -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in BLOCK.finditer(text):
            line = text[: match.start()].count("\n") + 1
            found.append(Block(page.name, line, match["mark"] or "", match["kind"], match["text"]))
    return found


def test_every_block_of_commands_says_who_runs_it():
    for block in blocks():
        where = f"{block.page}, line {block.line}"
        if block.kind == "sh":
            assert re.fullmatch(r"runs|run by: \S+|needs: .+", block.mark), f"{where}: who runs this?"
        else:
            assert not COMMAND.search(block.text), f"{where}: commands belong into a block marked sh"


@pytest.mark.parametrize("block", [b for b in blocks() if b.mark.startswith("run by: ")], ids=lambda b: b.page)
def test_the_scripts_that_another_file_runs_are_named_there(block):
    runner = (ROOT / block.mark.removeprefix("run by: ")).read_text()
    for script in re.findall(r"cluster/\w+\.sh|^make (?!setup)\w+", block.text, re.M):
        assert script in runner, f"{block.page}: {block.mark} does not run {script}"


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in LINK.findall(page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} → {target}"


@pytest.mark.e2e
@pytest.mark.parametrize("page", sorted({b.page for b in blocks() if b.mark == "runs"}))
def test_the_commands_of_a_page_do_what_it_says(page, small_base, small_run, tmp_path):
    """In a folder with a model ($MODEL, path/to/model), prompts.jsonl, train.jsonl, and a finished run in runs/demo."""
    shutil.copytree(small_run, tmp_path / "runs/demo", symlinks=True)
    (tmp_path / "model").symlink_to((small_base / "base").resolve())
    for name, source in {"prompts.jsonl": "prompts.jsonl", "train.jsonl": "data.jsonl"}.items():
        (tmp_path / name).write_bytes((small_base / source).read_bytes())
    scripts = [b.text.replace("path/to/model", "model") for b in blocks() if (b.page, b.mark) == (page, "runs")]
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | {
        "HALOFORGE_HOME": str(tmp_path / "home"),
        "MODEL": "model",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    for script in scripts:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-4000:]}"
