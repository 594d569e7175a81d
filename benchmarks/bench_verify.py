"""CPU time and samples per second of verification, beside the least that it can cost and beside the usual ways.

Every way judges the same trusted programs (their authors' own correct solutions) on one core, all ways on one program
before the next; a ratio compares two ways in the same round, and the median of the rounds' ratios is shown.

    (a) limit        the bare compiler with our flags, linker and precompiled header, then the bare program per case:
                     posix_spawn from a few lines of code, no sandbox, no comparison
    (b) plain        subprocess.run at the same -O, without precompiled header or fast linker
    (c) predecessor  subprocess.run with the flags and processes of halo-forge's verifiers: with cases `g++ main.cpp`,
                     else `g++ -w -O2 main.cpp` and a run under its limits

    make bench-verify, or python -m benchmarks.bench_verify [--rounds 5] [--programs 8] [--no-pool]

Programs come from the data sets in HALOFORGE_TEST_DATA, else from the few below. Not here: single boxes
(bench_sandbox).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.bench_sandbox import cpu_s
from benchmarks.machine import machine
from haloforge.records import Case, Prompt, Sample
from haloforge.tasks.prompts import parse_task
from haloforge.verifiers import GCCVerifier
from haloforge.verifiers.languages import Unit
from haloforge.verifiers.toolchain import tool_path

CASES = 10
LONGEST_RUN_S = 0.02
"""Programs with a longer run are left out: their own time would hide what judging them costs."""
ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8"}
SUM = "int main() { long long n, x, s = 0; std::cin >> n; while (n-- && std::cin >> x) s += x; std::cout << s; }"
SORTED = """
int main() {
    int n; std::cin >> n; std::vector<std::string> words(n); std::map<std::string, int> count;
    for (auto &w : words) std::cin >> w, count[w]++;
    std::sort(words.begin(), words.end(), [&](auto &a, auto &b) { return count[a] != count[b] ? count[a] > count[b] : a < b; });
    words.erase(std::unique(words.begin(), words.end()), words.end());
    for (auto &w : words) std::cout << w << ' ' << count[w] << '\\n';
}
"""  # noqa: E501
BUILT_IN = {
    "ordinary headers": {
        "sum": ("#include <iostream>\n" + SUM, "3\n1 2 3\n", "6"),
        "words": (
            "".join(f"#include <{name}>\n" for name in ("iostream", "map", "string", "vector", "algorithm")) + SORTED,
            "4\nb a b c\n",
            "b 2\na 1\nc 1\n",
        ),
    },
    "bits/stdc++.h": {
        "sum": ("#include <bits/stdc++.h>\n" + SUM, "3\n1 2 3\n", "6"),
        "words": ("#include <bits/stdc++.h>\n" + SORTED, "4\nb a b c\n", "b 2\na 1\nc 1\n"),
    },
    "C": {
        "sum": (
            "#include <stdio.h>\n#include <stdlib.h>\n"
            "int main(void) { long n, x, s = 0; if (scanf(\"%ld\", &n) != 1) exit(1);"
            " while (n-- && scanf(\"%ld\", &x) == 1) s += x; printf(\"%ld\\n\", s); return 0; }\n",
            "3\n1 2 3\n",
            "6",
        ),
    },
}  # fmt: skip


@dataclass(frozen=True)
class Work:
    """One program to judge."""

    name: str
    code: str
    task: Prompt

    @property
    def source(self) -> str:
        return "main.c" if self.task.language == "c" else "main.cpp"

    @property
    def whole(self) -> str:
        """What the bare compiler gets: an appended test behind the program."""
        return f"{self.code}\n{self.task.tests}\n" if self.task.tests else self.code


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--programs", type=int, default=8, help="of each kind, at most")
    parser.add_argument("--no-pool", action="store_true", help="leave out the comparison through Ray")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="haloforge-bench-") as folder:
        os.environ["HALOFORGE_HOME"] = f"{folder}/home"  # precompiled headers of this run only
        kinds = programs(2 * options.programs)
        with one_core():
            verifier = GCCVerifier(max_workers=1)
            verifier.headers.pays_after = 1
            print(f"{machine()}; level {verifier.level}; 1 core, {options.rounds} rounds, CPU ms per sample")
            print(f"{'':42}    ours  (a) limit  (b) plain  (c) pred.  median ratio within a round", flush=True)
            for kind, works in kinds.items():
                kinds[kind] = warmed(verifier, works, options.programs, folder)
                compare(kind, verifier, kinds[kind], options.rounds, folder)
            types_only(verifier, kinds["ordinary headers"], options.rounds, folder)
            types_only(verifier, kinds["bits/stdc++.h"], options.rounds, folder)
            verifier.cleanup()
        if not options.no_pool:
            pool(kinds["ordinary headers"], options.rounds)


def compare(kind: str, verifier: GCCVerifier, works: Sequence[Work], rounds: int, folder: str) -> None:
    ways: dict[str, Callable[[Work], None]] = {
        "ours": lambda work: judged(verifier, work),
        "a": lambda work: limit(verifier, work, folder),
        "b": lambda work: plain(verifier, work, folder),
        "c": lambda work: predecessor(work, folder),
    }
    cpu_ms, per_s = measured(ways, works, rounds)
    ratios = {
        "ours ÷ (a)": ratio(cpu_ms["ours"], cpu_ms["a"]),
        "(b) ÷ ours": ratio(cpu_ms["b"], cpu_ms["ours"]),
        "(c) ÷ ours": ratio(cpu_ms["c"], cpu_ms["ours"]),
    }
    runs = f"{CASES} cases" if works[0].task.cases else "1 run"
    figures, speeds = (
        "  ".join(f"{statistics.median(by_way[way]):9.1f}" for way in ways)[1:] for by_way in (cpu_ms, per_s)
    )
    shown = " · ".join(f"{name} {value:.2f}" for name, value in ratios.items())
    print(f"{f'{kind}, {len(works)} programs, {runs}':42}{figures}  {shown}")
    print(f"{'    samples/s':42}{speeds}", flush=True)


def types_only(verifier: GCCVerifier, works: Sequence[Work], rounds: int, folder: str) -> None:
    """`check_only` against a full build, neither with cases; the build as a plain call of the compiler, and ours."""
    works = [
        Work(work.name, work.code, replace(work.task, tests="", cases=(), tests_kind="compile_only")) for work in works
    ]
    checker = GCCVerifier(max_workers=1, check_only=True)
    ways: dict[str, Callable[[Work], None]] = {
        "check": lambda work: judged(checker, work, "compiled"),
        "build": lambda work: judged(verifier, work, "compiled"),
        "plain": lambda work: plain(verifier, work, folder),
    }
    cpu_ms, per_s = measured(ways, works, rounds)
    print(
        f"check_only, {kinds_of(works[0].code)}: {statistics.median(cpu_ms['check']):.1f} CPU ms, "
        f"{statistics.median(per_s['check']):.1f} samples/s; a full build {statistics.median(cpu_ms['build']):.1f} "
        f"({ratio(cpu_ms['build'], cpu_ms['check']):.2f} ×), by a plain compiler "
        f"{statistics.median(cpu_ms['plain']):.1f} ({ratio(cpu_ms['plain'], cpu_ms['check']):.2f} ×)",
        flush=True,
    )


def measured(
    ways: dict[str, Callable[[Work], None]], works: Sequence[Work], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """(CPU ms per sample, samples per second) of each way, one figure per round."""
    cpu_ms: dict[str, list[float]] = {name: [] for name in ways}
    per_s: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        used, took = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0)
        for number, work in enumerate(works):  # all ways on one program, so that they meet the same machine
            for name in list(ways) if number % 2 == 0 else list(reversed(ways)):
                before, start = cpu_s(), time.perf_counter()
                ways[name](work)
                took[name] += time.perf_counter() - start
                used[name] += cpu_s() - before
        for name in ways:
            cpu_ms[name].append(used[name] / len(works) * 1e3)
            per_s[name].append(len(works) / took[name])
    return cpu_ms, per_s


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def judged(verifier: GCCVerifier, work: Work, wanted: str = "passed") -> None:
    result = verifier.verify(work.code, work.task, as_it_stands=True)
    if result.status != wanted:
        raise SystemExit(f"{work.name}: {result.status}, wanted {wanted}: {result.details} {result.error}")


def limit(verifier: GCCVerifier, work: Work, folder: str) -> None:
    """The compiler as we call it, then the program once per case."""
    spawn(command(verifier, work, folder, precompiled=True), folder)
    run_cases(work, folder)


def run_cases(work: Work, folder: str) -> None:
    for case in work.task.cases or (Case("", ""),):
        Path(folder, "in").write_text(case.stdin)
        spawn(["./program"], folder, "in")


def spawn(argv: list[str], folder: str, stdin: str = os.devnull) -> None:
    out = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    here = os.getcwd()
    os.chdir(folder)
    try:
        files = [(os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0)]
        files += [(os.POSIX_SPAWN_OPEN, fd, f"out{fd}", out, 0o600) for fd in (1, 2)]
        pid = os.posix_spawn(argv[0], argv, ENVIRONMENT, file_actions=files)
    finally:
        os.chdir(here)
    if status := os.waitpid(pid, 0)[1]:
        raise SystemExit(f"{' '.join(argv)} ended with {status}: {Path(folder, 'out2').read_text()[:300]}")


def command(verifier: GCCVerifier, work: Work, folder: str, precompiled: bool) -> list[str]:
    """Our row's command line for `work`, whose source is written into `folder`."""
    Path(folder, work.source).write_text(work.whole)
    built = verifier.rows[work.task.language or "cpp"].build(Unit(work.source, {work.source: work.whole}))
    tool, *words = built.commands[0]
    if precompiled:
        return [tool_path(tool), *(verifier.headers.flags(built.preamble) if built.preamble else ()), *words]
    return [tool_path(tool), *(word for word in words if not word.startswith(("-fuse-ld", "-Wl")))]


