"""`make bench`: every benchmark, one after another, each in a process of its own; the machine is named first."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

ALL = ("bench_generator", "bench_overlap", "bench_training")


def machine() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown CPU")
    return f"{model}, {os.cpu_count()} logical CPUs, Linux {platform.release()}, Python {platform.python_version()}"


def main() -> None:
    print(machine(), flush=True)
    failed = [name for name in ALL if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
