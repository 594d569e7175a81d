"""Runs a task's pytest suite with a real pytest, without plugins, conftest files or a cache. Imported where it is used.

What pytest imports and reads before it knows its tests is done at the import of this module, so that a process that
clones itself has it once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
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
        self.bad[report.nodeid] = self.said(call.excinfo.value)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.bad.setdefault(report.nodeid or "collection", "cannot be collected")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.bad.setdefault(report.nodeid, "failed")
        elif report.skipped:
            self.skipped.add(report.nodeid)
        elif report.when == "call":
            self.passed.append(report.nodeid)


def _started() -> tuple[pytest.Session, _Report]:
    """A session that has started and collected nothing yet."""
    report = _Report()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    words = [*_WORDS, *(word for name in _OFF for word in ("-p", f"no:{name}"))]
    config = _prepareconfig(words, [report])
    config.option.trace = config.option.usepdb = False  # of the debugger, which TestCase classes ask for
    config.option.tbstyle = "native"  # the others read the source again for each failure
    session = pytest.Session.from_config(config)
    config._do_configure()
    config.hook.pytest_sessionstart(session=session)
    return session, report


_SESSION, _REPORT = _started()


def run(suite: dict[str, Any], said: Callable[[BaseException], str]) -> dict[str, Any]:
    """See suites.run. Once per process. The tests' files lie in the box's folder."""
    report = _REPORT
    report.said = said
    config = _SESSION.config
    config.args = [os.path.abspath(path) for path in suite["targets"]]
    # Known only now. What lies above the box's folder is not looked at.
    _SESSION.path = config._rootpath = config.pluginmanager._confcutdir = Path.cwd()
    try:
        config.hook.pytest_collection(session=_SESSION)
        config.hook.pytest_runtestloop(session=_SESSION)
    except BaseException as e:
        report.bad.setdefault("tests", said(e))
    passed = [name for name in report.passed if name not in report.bad]
    ran = max(report.collected - len(report.skipped - set(report.bad)), len(passed) + len(report.bad))
    return {"ran": ran, "passed": passed, "failed": [[name, what] for name, what in report.bad.items()]}
