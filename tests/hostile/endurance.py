"""Thousands of hostile programs, one after another, in one process: nothing grows, nothing stays.

`python -m tests.hostile.endurance [RUNS]` (10,000 by default) prints what the process holds on the way and exits 1
where it grew, or where something survived. Only attacks that end soon; the slow ones run out a limit each.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter

from haloforge import sandbox
from haloforge.records import Case, Prompt
from haloforge.verifiers import GCCVerifier
from tests.hostile import attacks

QUICK = (
    "builds/assembler_include_secret.c", "builds/include_environment.c", "builds/line_of_a_secret.c",
    "builds/pragmas.c", "builds/self_include.c", "daemon.c", "every_descriptor.c", "foreign_call.c", "forge_stdout.c",
    "incbin_secret.c", "kernel_files.c", "kill_everything.c", "leave_data.c", "namespaces.c", "privileges.c",
    "raise_limits.c", "starve_parent.c", "symlink.c", "trace_parent.c",
)  # fmt: skip
WARM = 200
"""Runs before the first look: caches and pools are full then."""
SPARE_KB = 2048


def held() -> dict[str, int]:
    """What this process holds: resident KB, descriptors, threads; and the resident KB of its zygotes."""
    with open("/proc/self/status") as f:
        resident = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    zygotes = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/status") as f:
                lines = dict(line.split(":\t", 1) for line in f if ":\t" in line)
        except OSError:
            continue
        if int(lines["PPid"]) == os.getpid():
            zygotes += int(lines.get("VmRSS", "0 kB").split()[0])
    return {
        "resident KB": resident, "zygotes KB": zygotes, "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
    }  # fmt: skip


def main(runs: int) -> int:
    verifier = GCCVerifier(max_workers=1, cpu_s=0.5, memory_mb=256)
    sources = [(name, attacks.source(name)) for name in QUICK]
    statuses: Counter[str] = Counter()
    start = time.monotonic()
    first: dict[str, int] = {}
    for i in range(runs + 1):
        if i in (WARM, runs) or i % max(1, runs // 10) == 0:
            now = held()
            first = now if i == WARM else first
            print(f"after {i} runs, {time.monotonic() - start:.0f} s: {now}, {dict(statuses)}", flush=True)
        if i == runs:
            break
        name, source = sources[i % len(sources)]
        case = Case("", attacks.ANSWERS.get(name, ["blind" if name.startswith(attacks.BUILDS) else ""])[0])
        statuses[verifier.verify(source, Prompt(name, name, "c", (case,))).status] += 1
    left = attacks.survivors()
    grew = {key: (first[key], now[key]) for key in now if now[key] > first[key] + (SPARE_KB if "KB" in key else 0)}
    verifier.cleanup()
    after = attacks.survivors()
    print(f"grew: {grew or 'nothing'}; survivors: {left + after or 'none'}; infra errors: {statuses['infra_error']}")
    return int(bool(grew or after or statuses["infra_error"]))


if __name__ == "__main__":
    sandbox.level()
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
