"""Python answers with tests: the tests in one box, the answer in another, and only plain data in between.

How a task is judged is fixed before any sample: with a reference solution by calibration (split where the reference
passes so, else in one process, which the verdict's `trust` says), without one split. A sample never picks its judge.
"""

from __future__ import annotations

import hmac
import json
import platform
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from haloforge import records as r
from haloforge import sandbox
from haloforge.errors import BadInput, SandboxFault
from haloforge.records import Prompt, VerifyResult
from haloforge.sandbox import MIB, Flavour, Limits, Outcome
from haloforge.source.assemble import Program, assemble
from haloforge.source.detect import known_language
from haloforge.verifiers import rewards
from haloforge.verifiers.base import Verifier, ending, printable, wall_limit_s
from haloforge.verifiers.python import plan as plans
from haloforge.verifiers.python.plan import PYTEST, Suite, Unusable

SPLIT, IN_PROCESS = "split", "in_process"
_HERE = "haloforge.verifiers.python"
_ANSWERS_MODULES = (
    f"{_HERE}.solution_side", "bisect", "copy", "dataclasses", "functools", "heapq", "math", "operator", "random",
    "re", "string", "typing",
)  # fmt: skip
_TESTS_MODULES = (f"{_HERE}.suites", "copy", "math", "random", "re", "string", "typing")
_PYTEST_MODULES = (*_TESTS_MODULES, f"{_HERE}.with_pytest")
_SECOND_SLOT = 32
"""How far the tests' boxes' slots are from the answers'."""
_TESTS_MEMORY_MB = 512
_TESTS_SPARE_CPU_S = 1.0
_REFERENCE_CPU_S = 60.0
_MOST_REPORT = 32 << 20


@dataclass
class Run:
    """What became of one answer."""

    status: str
    details: str = ""
    error: str | None = None
    passed: tuple[Any, ...] = ()
    """Names of the checks that passed."""
    ran: int = 0
    cpu_s: float = 0.0
    answers_cpu_s: float = 0.0
    """Of the process that the answer ran in."""
    level: str = ""
    kinds: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Label → kinds of values that came over the wire."""
    refused: bool = False
    """The tests wanted what only the same process can give."""
    idle: bool = False
    """Ended by the clock."""


@dataclass(frozen=True, slots=True)
class Mode:
    """How answers to one task are judged."""

    suite: Suite | None
    trust: str = SPLIT
    why_not: str = ""
    """Why answers cannot be judged at all, or not split."""
    kinds: Mapping[str, Sequence[str]] | None = None
    """Of the reference's values, in split mode."""
    needed: frozenset[Any] = frozenset()
    """Checks that every right answer passes."""
    least: int = 1
    """How many at least."""
    reference_s: float | None = None


