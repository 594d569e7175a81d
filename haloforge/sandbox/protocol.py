"""What the owner of a box, its zygote and its process 1 say to each other.

Towards the box: one marshalled tuple, its length first. From the box: fixed records only, because a sample is near.
"""

from __future__ import annotations

import marshal
import os
from struct import Struct

TYPE_CHECKING = False  # importing typing would make every clone larger
if TYPE_CHECKING:
    from typing import Any

NS, LANDLOCK, RLIMITS = "ns", "landlock", "rlimits"
LEVELS = (NS, LANDLOCK, RLIMITS)
"""Strongest first."""

REPORT = Struct("<iidqdi")
"""exit code, signal, cpu_s, peak bytes, wall_s, how it ended (index into ENDINGS)."""
ENDINGS = (None, "cpu_limit", "wall_limit", "memory_limit", "output_limit", "violation")
BY_CPU, BY_WALL, BY_MEMORY, BY_OUTPUT, BY_VIOLATION = 1, 2, 3, 4, 5
BY_US = 6
"""Not in ENDINGS: the run failed for a reason of ours, such as no process to be had; stderr has it."""
BUSY_FACTOR = 5
"""Waiting for a processor that others use is no idling; it ends after so many wall limits."""

UP, ENDED, KILL = b"up", b"ended", b"kill"
"""A zygote stands; its box is gone with all its processes; end the box now."""

MOST_WORDS = 1 << 16
"""Bytes of the message that tells a zygote what it is for."""

CHANNEL_FD = 3
"""Where a call finds the channel of its box."""

_LENGTH = Struct("<Q")


def packed(message: tuple[Any, ...]) -> bytes:
    blob = marshal.dumps(message)
    return _LENGTH.pack(len(blob)) + blob


def read_message(fd: int) -> tuple[Any, ...] | None:
    """The next message on `fd`, None at end of file."""
    head = _read(fd, _LENGTH.size)
    blob = _read(fd, _LENGTH.unpack(head)[0]) if head else None
    return marshal.loads(blob) if blob else None


def _read(fd: int, count: int) -> bytes | None:
    parts = []
    while count:
        part = os.read(fd, min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def whole(fd: int) -> bytes:
    """What the file `fd` holds."""
    size = os.fstat(fd).st_size
    os.lseek(fd, 0, os.SEEK_SET)
    return _read(fd, size) or b""


def send(fd: int, data: bytes | memoryview) -> None:
    while data:
        data = data[os.write(fd, data) :]
