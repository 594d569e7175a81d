"""Real programs with known verdicts: every one must get the status that its set names.

`python -m tests.conformance [SET …]` judges all rows of the sets and prints the table; tests/test_conformance.py takes
a stratified part. Rows in languages that no verifier knows yet are left out, and counted.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haloforge.records import VerifyResult
from haloforge.tasks.answers import Answer, parse_answer
from haloforge.verifiers import MultiLanguageVerifier, get_verifier, verdict

STATUSES = {
    "pass": {"passed"},
    "compiles": {"compiled"},
    "wrong_answer": {"wrong_answer", "tests_failed"},
    "runtime_error": {"runtime_error", "tests_failed"},
    "memory": {"memory_limit", "runtime_error"},
    "compile_error": {"compile_error"},
    "timeout": {"timeout"},
    "output_limit": {"output_limit"},
}
"""What a set says → what we may say."""
SETS = (
    "humanevalx_cpp", "humanevalx_rust", "humanevalx_go", "humanevalpack_cpp", "humanevalpack_rust",
    "humanevalpack_go", "multiple_gpt_cpp", "multiple_gpt_rust", "multiple_gpt_go", "multiple_gpt_csharp",
    "exercism_rust", "exercism_go", "stdio_kth_2013_2015", "stdio_po_training", "problemtools_examples",
    "limits_conformance", "codeforces_cpp_r1_compile", "windows_mingw_compile",
)  # fmt: skip
COMPLETIONS = ("multiple_gpt_cpp", "multiple_gpt_rust", "multiple_gpt_go", "multiple_gpt_csharp")
"""Sets whose rows also have the raw answer, which must come to the verdict of its code."""
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("MultiPL-E/go/HumanEval_39_prime_fib", "completion"): "all given tests pass; under go test an Example of the "
    "answer's own fails, which goes where the tests bring the entry point",
    (
        "HumanEval-X/Go/95",
        "code",
    ): "loops over a map, whose order Go draws anew each time, and stops at its second key: "
    "of {p, A, B} it says what its tests want or the contrary",
}
"""(row, field) → why the row itself is wrong."""


@dataclass(frozen=True)
class Judged:
    row: dict[str, Any]
    result: VerifyResult
    field: str = "code"

    @property
    def excepted(self) -> str:
        return EXCEPTIONS.get((self.row["id"], self.field), "")

    @property
    def right(self) -> bool:
        named = {self.row["verdict"], *self.row.get("accept", [])}
        return self.result.status in set().union(*(STATUSES[verdict] for verdict in named))


def data_folder() -> Path | None:
    named = os.environ.get("HALOFORGE_TEST_DATA")
    return Path(named) if named else None


def rows(folder: Path, name: str) -> tuple[list[dict[str, Any]], int]:
    """(the rows of a set in languages that we judge, how many others it has)."""
    everything = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
    known = [row for row in everything if row["language"] in MultiLanguageVerifier.rows]
    return known, len(everything) - len(known)


def part(chosen: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """At most `most` rows of each language and verdict, evenly spread."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in chosen:
        groups[row["language"], row["verdict"]].append(row)
    return [group[i * len(group) // min(most, len(group))] for group in groups.values()
            for i in range(min(most, len(group)))]  # fmt: skip


def judge(chosen: Iterable[dict[str, Any]], field: str = "code", workers: int | None = None) -> list[Judged]:
    """Each row's verdict by the verifier `auto`."""
    from concurrent.futures import ThreadPoolExecutor

    verifier = get_verifier("auto", max_workers=workers or os.cpu_count() or 1)
    chosen = list(chosen)
    answers = [answer(row, field) for row in chosen]
    try:
        with ThreadPoolExecutor(verifier.max_workers) as pool:
            results = list(pool.map(lambda a: verdict(verifier, a.text, a.task, a.as_it_stands), answers))
    finally:
        verifier.cleanup()
    return [Judged(row, result, field) for row, result in zip(chosen, results, strict=True)]


def answer(row: dict[str, Any], field: str) -> Answer:
    other = {"code": "completion", "completion": "code"}[field]
    return parse_answer({key: value for key, value in row.items() if key != other})


def main(names: Sequence[str]) -> int:
    folder = data_folder()
    if folder is None:
        print("set HALOFORGE_TEST_DATA to the folder with the sets", file=sys.stderr)
        return 2
    print("| set | rows | right | wrong | CPU s per row | statuses |\n|--|--|--|--|--|--|")
    wrong: list[Judged] = []
    for name in names or SETS:
        for field in ("code", "completion") if name in COMPLETIONS else ("code",):
            chosen, others = rows(folder, name)
            judged = judge(chosen, field)
            bad = [one for one in judged if not one.right]
            wrong += bad
            said = ", ".join(f"{n} {s}" for s, n in Counter(one.result.status for one in judged).most_common())
            cpu_s = sum(one.result.cpu_s for one in judged) / max(1, len(judged))
            left = f" (and {others} in other languages)" if others else ""
            title = f"{name}{' (raw answers)' if field == 'completion' else ''}"
            print(f"| {title} | {len(judged)}{left} | {len(judged) - len(bad)} | {len(bad)} | {cpu_s:.2f} | {said} |")
    for one in wrong:
        print(f"{one.row['id']}: {one.row['verdict']}, but {one.result.status}: {one.result.details} {one.excepted}")
    return int(any(not one.excepted for one in wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
