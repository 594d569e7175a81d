"""`make bench`: every benchmark, one after another, each in a process of its own; the machine is named first."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.machine import machine

ALL = ("bench_generator", "bench_overlap", "bench_sandbox", "bench_training", "bench_verify")


def main() -> None:
    print(machine(), flush=True)
    failed = [name for name in ALL if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
