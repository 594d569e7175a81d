"""Runs a task's pytest suite with a real pytest, without plugins, conftest files or a cache. Imported where it is used.

What pytest imports lazily is imported here, so that a process that clones itself has it once.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
from collections.abc import Callable
from typing import Any

import pytest
from _pytest.config import default_plugins

OFF = (
    "cacheprovider", "doctest", "junitxml", "pastebin", "faulthandler", "stepwise", "logging", "setuponly", "setupplan",
    "unraisableexception", "threadexception", "legacypath", "terminal", "debugging", "nose",
)  # fmt: skip
for _name in default_plugins:
    if _name not in OFF:
        importlib.import_module(f"_pytest.{_name}")


class _Report:
    """A plugin that keeps what became of each test."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.bad: dict[str, str] = {}
        self.skipped: set[str] = set()
        self.collected = 0

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        self.collected = len(items)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.bad[report.nodeid or "collection"] = _short(report)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.bad.setdefault(report.nodeid, _short(report))
        elif report.skipped:
            self.skipped.add(report.nodeid)
        elif report.when == "call":
            self.passed.append(report.nodeid)


def _short(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr)[:400]


def run(suite: dict[str, Any], said: Callable[[BaseException], str]) -> dict[str, Any]:
    """See suites.run. A task that is one text was written to `path` of the box's folder."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    here = os.getcwd()
    report = _Report()
    words = ["--noconftest", "--import-mode=importlib", "-c", os.devnull, "--rootdir", here, "--assert=plain", "-s"]
    for name in OFF:
        words += ["-p", f"no:{name}"]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            code = pytest.main([*words, *suite["targets"]], plugins=[report])
    except BaseException as e:
        report.bad["tests"] = said(e)
        code = pytest.ExitCode.INTERNAL_ERROR
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not report.bad:
        report.bad["tests"] = f"pytest ended with {pytest.ExitCode(code).name}"
    passed = [name for name in report.passed if name not in report.bad]
    ran = max(report.collected - len(report.skipped - set(report.bad)), len(passed) + len(report.bad))
    return {"ran": ran, "passed": passed, "failed": [[name, what] for name, what in report.bad.items()]}
