"""Runs a task's pytest suite with a real pytest, without plugins, conftest files or a cache. Imported where it is used.

What pytest imports and reads before it knows its tests is done at the import of this module, so that a process that
clones itself has it once.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from typing import Any

import pytest
from _pytest.config import _prepareconfig

_OFF = (
    "cacheprovider", "doctest", "junitxml", "pastebin", "faulthandler", "stepwise", "logging", "setuponly", "setupplan",
    "unraisableexception", "threadexception", "legacypath", "terminal", "debugging", "warnings",
)  # fmt: skip
_WORDS = ["--noconftest", "--import-mode=importlib", "-c", os.devnull, "--rootdir", "/", "--assert=plain", "-s"]


class _Report:
    """A plugin that keeps what became of each test."""

    said: Callable[[BaseException], str]

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.bad: dict[str, str] = {}
        self.skipped: set[str] = set()
        self.collected = 0

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        self.collected = len(items)

    def pytest_exception_interact(self, call: Any, report: Any) -> None:
        self.bad.setdefault(report.nodeid, self.said(call.excinfo.value))

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.bad.setdefault(report.nodeid or "collection", "cannot be collected")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.bad.setdefault(report.nodeid, str(report.longrepr))
        elif report.skipped:
            self.skipped.add(report.nodeid)
        elif report.when == "call":
            self.passed.append(report.nodeid)


def _configured() -> tuple[pytest.Config, _Report]:
    report = _Report()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    words = [*_WORDS, *(word for name in _OFF for word in ("-p", f"no:{name}"))]
    config = _prepareconfig(words, [report])
    config.option.tbstyle = "native"  # the others read the source again for each failure
    return config, report


_CONFIG, _REPORT = _configured()


def run(suite: dict[str, Any], said: Callable[[BaseException], str]) -> dict[str, Any]:
    """See suites.run. Once per process. The tests' files lie in the box's folder."""
    report = _REPORT
    report.said = said
    _CONFIG.args = [os.path.abspath(path) for path in suite["targets"]]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            code = _CONFIG.hook.pytest_cmdline_main(config=_CONFIG)
    except BaseException as e:
        report.bad["tests"] = said(e)
        code = pytest.ExitCode.INTERNAL_ERROR
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not report.bad:
        report.bad["tests"] = f"pytest ended with {code}"
    passed = [name for name in report.passed if name not in report.bad]
    ran = max(report.collected - len(report.skipped - set(report.bad)), len(passed) + len(report.bad))
    return {"ran": ran, "passed": passed, "failed": [[name, what] for name, what in report.bad.items()]}
