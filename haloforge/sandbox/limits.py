"""The words of the sandbox: how much a run may use, and what became of it."""

from __future__ import annotations

import resource
from dataclasses import dataclass

MIB = 1 << 20

CPU_LIMIT = "cpu_limit"
WALL_LIMIT = "wall_limit"
MEMORY_LIMIT = "memory_limit"
OUTPUT_LIMIT = "output_limit"
VIOLATION = "violation"

SPARE_ADDRESS_SPACE = 64 * MIB
"""Code, libraries and stacks. Reserved memory is not used memory, so the address space may be twice the limit,
plus this; what is resident is watched."""
FEWEST_FILES = 32
"""The box's own process 1 needs a few descriptors under the same limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run in a box may use. `disk_bytes` counts for the whole box; every other limit may change per run."""

    cpu_s: float = 10.0
    """CPU seconds, user and system, summed over the process tree."""
    wall_s: float = 30.0
    """Seconds by the clock that a run may idle, all its processes asleep; busy, or waiting for a processor that
    others use, it may take five times as long."""
    memory_bytes: int = 512 * MIB
    """Resident memory of the process tree; address space per process is capped at twice this plus 64 MiB."""
    output_bytes: int = 16 * MIB
    """Largest file that the run may write: stdout, stderr and each file on disk."""
    processes: int = 64
    """Processes and threads that may live at the same time."""
    stack_bytes: int = 64 * MIB
    open_files: int = 128
    disk_bytes: int = 64 * MIB
    """Size of the box's /work, and once more of its /tmp."""


def resources(limits: Limits, helpers: int) -> list[tuple[int, int]]:
    """(resource, value) of `limits` as the kernel counts them: per process, but processes per user id.

    `helpers`: how many of the user's processes are not the sample's.
    """
    address_space = 2 * limits.memory_bytes + SPARE_ADDRESS_SPACE
    return [
        (resource.RLIMIT_CPU, int(limits.cpu_s) + 2),
        (resource.RLIMIT_FSIZE, limits.output_bytes),
        (resource.RLIMIT_NOFILE, max(limits.open_files, FEWEST_FILES)),
        (resource.RLIMIT_STACK, limits.stack_bytes),
        (resource.RLIMIT_NPROC, limits.processes + helpers),
        (resource.RLIMIT_AS, address_space),
    ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run ended. It says what happened, not whether that is good."""

    exit_code: int | None
    """None where a signal ended it or its box died under it."""
    signal: int | None
    stdout: bytes
    stderr: bytes
    cpu_s: float
    """CPU seconds of the process tree."""
    wall_s: float
    peak_bytes: int
    """Largest resident size seen (of one process at its end, of the tree while it ran); a few MB are the box's own."""
    ended_by: str | None
    """None | cpu_limit | wall_limit | memory_limit | output_limit | violation."""
    level: str

    @property
    def ok(self) -> bool:
        """The run ended by itself with exit code 0."""
        return self.ended_by is None and self.exit_code == 0
