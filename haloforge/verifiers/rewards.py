"""What each status is worth. The one table of rewards; nothing else in haloforge knows a number."""

from __future__ import annotations

from haloforge import records as r

WITH_WARNINGS = 0.3
"""`compiled`, but with warnings, where `warnings: penalise`."""
ALSO_RAN = 0.7
"""`compiled`, and the program also ran to a good end (`run_after_compile`)."""

GCC: dict[str, float | None] = {
    r.PASSED: 1.0,
    r.COMPILED: 0.5,
    r.WRONG_ANSWER: 0.7,
    r.TESTS_FAILED: 0.5,
    r.RUNTIME_ERROR: 0.5,
    r.TIMEOUT: 0.5,
    r.MEMORY_LIMIT: 0.5,
    r.OUTPUT_LIMIT: 0.5,
    r.COMPILE_ERROR: 0.0,
    r.NO_CODE: 0.0,
    r.VIOLATION: 0.0,
    r.UNKNOWN: None,
    r.INFRA_ERROR: None,
}
"""Compiled languages with checks, or none."""


def gcc(status: str, passed: int, total: int) -> float | None:
    return GCC[status]


def execution(status: str, passed: int, total: int) -> float | None:
    """0.5 for a program that builds, the other half by the share of cases passed."""
    reward = GCC[status]
    built = status in r.BUILT and total > 0
    return 0.5 + 0.5 * passed / total if built else reward