def plain(verifier: GCCVerifier, work: Work, folder: str) -> None:
    subprocess.run(command(verifier, work, folder, precompiled=False), cwd=folder, capture_output=True, check=True)
    if work.task.has_checks:
        run_each(work, folder, timeout=10)


def predecessor(work: Work, folder: str) -> None:
    """halo-forge: Execution compiles with no flags at all, GCC with -w -O2 and runs under its limits."""
    Path(folder, work.source).write_text(work.whole)
    flags = [] if work.task.cases else ["-w", "-O2"]
    argv = [tool_path("g++"), *flags, work.source, "-o", "program"]
    if subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=30).returncode:
        argv[1:1] = ["-x", "c"] if work.source == "main.c" else ["-std=gnu++20"]  # it would have said 0
        subprocess.run(argv, cwd=folder, capture_output=True, check=True, timeout=30)
    run_each(work, folder, timeout=5, limited=not work.task.cases)


def run_each(work: Work, folder: str, timeout: float, limited: bool = False) -> None:
    for case in work.task.cases or (Case("", ""),):
        subprocess.run(
            ["./program"],
            cwd=folder,
            input=case.stdin,
            capture_output=True,
            text=True,
            check=True,
            timeout=timeout,
            preexec_fn=its_limits if limited else None,
        )


