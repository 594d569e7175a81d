"""What each status is worth. The one table of rewards; nothing else in haloforge knows a number."""

from __future__ import annotations

from enum import Enum

from haloforge import records as r


class RewardLevel(float, Enum):
    """What compiled languages earn, step by step."""

    FAILURE = 0.0
    COMPILE_WARNINGS = 0.3
    """`compiled`, but with warnings, where `warnings: penalise`."""
    COMPILE_CLEAN = 0.5
    RUNS_NO_CRASH = 0.7
    """Ran to its end: with wrong output, or without checks (`run_after_compile`)."""
    CORRECT_OUTPUT = 1.0


_LEVELS: dict[str, RewardLevel | None] = {
    r.PASSED: RewardLevel.CORRECT_OUTPUT,
    r.COMPILED: RewardLevel.COMPILE_CLEAN,
    r.WRONG_ANSWER: RewardLevel.RUNS_NO_CRASH,
    r.TESTS_FAILED: RewardLevel.COMPILE_CLEAN,
    r.RUNTIME_ERROR: RewardLevel.COMPILE_CLEAN,
    r.TIMEOUT: RewardLevel.COMPILE_CLEAN,
    r.MEMORY_LIMIT: RewardLevel.COMPILE_CLEAN,
    r.OUTPUT_LIMIT: RewardLevel.COMPILE_CLEAN,
    r.COMPILE_ERROR: RewardLevel.FAILURE,
    r.NO_CODE: RewardLevel.FAILURE,
    r.VIOLATION: RewardLevel.FAILURE,
    r.UNKNOWN: None,
    r.INFRA_ERROR: None,
}
GCC: dict[str, float | None] = {status: None if level is None else level.value for status, level in _LEVELS.items()}
"""Compiled languages with checks, or none."""


def gcc(status: str, passed: int, total: int) -> float | None:
    return GCC[status]


def execution(status: str, passed: int, total: int) -> float | None:
    """0.5 for a program that builds, the other half by the share of cases passed."""
    reward = GCC[status]
    built = status in r.BUILT and total > 0
    return 0.5 + 0.5 * passed / total if built else reward


def tests(status: str, passed: int, total: int) -> float | None:
    """All or nothing: test code of a language that is not compiled."""
    return None if status in r.UNDECIDED else float(status == r.PASSED)


def pytest(status: str, passed: int, total: int) -> float | None:
    """Half for the share of tests passed, where not all are."""
    half = status in r.BUILT and status != r.PASSED and total > 0
    return 0.5 * passed / total if half else tests(status, passed, total)
