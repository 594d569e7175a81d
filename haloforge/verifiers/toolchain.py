"""The tools behind a verdict on this machine: where they are, and their versions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from haloforge.errors import MissingTool

REMEDY = "run toolbox/install-tools.sh --languages on that node"
_VERSION_FLAGS = {"go": "version"}


def tool_path(tool: str) -> str:
    """Where `tool` is on this node, in a folder that every box sees: a compiler in someone's home is none.

    Raises:
        MissingTool: it is absent; the message says what to do.
    """
    path = _found(tool)
    if path is None:
        elsewhere = shutil.which(tool)
        hint = f" ({elsewhere} is not in a folder that boxes see)" if elsewhere else ""
        raise MissingTool(f"the verifier needs {tool}, absent on this node{hint}; {REMEDY}")
    return path


def has_tool(tool: str) -> bool:
    return _found(tool) is not None


def _found(tool: str) -> str | None:
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    seen = [folder for folder in folders if re.match(r"/(?:usr|s?bin)(?:/|$)", os.path.normpath(folder))]
    return shutil.which(tool, path=os.pathsep.join(seen))


@cache
def version(path: str) -> str:
    """First line of what the tool at `path` says of its version."""
    flag = _VERSION_FLAGS.get(os.path.basename(path), "--version")
    said = subprocess.run([path, flag], capture_output=True, text=True, check=False)
    return (said.stdout or said.stderr).strip().partition("\n")[0]


def versions(tools: Iterable[str]) -> dict[str, str]:
    """Tool → version, of those that this machine has."""
    found = {tool: path for tool in sorted(set(tools)) if (path := _found(tool))}
    with ThreadPoolExecutor(max_workers=4) as pool:  # they wait for processes
        return dict(zip(found, pool.map(version, found.values()), strict=True))


@cache
def fast_linking(compiler: str) -> tuple[str, ...]:
    """Flags that have the compiler at that path link with mold; () where it is absent or the compiler does not know it.

    One thread and no fork: as many verifiers as cores run at the same time, and a box counts threads.
    """
    flags = ("-fuse-ld=mold", "-Wl,--threads=1,--no-fork")
    if not has_tool("mold"):
        return ()
    asked = subprocess.run([compiler, *flags, "-Wl,--version"], capture_output=True, text=True, check=False)
    return flags if asked.returncode == 0 and asked.stdout.startswith("mold") else ()
