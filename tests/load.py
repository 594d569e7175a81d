"""The same programs judged by 1, 2, 4 and 8 workers while something else burns every core: all verdicts the same.

`python -m tests.load [PROGRAMS]` (500 by default) prints the table and exits 1 where a verdict differs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from haloforge.records import Case, Prompt
from haloforge.verifiers import GCCVerifier

LIMIT_S = 0.5
BURN = """#include <stdio.h>
#include <time.h>
int main(void) {
    int n;
    if (scanf("%%d", &n) != 1) return 1;
    while (clock() < %.3f * CLOCKS_PER_SEC);
    printf("%%d\\n", n + %d);
    return 0;
}
"""
HANG = "#include <stdio.h>\nint main(void) { volatile int x = %d; for (;;) x++; }\n"
SLEEP = "#include <unistd.h>\nint main(void) { sleep(1000 + %d); return 0; }\n"


def programs(count: int) -> list[tuple[str, str]]:
    """(source, status): most right, many of them at 25–60% of their CPU limit, some wrong, some that time out."""
    made = []
    for i in range(count):
        if i % 25 == 24:
            made.append((SLEEP % i if i % 100 == 99 else HANG % i, "timeout"))
        elif i % 10 == 9:
            made.append((BURN % (0, i + 1), "wrong_answer"))
        else:
            share = 0.25 + 0.35 * (i % 8) / 7 if i % 2 else 0.0
            made.append((BURN % (share * LIMIT_S, i), "passed"))
    return made


@contextmanager
def burning(count: int) -> Iterator[None]:
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def judged(made: Sequence[tuple[str, str]], workers: int) -> list[str]:
    """The statuses by `workers` verifiers at once, whatever the number of cores."""
    free = [GCCVerifier(max_workers=1, slot=n, cpu_s=LIMIT_S) for n in range(workers)]

    def one(i: int) -> str:
        verifier = free.pop()
        try:
            case = Case("1", f"{i + 1}")
            return verifier.verify(made[i][0], Prompt(str(i), "load", "c", (case,))).status
        finally:
            free.append(verifier)

    try:
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(one, range(len(made))))
    finally:
        free[0].cleanup()


def main(count: int) -> int:
    made = programs(count)
    expected = [status for _, status in made]
    wrong = 0
    print(f"{count} programs: {dict(Counter(expected))}; {os.cpu_count()} cores, as many burning\n")
    print("| workers | verdicts that differ | seconds |\n|--|--|--|")
    with burning(os.cpu_count() or 1):
        for workers in (1, 2, 4, 8):
            start = time.monotonic()
            found = judged(made, workers)
            different = [(i, e, f) for i, (e, f) in enumerate(zip(expected, found, strict=True)) if e != f]
            wrong += len(different)
            print(
                f"| {workers} | {len(different)} {different[:5] or ''} | {time.monotonic() - start:.0f} |", flush=True
            )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