class PythonTests(Verifier):
    """Python answers by their tests, of the kind that the tests are. Subclasses fix the kind."""

    name = "python"
    kind: str | None = None

    def __init__(
        self,
        max_workers: int = 8,
        *,
        trust: str = "auto",
        python_packages: Sequence[str] = (),
        reference_multiple: float = 10.0,
        reference_floor_s: float = 1.0,
        **common: Any,
    ) -> None:
        """
        Args:
            trust: "auto": tasks whose reference does not pass split are judged in one process; "split": they are
                refused.
            python_packages: what answers and tests may import besides the standard library, by the names that pip has.
            reference_multiple, reference_floor_s: as for compiled languages: a task with a reference and without
                limit allows so many times the reference's CPU seconds, and at least so many.
            common: see Verifier.
        """
        super().__init__(max_workers, **common)
        if trust not in ("auto", SPLIT):
            raise BadInput(f"verifier {self.name}: trust is {trust!r}; wanted is auto or split")
        self.trust = trust
        self.python_packages = tuple(python_packages)
        self.reference_multiple, self.reference_floor_s = reference_multiple, reference_floor_s
        self._modes: dict[tuple[Any, ...], Mode] = {}
        self._locks: dict[tuple[Any, ...], threading.Lock] = {}
        self._lock = threading.Lock()

    # -- verdicts --

    def judge(self, code: str, task: Prompt | None, as_it_stands: bool) -> VerifyResult:
        if task is None or task.tests_kind not in ("python", "files"):
            return self._result(Run(r.UNKNOWN, f"verifier {self.name} judges Python tests, and there are none"))
        program = self._program(code, task, as_it_stands)
        if not program.code.strip():
            return self._result(Run(r.NO_CODE, "the answer has no code"), program)
        mode = self.mode(task)
        if mode.suite is None:
            return self._result(Run(r.UNKNOWN, mode.why_not), program)
        cpu_s = task.time_limit_s or self.cpu_s
        limit: dict[str, Any] = {}
        if task.time_limit_s is None and mode.reference_s is not None:
            cpu_s = max(self.reference_floor_s, self.reference_multiple * mode.reference_s)
            limit = {"cpu_limit": {"s": cpu_s, "reference_s": mode.reference_s}}
        run = self._run(program.code, task, mode, cpu_s)
        if run.idle:  # an idle program, or a busy machine: a second look
            again = self._run(program.code, task, mode, cpu_s)
            run = replace(again, cpu_s=run.cpu_s + again.cpu_s)
        metadata = {"language": "python", "tests": mode.suite.kind, **limit}
        if run.idle:
            metadata["ended_by"] = sandbox.WALL_LIMIT
        if run.refused:
            metadata["refused"] = True
        return self._result(run, program, mode, metadata)

    def reward(self, kind: str, status: str, passed: int, total: int) -> float | None:
        return rewards.pytest(status, passed, total) if kind == PYTEST else rewards.tests(status, passed, total)

    def _result(
        self, run: Run, program: Program | None = None, mode: Mode | None = None, metadata: dict[str, Any] | None = None
    ) -> VerifyResult:
        suite = mode.suite if mode else None
        passed = len(run.passed)
        total = max(passed, run.ran)
        if mode and suite and run.status != r.PASSED:
            total = max(total, mode.least, suite.sites, passed + 1)
        kind = suite.kind if suite else ""
        return VerifyResult(
            success=run.status == r.PASSED,
            reward=self.reward(kind, run.status, passed, total),
            details=printable(run.details, 300),
            error=printable(run.error) if run.error else None,
            metadata=metadata or {"language": "python"},
            status=run.status,
            passed=passed,
            total=total,
            cpu_s=run.cpu_s,
            level=run.level,
            trust=mode.trust if mode and mode.suite else "",
            code=program.code if program else "",
        )

    def _program(self, code: str, task: Prompt, as_it_stands: bool) -> Program:
        return assemble(code, replace(task, language="python"), as_it_stands=as_it_stands)

    # -- how a task is judged --

    def mode(self, task: Prompt) -> Mode:
        """How answers to `task` are judged, found out once. Raises SandboxFault, MissingTool."""
        key = (task.id, task.text, task.tests, task.reference, tuple(task.files.items()), task.cmd, task.entry_point)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._modes:
                self._modes[key] = self._found(task)
            return self._modes[key]

    def _found(self, task: Prompt) -> Mode:
        reference = self._program(task.reference, task, False).code if task.reference else None
        program = self._program("", task, True)
        try:
            suite = plans.plan(task, program.tests, program.names, reference, self.kind)
        except Unusable as e:
            return Mode(None, why_not=str(e))
        plain = Mode(suite, needed=suite.certain)
        if reference is None:
            return plain
        cpu_s = task.time_limit_s or _REFERENCE_CPU_S
        run = self._split(reference, task, plain, cpu_s)
        if run.status == r.PASSED:
            return self._calibrated(plain, run)
        why_not = f"{run.details}{': ' if run.error else ''}{run.error or ''}"
        if self.trust == SPLIT:
            return Mode(None, why_not=f"its reference does not pass with the tests in another box ({why_not})")
        plain = replace(plain, trust=IN_PROCESS, why_not=why_not)
        run = self._in_process(reference, task, plain, cpu_s)
        if run.status == r.PASSED:
            return self._calibrated(plain, run)
        return Mode(
            None, why_not=f"its reference fails its own tests: {run.details}{f': {run.error}' * bool(run.error)}"
        )

    def _calibrated(self, mode: Mode, run: Run) -> Mode:
        assert mode.suite
        needed = mode.suite.steady & {*run.passed} if mode.suite.sites else frozenset()
        return replace(
            mode,
            kinds=run.kinds,
            needed=needed,
            least=max(1, len(needed) if mode.suite.sites else len(run.passed)),
            reference_s=run.answers_cpu_s,
        )

    def check(self, prompts: Sequence[Prompt]) -> None:
        for prompt in prompts:
            if prompt.tests_kind not in ("python", "files"):
                raise BadInput(
                    f"verifier {self.name} needs Python tests, and prompt {prompt.id!r} has none; give it tests"
                )
        self.prepare()
        with ThreadPoolExecutor(self.max_workers) as pool:
            modes = list(pool.map(self.mode, prompts))
        for prompt, mode in zip(prompts, modes, strict=True):
            if mode.suite is None:
                raise BadInput(f"verifier {self.name} cannot judge prompt {prompt.id!r}: {mode.why_not}")

    def prepare(self, languages: Sequence[str] = ()) -> str:
        level = super().prepare(languages)
        self._flavours(PYTEST if self.kind == PYTEST else plans.ASSERTS)
        return level

    def required_tools(self, language: str) -> tuple[str, ...]:
        if known_language(language) != "python":
            raise BadInput(f"verifier {self.name} cannot judge {language}; it knows python")
        return ()

    def fingerprint(self) -> dict[str, Any] | None:
        if self.mounts or self.python_packages or not type(self).__module__.startswith("haloforge."):
            return None
        return {"level": self.level, "machine": platform.machine(), "python": sys.version, "pytest": _pytest_version()}

    # -- runs --

    def _run(self, code: str, task: Prompt, mode: Mode, cpu_s: float) -> Run:
        assert mode.suite
        judge = self._split if mode.trust == SPLIT else self._in_process
        run = judge(code, task, mode, cpu_s)
        own = plans.with_own_helpers(mode.suite, code) if run.status == r.PASSED else None
        if own:
            again = judge(code, task, replace(mode, suite=own), cpu_s)
            run = replace(again, cpu_s=run.cpu_s + again.cpu_s)
        return run

    def _flavours(self, kind: str) -> tuple[Flavour, Flavour]:
        """Of the answer's box and of the tests'."""
        return _flavours(kind == PYTEST, self.python_packages)

    @contextmanager
    def _slot(self) -> Iterator[int]:
        slot = self._slots.get()
        try:
            yield slot
        finally:
            self._slots.put(slot)

    def _split(self, code: str, task: Prompt, mode: Mode, cpu_s: float) -> Run:
        """The tests here, the answer there."""
        suite = mode.suite
        assert suite
        answers, tests = self._flavours(suite.kind)
        limits = self._limits(cpu_s, task)
        # Each waits while the other works, and does not count as idle for that.
        answers_limits = replace(limits, wall_s=limits.wall_s + cpu_s + _TESTS_SPARE_CPU_S)
        tests_limits = replace(
            limits, cpu_s=cpu_s + _TESTS_SPARE_CPU_S, wall_s=5 * answers_limits.wall_s + 10, processes=64,
            memory_bytes=max(_TESTS_MEMORY_MB * MIB, limits.memory_bytes), output_bytes=_MOST_REPORT,
        )  # fmt: skip
        level = sandbox.level(self.allow_weak)
        ours, theirs = socket.socketpair()
        names = {"modules": suite.modules, "path": suite.code_path}
        common: dict[str, Any] = {"level": level, "mounts": self.shown()}
        with (
            ours,
            theirs,
            self._slot() as slot,
            sandbox.box(suite.beside, answers_limits, slot=slot, flavour=answers, channel=theirs, **common) as there,
            sandbox.box(
                suite.files, tests_limits, slot=slot + _SECOND_SLOT, flavour=tests, channel=ours, **common
            ) as here,
        ):
            there.begin(f"{_HERE}.solution_side:main", json.dumps({"code": code, **names}).encode())
            asked = json.dumps({"suite": suite.spec(), "expected": mode.kinds}).encode()
            tested = here.call(f"{_HERE}.suites:split", asked)
            answered = there.finish()
        run = self._judged(tested, answered, mode, answers_limits, tests_limits)
        return replace(
            run, cpu_s=tested.cpu_s + answered.cpu_s, answers_cpu_s=answered.cpu_s, level=level,
            idle=sandbox.WALL_LIMIT in (tested.ended_by, answered.ended_by),
        )  # fmt: skip

    def _judged(
        self, tested: Outcome, answered: Outcome, mode: Mode, answers_limits: Limits, tests_limits: Limits
    ) -> Run:
        if answered.ended_by:
            return Run(*ending(answered, answers_limits))
        if tested.ended_by:
            status, details = ending(tested, tests_limits)
            return Run(status, f"the tests, with what the answer gave them, {details}")
        try:
            report = json.loads(tested.stdout) if tested.ok else None
        except ValueError:
            report = None
        if not isinstance(report, dict):
            raise SandboxFault(f"the tests' process gave no report: {printable(tested.stderr, 200)}")
        if report["reason"] == "gone":
            said = ending(answered, answers_limits)[1] or "ended with exit code 0"
            return self._with(
                report, Run(r.TESTS_FAILED, f"the answer's process ended before its tests did: it {said}")
            )
        if report["failure"]:
            failed = Run(r.TESTS_FAILED, report["failure"], refused=report["reason"] == "refused")
            return self._with(report, failed)
        return self._counted(report, mode)

    def _in_process(self, code: str, task: Prompt, mode: Mode, cpu_s: float) -> Run:
        """Answer and tests in one process. Tamper-evident only."""
        suite = mode.suite
        assert suite
        limits = self._limits(cpu_s, task)
        level, nonce = sandbox.level(self.allow_weak), secrets.token_hex(16)
        ours, theirs = socket.socketpair()
        flavour = self._flavours(suite.kind)[1]
        argument = {"nonce": nonce, "code": code, "modules": suite.modules, "path": suite.code_path}
        files = {**suite.beside, **suite.files}
        with (
            ours,
            theirs,
            self._slot() as slot,
            sandbox.box(
                files, limits, level=level, slot=slot, mounts=self.shown(), flavour=flavour, channel=theirs
            ) as box,
        ):
            box.begin(f"{_HERE}.suites:in_process", json.dumps(argument).encode())
            report = _talk(ours, nonce, suite, 5 * limits.wall_s + 10)
            outcome = box.finish()
        run = self._of_one_process(outcome, report, mode, limits)
        return replace(
            run, cpu_s=outcome.cpu_s, answers_cpu_s=outcome.cpu_s, level=level,
            idle=outcome.ended_by == sandbox.WALL_LIMIT,
        )  # fmt: skip

    def _of_one_process(self, outcome: Outcome, report: dict[str, Any] | None, mode: Mode, limits: Limits) -> Run:
        status, details = ending(outcome, limits)
        if outcome.ended_by:
            return Run(status, details)
        if report is None:
            return Run(r.TESTS_FAILED, f"the program ended before its tests did{': it ' * bool(details)}{details}")
        return self._counted(report, mode)

    def _counted(self, report: dict[str, Any], mode: Mode) -> Run:
        """The verdict of a report that nothing speaks against."""
        if "load_error" in report:
            status = r.COMPILE_ERROR if report.get("syntax") else r.TESTS_FAILED
            details = "does not compile" if report.get("syntax") else "the answer fails while it is imported"
            return self._with(report, Run(status, details, report["load_error"]))
        failed, passed = report["failed"], report["passed"]
        missing = mode.needed - {*passed}
        if failed:
            name, said = failed[0]
            run = Run(r.MEMORY_LIMIT if report.get("out_of_memory") else r.TESTS_FAILED, str(name), str(said))
        elif missing or len(passed) < mode.least:
            run = Run(r.TESTS_FAILED, f"only {len(passed)} of {max(mode.least, len(mode.needed))} checks were reached")
        else:
            run = Run(r.PASSED, f"{len(passed)} of {len(passed)} checks")
        return self._with(report, run)

    def _with(self, report: dict[str, Any], run: Run) -> Run:
        return replace(run, passed=tuple(report["passed"]), ran=report["ran"], kinds=report.get("kinds", {}))

    def _limits(self, cpu_s: float, task: Prompt) -> Limits:
        memory_mb = task.memory_mb or self.memory_mb
        return Limits(cpu_s=cpu_s, wall_s=wall_limit_s(cpu_s), memory_bytes=memory_mb * MIB)


