"""Run one command under limits, in a box that keeps the host's files, network and processes out.

    with sandbox.box({"main.c": source}, Limits(cpu_s=2)) as box:
        built = box.run(["/usr/bin/gcc", "main.c"])

Needs bubblewrap; the level is proved by running attacks once per process (`level`). Not a border
against kernel exploits: the kernel is shared. docs/ARCHITECTURE.md has the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping

from haloforge.sandbox.boxes import NS, RLIMITS, Box, box_uid
from haloforge.sandbox.canaries import level, notes
from haloforge.sandbox.limits import (
    CPU_LIMIT,
    MEMORY_LIMIT,
    MIB,
    OUTPUT_LIMIT,
    VIOLATION,
    WALL_LIMIT,
    Limits,
    Outcome,
)


def box(
    files: Mapping[str, str | bytes], limits: Limits | None = None, *, level: str | None = None, slot: int = 0
) -> Box:
    """A fresh box with `files` in its /work; use it with `with`.

    Args:
        files: {relative path: content}; folders are made.
        limits: for every run that names none of its own, and for the box's disk.
        level: what `level()` said; None asks it (a tenth of a second, once per process).
        slot: distinct per box that this process holds at the same time.

    Raises:
        MissingTool: this machine cannot hold a box; the message has the remedy.
        SandboxFault: this one box could not be started.
    """
    return Box(files, limits or Limits(), level or _level(), slot)


_level = level

__all__ = [
    "CPU_LIMIT", "MEMORY_LIMIT", "MIB", "NS", "OUTPUT_LIMIT", "RLIMITS", "VIOLATION", "WALL_LIMIT",
    "Box", "Limits", "Outcome", "box", "box_uid", "level", "notes",
]  # fmt: skip
