"""Run one command under limits, in a box that keeps the host's files, network and processes out.

    with sandbox.box({"main.c": source}, Limits(cpu_s=2)) as box:
        built = box.run(["/usr/bin/gcc", "main.c"])

The level is proved by running attacks once per process (`level`). Not a border against kernel exploits: the kernel
is shared. docs/SANDBOX.md says what each level holds; docs/ARCHITECTURE.md has the reasons.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from haloforge.sandbox.boxes import Box, box_uid
from haloforge.sandbox.canaries import level, notes
from haloforge.sandbox.flavours import Flavour, packages
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
from haloforge.sandbox.protocol import LANDLOCK, NS, RLIMITS
from haloforge.sandbox.zygotes import end_idle


def box(
    files: Mapping[str, str | bytes],
    limits: Limits | None = None,
    *,
    level: str | None = None,
    slot: int = 0,
    mounts: Sequence[str] = (),
    talks: bool = False,
    flavour: Flavour | None = None,
    channel: socket.socket | None = None,
) -> Box:
    """A fresh box with `files` in its /work; use it with `with`.

    Args:
        files: {relative path: content}; folders are made.
        limits: for every run that names none of its own, and for the box's disk.
        level: what `level()` said; None asks it (a tenth of a second, once per process).
        slot: distinct per box that this process holds at the same time.
        mounts: more folders or files of the host that the box sees, read-only, under their own absolute paths.
        talks: for one command that is asked again and again (`Box.start`, `Box.ask`) instead of `Box.run`.
        flavour: the box holds a Python that has imported these modules, for `Box.call`.
        channel: an end of a connected socket pair, which the first call gets as its descriptor 3; needs a flavour. The
            box takes it over: no copy is kept here, so the other end reads an end of file when the call has ended.

    Raises:
        ValueError: a name in `files` leaves the box.
        MissingTool: this machine cannot hold a box, or not a module of `flavour`; the message has the remedy.
        SandboxFault: this one box could not be started.
    """
    return Box(files, limits or Limits(), level or _level(), slot, mounts, talks, flavour, channel)


def close() -> None:
    """Give back what this process holds between boxes; the next box starts it again."""
    end_idle()


_level = level

__all__ = [
    "CPU_LIMIT", "LANDLOCK", "MEMORY_LIMIT", "MIB", "NS", "OUTPUT_LIMIT", "RLIMITS", "VIOLATION", "WALL_LIMIT",
    "Box", "Flavour", "Limits", "Outcome", "box", "box_uid", "close", "level", "notes", "packages",
]  # fmt: skip