def has_python_tests(task: Prompt) -> bool:
    """Whether these are tests in Python, and not only stdin/stdout cases of a Python program."""
    if task.tests_kind == "files":
        return (known_language(task.language or "") or "") == "python" or (task.code_path or "").endswith(".py")
    return task.tests_kind == "python"


def _talk(ours: socket.socket, nonce: str, suite: Suite, wall_s: float) -> dict[str, Any] | None:
    """Hand the suite to a process that has loaded the answer, and read its report; None where it gives none."""
    ours.settimeout(0.1)
    deadline = time.monotonic() + wall_s
    lines = _lines(ours, deadline)
    try:
        loaded = json.loads(next(lines))
        if loaded != {"loaded": hmac.new(nonce.encode(), b"loaded", "sha256").hexdigest()}:
            return None
        ours.settimeout(wall_s)
        ours.sendall(json.dumps(suite.spec()).encode() + b"\n")
        ours.settimeout(0.1)
        report = json.loads(next(lines))
    except (StopIteration, ValueError, OSError):
        return None
    shapely = (
        isinstance(report, dict) and isinstance(report.get("failed"), list) and isinstance(report.get("passed"), list)
    )
    return report if shapely and report.get("nonce") == nonce else None


def _lines(ours: socket.socket, deadline: float) -> Iterator[bytes]:
    data = b""
    while len(data) < _MOST_REPORT and time.monotonic() < deadline:
        line, found, rest = data.partition(b"\n")
        if found:
            yield line
            data = rest
            continue
        try:
            part = ours.recv(1 << 16)
        except TimeoutError:
            continue
        if not part:
            return
        data += part


