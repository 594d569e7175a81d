"""The tests' box: runs the tests of one task, of whatever kind, and reports.

`split` has the answer behind a wire; `in_process` has it in the same process, where a sample that looks for it can
find the report: such verdicts are tamper-evident at best, and say so.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import importlib
import json
import linecache
import marshal
import os
import socket
import sys
import traceback
import types
import unittest
from collections.abc import Callable
from typing import Any

from haloforge.verifiers.python import tests_side
from haloforge.verifiers.python.wire import Wire

MODULE = "haloforge.verifiers.python.suites"
_MOST_SAID = 400


def split(argument: bytes) -> None:
    """Tests here, the answer at the other end of descriptor 3.

    Args:
        argument: JSON {"suite": see plan.Suite.spec, "expected": what calibration recorded, or null}.
    """
    report = _kept_stdout()
    spec = json.loads(argument)
    suite = spec["suite"]
    solution = tests_side.Solution(Wire(socket.socket(fileno=3)), spec["expected"])
    result: dict[str, Any] = {"ran": 0, "passed": [], "failed": []}
    try:
        solution.load()
    except Exception as e:
        result["load_error"] = _said(e)
        result["syntax"] = solution.syntax_error is not None
    except tests_side.Refused as e:
        result["load_error"] = str(e)
    else:
        with tests_side.importable(solution, suite["modules"], suite["public"]):
            result = run(suite, lambda name: solution.get(0, name, name))
    result |= {
        "failure": solution.failure,
        "reason": solution.reason,
        "out_of_memory": solution.out_of_memory,
    }
    if spec["expected"] is None:
        result["kinds"] = {label: sorted(kinds) for label, kinds in solution.kinds.items()}
    _write(report, result)


def in_process(argument: bytes) -> None:
    """The answer first, then its tests, in this process.

    Args:
        argument: JSON {"nonce", "code", "path", "modules"}. The suite comes over descriptor 3 once the answer is
            loaded, and the report leaves that way.
    """
    spec = json.loads(argument)
    channel = socket.socket(fileno=3)
    nonce, modules = spec["nonce"], spec["modules"]
    module = types.ModuleType(modules[0])
    for name in modules:
        sys.modules[name] = module
    path = module.__file__ = spec["path"]
    linecache.cache[path] = (len(spec["code"]), None, spec["code"].splitlines(True), path)
    result: dict[str, Any] = {"ran": 0, "passed": [], "failed": []}
    try:
        code = compile(spec.pop("code"), path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        result |= {"load_error": _said(e), "syntax": True}
    else:
        try:
            exec(code, module.__dict__)
        except BaseException as e:
            result["load_error"] = _said(e)
    proof = hmac.new(nonce.encode(), b"loaded", "sha256").hexdigest()
    channel.sendall((json.dumps({"loaded": proof}) + "\n").encode())
    suite = json.loads(channel.makefile().readline() or "null")
    if suite and "load_error" not in result:
        result = run(suite, lambda name: getattr(module, name))
    channel.sendall((json.dumps({**result, "nonce": nonce}) + "\n").encode())


def _kept_stdout() -> int:
    """A descriptor for the report; what tests and answers print goes nowhere."""
    report = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(1, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    return report


def _write(report: int, result: dict[str, Any]) -> None:
    data = json.dumps(result).encode()
    while data:
        data = data[os.write(report, data) :]


def run(suite: dict[str, Any], ask: Callable[[str], Any]) -> dict[str, Any]:
    """Run a suite.

    Returns:
        {"ran": number of checks, "passed": names of those that passed, "failed": [[name, what it said], …]}
    """
    kind = suite["kind"]
    if kind == "asserts":
        return _asserts(suite, ask)
    if kind == "pytest":
        with_pytest = sys.modules["haloforge.verifiers.python.with_pytest"]
        return with_pytest.run(suite, _said)
    return _unittest(suite, ask)


def _bind(suite: dict[str, Any], ask: Callable[[str], Any], names: dict[str, Any]) -> None:
    """What tests use without importing it: what the prompt gives, and then what only the answer has."""
    if suite["given"]:
        exec(_code(suite["given"]), names)
    for name in suite["asked"]:
        with contextlib.suppress(AttributeError):
            names[name] = ask(name)


def _code(text: str) -> types.CodeType:
    return marshal.loads(base64.b64decode(text))


def _asserts(suite: dict[str, Any], ask: Callable[[str], Any]) -> dict[str, Any]:
    reached: dict[int, None] = {}
    failed = []
    module = types.ModuleType("__main__")
    names = module.__dict__
    names["__reached__"] = lambda site: reached.setdefault(site)
    sys.modules["__main__"] = module
    try:
        _bind(suite, ask, names)
        exec(_code(suite["program"]), names)
        reached[suite["end"]] = None
    except SystemExit:
        failed.append(["end", "the tests ended the program themselves"])
    except BaseException as e:
        failed.append([_where(e, suite), _said(e)])
    ended = reached.pop(suite["end"], 0) is None
    if not ended and not failed:
        failed.append(["end", "the tests did not come to their end"])
    return {"ran": len(reached), "passed": sorted(reached), "failed": failed}


def _where(error: BaseException, suite: dict[str, Any]) -> str:
    """The line of the tests that failed, with its text."""
    for frame in reversed(traceback.extract_tb(error.__traceback__, limit=200)):
        if frame.filename == suite["path"] and frame.lineno:
            lines = suite["text"].split("\n")
            said = lines[frame.lineno - 1].strip() if frame.lineno <= len(lines) else ""
            return f"line {frame.lineno}: {said}"[:200]
    return "tests"


def _said(error: BaseException) -> str:
    """The kind of an error and its words."""
    try:
        words = str(error)
    except BaseException as e:
        words = f"(its text fails: {type(e).__name__})"
    return f"{type(error).__name__}{': ' if words else ''}{words}"[:_MOST_SAID]


class _Result(unittest.TestResult):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.bad: dict[str, str] = {}
        self.skips: set[str] = set()

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.names.append(test.id())

    def _add(self, test: Any, said: str) -> None:
        self.bad.setdefault(getattr(test, "test_case", test).id(), said)

    def addError(self, test: Any, err: Any) -> None:
        self._add(test, _said(err[1]))

    def addFailure(self, test: Any, err: Any) -> None:
        self._add(test, _said(err[1]))

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self._add(test, _said(err[1]))

    def addUnexpectedSuccess(self, test: Any) -> None:
        self._add(test, "unexpected success")

    def addSkip(self, test: Any, reason: str) -> None:
        self.skips.add(test.id())


def _unittest(suite: dict[str, Any], ask: Callable[[str], Any]) -> dict[str, Any]:
    loader = unittest.TestLoader()
    tests = unittest.TestSuite()
    failed: list[list[str]] = []
    try:
        if suite["program"]:
            module = types.ModuleType("tests")
            sys.modules["tests"] = module
            linecache.cache[suite["path"]] = (0, None, suite["text"].splitlines(True), suite["path"])
            _bind(suite, ask, module.__dict__)
            exec(_code(suite["program"]), module.__dict__)
            tests.addTest(loader.loadTestsFromModule(module))
        for name in suite["targets"]:
            tests.addTest(loader.loadTestsFromModule(importlib.import_module(name)))
        if suite["discover"]:
            tests.addTest(loader.discover(suite["discover"]))
    except BaseException as e:
        failed.append(["tests", _said(e)])
    result = _Result()
    result.buffer = False
    if not failed:
        try:
            tests.run(result)
        except BaseException as e:
            failed.append(["tests", _said(e)])
    failed += [[name, said] for name, said in result.bad.items()]
    passed = [name for name in result.names if name not in result.bad and name not in result.skips]
    return {"ran": len(result.names) - len(result.skips), "passed": passed, "failed": failed}
