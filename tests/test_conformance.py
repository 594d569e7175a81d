"""Real programs with known verdicts must get the status that their set names.

By default every C and C++ row with cases and a share of the compile-only rows; HALOFORGE_CONFORMANCE=full takes all.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from haloforge.tasks.prompts import parse_prompt
from haloforge.verifiers import get_verifier

pytestmark = pytest.mark.sandbox

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
REWARDS = {"passed": 1.0, "compiled": 0.5, "wrong_answer": 0.7, "compile_error": 0.0}
"""Of the statuses not named here: 0.5."""
SETS = {"stdio_kth_2013_2015": 57, "stdio_po_training": 36, "problemtools_examples": 11, "limits_conformance": 12}
"""Rows in C and C++ with cases, counted by hand."""


def rows(name):
    folder = os.environ.get("HALOFORGE_TEST_DATA")
    if not folder:
        pytest.skip("HALOFORGE_TEST_DATA is not set")
    lines = Path(folder, f"{name}.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["language"] in ("c", "cpp")]


def judge(chosen):
    """[(id, verdict, status, details)] of the rows whose status or reward is not what their set says."""
    verifier = get_verifier("gcc", max_workers=2)
    tasks = [parse_prompt({**row, "prompt": row.get("prompt") or "none"}) for row in chosen]
    wrong = []
    for row, result in zip(chosen, verifier.verify_batch([row["code"] for row in chosen], tasks), strict=True):
        allowed = set().union(*(STATUSES[verdict] for verdict in {row["verdict"], *row.get("accept", [])}))
        if result.status not in allowed or result.reward != REWARDS.get(result.status, 0.5) or result.level != "ns":
            wrong.append((row["id"], row["verdict"], result.status, result.details, result.error))
    return wrong


@pytest.mark.parametrize("name", SETS)
def test_programs_with_cases_get_the_verdict_of_their_set(name):
    chosen = rows(name)
    assert len(chosen) == SETS[name]
    assert judge(chosen) == []


def test_programs_that_are_only_compiled_get_the_verdict_of_their_set():
    chosen = rows("codeforces_cpp_r1_compile")
    assert len(chosen) == 250
    if os.environ.get("HALOFORGE_CONFORMANCE") != "full":
        good = [row for row in chosen if row["verdict"] == "compiles"]
        chosen = [row for row in chosen if row["verdict"] != "compiles"] + good[::15]
    assert judge(chosen) == []
