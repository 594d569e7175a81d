"""What a box costs, next to a plain process with the same limits: CPU and wall milliseconds.

    python -m benchmarks.bench_sandbox --level ns

A static program that returns at once is started: in a box of its own; once more in the same box; by subprocess.run
under prlimit, without any border; and, where bubblewrap is installed, by a bare bwrap with the same namespaces. CPU is
user and system time of everything involved, this process and the zygote included, per round of `--boxes`; wall is per
start. Medians and tenth percentiles. The program is trusted: compiled here, from one line.

Then Python: a call of a function that returns at once, in boxes of several flavours, next to a Python that is started
in a box; how long the zygote of a flavour takes to start, and what it holds in memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.machine import machine
from haloforge import sandbox
from haloforge.errors import MissingTool
from haloforge.sandbox import Flavour, Limits, scratch, zygotes

LIMITS = Limits()
FURTHER = 10
STARTS = 5
FLAVOURS = {
    "plain": ("builtins",),
    "pytest": ("builtins", "pytest"),
    "numpy": ("builtins", "numpy"),
    "sympy": ("builtins", "sympy"),
}
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--level", choices=[sandbox.NS, sandbox.LANDLOCK], default=sandbox.level())
    parser.add_argument("--boxes", type=int, default=100, help="per round")
    parser.add_argument("--rounds", type=int, default=11)
    args = parser.parse_args()
    who = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    print(f"sandbox level {args.level} as {who}; {machine()}; {args.rounds} rounds of {args.boxes}")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        program = Path(folder, "nothing")
        command = ["gcc", "-static", "-O1", "-x", "c", "-", "-o", str(program)]
        subprocess.run(command, input=b"int main(void) { return 0; }", check=True)
        for name, start, per_round in [*ways(str(program), folder, args.level), *python_ways(args.level)]:
            print(measured(name, start, args.rounds, per_round or args.boxes), flush=True)
    for name, modules in FLAVOURS.items():
        if flavour := held(modules):
            print(zygote(name, flavour, args.level), flush=True)
    sandbox.close()


def ways(program: str, folder: str, level: str) -> Iterator[tuple[str, Callable[[], None], int]]:
    """(name, one start, starts per round or 0 for the usual number)."""

    def box(runs: int) -> Callable[[], None]:
        def start() -> None:
            with sandbox.box({"main.c": "int main(void) {}\n"}, LIMITS, level=level, mounts=[folder]) as box:
                for _ in range(runs):
                    if not box.run([program]).ok:
                        raise SystemExit("the program did not run in its box")

        return start

    def plain(*prefix: str) -> Callable[[], None]:
        def start() -> None:
            subprocess.run([*prefix, program], stdin=subprocess.DEVNULL, capture_output=True, check=True)

        return start

    yield "an empty box", box(0), 0
    yield "a box with one run", box(1), 0
    yield f"a box with {1 + FURTHER} runs", box(1 + FURTHER), 20
    yield "subprocess.run", plain(), 0
    yield "subprocess.run, prlimit", plain("prlimit", *prlimit_arguments()), 0
    if shutil.which("bwrap"):
        everything = ["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc"]
        yield "subprocess.run, bwrap", plain(*everything, "--tmpfs", "/dev/shm"), 0


def held(modules: tuple[str, ...]) -> Flavour | None:
    """A flavour that holds `modules`; None where they are not installed."""
    try:
        return Flavour(modules, sandbox.packages(modules))
    except MissingTool:
        return None


def python_ways(level: str) -> Iterator[tuple[str, Callable[[], None], int]]:
    """As `ways`, for a Python in a box."""
    python, _ = zygotes.interpreter(level != sandbox.NS and os.geteuid() == 0)

    def call(flavour: Flavour, calls: int) -> Callable[[], None]:
        def start() -> None:
            with sandbox.box({"main.py": "pass\n"}, LIMITS, level=level, flavour=flavour) as box:
                for _ in range(calls):
                    if not box.call("builtins:len", b"main.py").ok:
                        raise SystemExit("the function was not called in its box")

        return start

    def run() -> None:
        with sandbox.box({"main.py": "pass\n"}, LIMITS, level=level) as box:
            if not box.run([python, "-I", "-S", "main.py"]).ok:
                raise SystemExit("the program did not run in its box")

    yield "a box, python -I -S", run, 20
    for name, modules in FLAVOURS.items():
        if flavour := held(modules):
            yield f"a box, a call, {name}", call(flavour, 1), 0
    yield f"a box with {1 + FURTHER} calls, plain", call(Flavour(FLAVOURS["plain"]), 1 + FURTHER), 20


def zygote(name: str, flavour: Flavour, level: str) -> str:
    """How long a zygote of that flavour takes to start, and what it holds."""
    times, before = [], cpu_s()
    for _ in range(STARTS):
        began = time.perf_counter()
        started = zygotes.Zygote(level, (), flavour)
        times.append((time.perf_counter() - began) * 1e3)
        rollup = Path(f"/proc/{started.process.pid}/smaps_rollup").read_text()
        started.end()
    rss, private = (
        sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(keys)) / 1024
        for keys in (("Rss:",), ("Private_",))
    )
    cpu_ms = (cpu_s() - before) / STARTS * 1e3
    took = f"start {statistics.median(times):4.0f} ms, CPU {cpu_ms:4.0f} ms"
    return f"zygote, {name:16} {took}; resident {rss:.1f} MiB, {private:.1f} MiB of it private"


def prlimit_arguments() -> list[str]:
    limits = LIMITS
    return [
        f"--cpu={int(limits.cpu_s) + 2}", f"--fsize={limits.output_bytes}", f"--nofile={limits.open_files}",
        f"--stack={limits.stack_bytes}", f"--as={2 * limits.memory_bytes}", "--nproc=4096", "--core=0",
    ]  # fmt: skip


def measured(name: str, start: Callable[[], None], rounds: int, per_round: int) -> str:
    start()
    cpu_ms, wall_ms = [], []
    for _ in range(rounds):
        before = cpu_s()
        for _ in range(per_round):
            began = time.perf_counter()
            start()
            wall_ms.append((time.perf_counter() - began) * 1e3)
        cpu_ms.append((cpu_s() - before) / per_round * 1e3)
    shown = " · ".join(
        f"{kind} {statistics.median(values):6.2f} (p10 {statistics.quantiles(values, n=10)[0]:.2f})"
        for kind, values in (("CPU ms", cpu_ms), ("wall ms", wall_ms))
    )
    return f"{name:32} {shown}"


def cpu_s() -> float:
    """CPU seconds of this process, of what it waited for, and of the zygotes that live on."""
    own = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    total = sum(usage.ru_utime + usage.ru_stime for usage in own)
    for pid in scratch.descendants(os.getpid()):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        total += sum(map(int, fields[11:15])) * _TICK_S
    return total


if __name__ == "__main__":
    main()