@cache
def _flavours(with_pytest: bool, packages: tuple[str, ...]) -> tuple[Flavour, Flavour]:
    """Raises MissingTool: a package is absent."""
    shown = sandbox.packages(packages)
    answers = Flavour((*_ANSWERS_MODULES, *packages), shown)
    if not with_pytest:
        return answers, Flavour((*_TESTS_MODULES, *packages), shown)
    modules, shown = (*_PYTEST_MODULES, *packages), sandbox.packages(("pytest", *packages))
    return answers, Flavour(modules, shown)


@cache
def _pytest_version() -> str:
    from importlib import metadata

    try:
        return metadata.version("pytest")
    except metadata.PackageNotFoundError:
        return ""


class AssertsVerifier(PythonTests):
    """`asserts`: test code as statements: asserts, `check(…)`, functions `test…` that nothing calls."""

    name = "asserts"
    kind = plans.ASSERTS


class HumanEvalVerifier(AssertsVerifier):
    """`humaneval`: rows {prompt, test, entry_point}: `check(entry_point)`."""

    name = "humaneval"


class MBPPVerifier(AssertsVerifier):
    """`mbpp`: rows {test_list, test_setup_code}."""

    name = "mbpp"


class UnittestVerifier(PythonTests):
    """`unittest`: TestCase classes."""

    name = "unittest"
    kind = plans.UNITTEST


class PytestVerifier(PythonTests):
    """`pytest`: a real pytest; partial credit for the share of tests passed."""

    name = "pytest"
    kind = PYTEST
