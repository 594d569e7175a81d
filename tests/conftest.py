"""Shared by all tests: `--require` turns a skip into a failure, so that CI cannot pass by not testing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.whole_runs import command, finish, make_place

RIGHTS = ("needs root", "no mount namespaces here", "Operation not permitted")
"""In the reason of a skip: the rights of this machine are the cause, and not a tool that is missing."""


def pytest_addoption(parser):
    parser.addoption("--require", action="store_true", help="fail where a test would skip, but for data that is absent")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and item.config.getoption("--require") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if "HALOFORGE_TEST_DATA" in reason and "HALOFORGE_TEST_DATA" not in os.environ:
            return report  # a fork's CI has no such folder
        if any(words in reason for words in RIGHTS):
            return report  # a machine may refuse what nobody can install
        report.outcome = "failed"
        report.longrepr = f"--require: this test may not skip here ({reason})"
    return report


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A HALOFORGE_HOME of the test's own."""
    monkeypatch.setenv("HALOFORGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def small_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that whole runs share: `base`, prompts.jsonl, heldout.jsonl, data.jsonl, run.yaml."""
    return make_place(tmp_path_factory.mktemp("whole-runs"))


@pytest.fixture(scope="session")
def small_run(small_base: Path) -> Path:
    """A finished run of two cycles on that base."""
    finish(command(small_base, "--config", "run.yaml", "--output", "undisturbed"))
    return small_base / "undisturbed"
