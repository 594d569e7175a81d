"""The machine that a figure came from, named once for every benchmark."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine() -> str:
    """Name of the CPU, how many of them this process may use, kernel and Python."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cpus = len(os.sched_getaffinity(0))
    kernel, python = platform.release(), platform.python_version()
    return f"{names[0] if names else platform.machine()}, {cpus} CPUs, Linux {kernel}, Python {python}"