def its_limits() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (5, 5))


def programs(most: int) -> dict[str, list[Work]]:
    """Kind → correct programs, each with as many cases as CASES, or with one appended test."""
    data = os.environ.get("HALOFORGE_TEST_DATA")
    if not data:
        return {
            kind: [
                Work(name, code, Prompt(name, "", language(kind), (Case(stdin, expected),) * CASES))
                for name, (code, stdin, expected) in some.items()
            ]
            for kind, some in BUILT_IN.items()
        }
    found: dict[str, list[Work]] = {kind: [] for kind in BUILT_IN}
    for row in itertools.chain(*(rows(data, f"stdio_{name}") for name in ("po_training", "kth_2013_2015"))):
        kind = "C" if row["language"] == "c" else kinds_of(row["code"])
        task = parse_task({key: value for key, value in row.items() if key != "code"})
        cases = tuple(itertools.islice(itertools.cycle(task.cases), CASES))
        found[kind].append(Work(row["id"], row["code"], replace(task, cases=cases)))
    found["C"] += [
        Work(name, code, Prompt(name, "", "c", (Case(stdin, expected),) * CASES))
        for name, (code, stdin, expected) in BUILT_IN["C"].items()
    ]
    found["appended test"] = [
        Work(row["id"], row["code"], parse_task({key: value for key, value in row.items() if key != "code"}))
        for row in rows(data, "humanevalx_cpp")
    ]
    return {kind: works[:: max(1, len(works) // most)][:most] for kind, works in found.items()}


def language(kind: str) -> str:
    return "c" if kind == "C" else "cpp"


def kinds_of(code: str) -> str:
    return "bits/stdc++.h" if "bits/stdc++.h" in code else "ordinary headers"


def rows(data: str, name: str) -> Iterator[dict[str, Any]]:
    """The C and C++ programs of a set that are known to be right."""
    for line in Path(data, f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["verdict"] == "pass" and row["language"] in ("c", "cpp"):
            yield row


def warmed(verifier: GCCVerifier, works: Sequence[Work], most: int, folder: str) -> list[Work]:
    """The first `most` whose runs are short, each judged once so that its headers are precompiled."""
    short: list[Work] = []
    for work in works:
        if len(short) < most:
            judged(verifier, work)
            spawn(command(verifier, work, folder, precompiled=True), folder)
            before = children_cpu_s()
            run_cases(work, folder)
            if children_cpu_s() - before <= LONGEST_RUN_S * max(1, len(work.task.cases)):
                short.append(work)
    return short


def children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def one_core() -> Iterator[None]:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


_worker: GCCVerifier | None = None


def start_worker() -> None:
    global _worker
    _worker = GCCVerifier(max_workers=1)
    _worker.prepare()


def worker_judges(work: Work) -> str:
    assert _worker
    return _worker.verify(work.code, work.task).status


def pool(works: Sequence[Work], rounds: int, samples: int = 48) -> None:
    """Samples per second of verifier actors and of as many plain processes, on all cores."""
    from actors.cluster import connect
    from actors.pool import VerifierPool

    works = [work for work, _ in zip(itertools.cycle(works), range(samples), strict=False)]
    count = len(os.sched_getaffinity(0))
    with (
        connect("bench-verify") as cluster,
        asyncio.Runner() as runner,
        ProcessPoolExecutor(count, get_context("spawn"), start_worker) as processes,
    ):
        actors = VerifierPool([cluster.nodes[0]] * count, "gcc", {})

        async def judge_all() -> list[str]:
            await actors.start()
            results = await asyncio.gather(
                *(
                    actors.judge(Sample(f"1/{number}", work.task.id, 1, 0, work.code, (), (), "stop"), work.task)
                    for number, work in enumerate(works)
                )
            )
            return [result.status for result in results]

        ways: dict[str, Callable[[], list[str]]] = {
            "Ray pool": lambda: runner.run(judge_all()),
            "plain workers": lambda: list(processes.map(worker_judges, works)),
        }
        per_s: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name in list(ways) if number % 2 else list(reversed(ways)):
                start = time.perf_counter()
                statuses = ways[name]()
                seconds = time.perf_counter() - start
                if set(statuses) != {"passed"}:
                    raise SystemExit(f"{name}: {sorted(set(statuses))}")
                if number:  # the first round starts the workers
                    per_s[name].append(samples / seconds)
    figures = ", ".join(f"{name} {statistics.median(values):.2f} samples/s" for name, values in per_s.items())
    print(f"{count} workers, C++ with {CASES} cases: {figures}, ratio {ratio(*per_s.values()):.3f}", flush=True)


if __name__ == "__main__":
    main()
