"""Judge whole programs: build, then run every stdin/stdout case, in one box per sample.

The expected output never enters the box. Not judged here: test code that shares the program's process.
"""

from __future__ import annotations

import shlex
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from haloforge import records as r
from haloforge import sandbox
from haloforge.errors import BadInput
from haloforge.records import Case, Prompt, VerifyResult
from haloforge.sandbox import MIB, Box, Limits, Outcome
from haloforge.source import extract
from haloforge.tasks import compare
from haloforge.tasks.prompts import parse_case
from haloforge.verifiers import rewards
from haloforge.verifiers.base import Verifier, printable, wall_limit_s
from haloforge.verifiers.languages import LANGUAGES, Language, compiler_path

COMPILE_LIMITS = Limits(memory_bytes=1536 * MIB, output_bytes=32 * MIB, processes=32, disk_bytes=128 * MIB)
RUN_OUTPUT_BYTES = 16 * MIB
RUN_PROCESSES = 32
_STATUS_OF_ENDING = {
    sandbox.CPU_LIMIT: r.TIMEOUT,
    sandbox.WALL_LIMIT: r.TIMEOUT,
    sandbox.MEMORY_LIMIT: r.MEMORY_LIMIT,
    sandbox.OUTPUT_LIMIT: r.OUTPUT_LIMIT,
    sandbox.VIOLATION: r.VIOLATION,
}
_LAST = (r.TIMEOUT, r.VIOLATION)
"""After a case with such a status the others are not run; they count as failed."""


@dataclass
class _Tally:
    """What is known of a sample while its cases run."""

    status: str = ""
    details: str = ""
    passed: int = 0
    total: int = 0
    cpu_s: float = 0.0
    metadata: dict[str, Any] = field(default_factory=dict)


class ProgramVerifier(Verifier):
    """Builds, runs, compares. Subclasses give the rewards."""

    def __init__(
        self, max_workers: int = 8, *, warnings: str = "ignore", run_after_compile: bool = False, **common: Any
    ) -> None:
        """
        Args:
            warnings: "ignore", or "penalise": what only builds earns less where the compiler warns.
            run_after_compile: a program without cases is also run once, with empty input.
            common: see Verifier.
        """
        super().__init__(max_workers, **common)
        if warnings not in ("ignore", "penalise"):
            raise BadInput(f"warnings is {warnings!r}; wanted is ignore or penalise")
        self.warn = warnings == "penalise"
        self.run_after_compile = run_after_compile

    def judge(self, code: str, task: Prompt | None) -> VerifyResult:
        cases = self.cases(task)
        wanted = task.language if task else None
        source, fence = extract.extract_code(code, wanted)
        name = extract.known_language(wanted) or fence or extract.guess_language(source) or "cpp"
        if wanted and wanted.lower() != "any" and extract.known_language(wanted) is None:
            name = wanted
        tally = _Tally(total=len(cases or ()), metadata={"language": name})
        if not source.strip():
            tally.status, tally.details = r.NO_CODE, "the answer has no code"
        elif task and not self.can_check(task):
            tally.status, tally.details = (
                r.UNKNOWN,
                f"verifier {self.name} has no way to run tests_kind {task.tests_kind}",
            )
        elif cases is None:
            tally.status, tally.details = r.UNKNOWN, "no test cases: nothing to execute the program against"
        elif name not in LANGUAGES:
            tally.status = r.UNKNOWN
            tally.details = f"verifier {self.name} cannot judge {name}; it knows {', '.join(LANGUAGES)}"
        else:
            return self._build_and_run(LANGUAGES[name], source, cases, task, tally)
        return self._result(tally, source, level="")

    def can_check(self, task: Prompt) -> bool:
        """Whether all that the task checks is checked by this verifier."""
        return task.tests_kind in ("stdio", "compile_only") and task.checker is None

    def cases(self, task: Prompt | None) -> Sequence[Case] | None:
        """The checks of a task; None where this verifier cannot judge without."""
        return task.cases if task else ()

    def reward(self, status: str, passed: int, total: int) -> float | None:
        raise NotImplementedError

    def required_tools(self, language: str) -> tuple[str, ...]:
        """See Verifier.required_tools. Raises MissingTool, and BadInput for a language that has no row."""
        name = extract.known_language(language) or language
        if name not in LANGUAGES:
            raise BadInput(f"verifier {self.name} cannot judge {language}; it knows {', '.join(LANGUAGES)}")
        return (compiler_path(LANGUAGES[name].compiler),)

    def _build_and_run(
        self, language: Language, code: str, cases: Sequence[Case], task: Prompt | None, tally: _Tally
    ) -> VerifyResult:
        cflags = shlex.split(task.cflags or "") if task else []
        build = language.build(code, cflags, self.warn)
        limits = replace(COMPILE_LIMITS, cpu_s=self.compile_cpu_s, wall_s=wall_limit_s(self.compile_cpu_s))
        with self.box({language.source: code}, limits) as box:
            built = box.run(build)
            tally.cpu_s += built.cpu_s
            if not built.ok:
                return self._not_built(built, code, tally)
            warnings = self.warn and b"warning:" in built.stderr
            tally.metadata["warnings"] = warnings
            error = printable(built.stderr) if warnings else None
            if not language.has_entry(code) and cases:
                tally.status, tally.details = r.RUNTIME_ERROR, "the code has no main, so no case could be run"
            elif cases:
                self._run_cases(box, language, cases, task, tally)
            else:
                tally.status, tally.details = r.COMPILED, "built"
                if self.run_after_compile and language.has_entry(code):
                    self._run_once(box, language, task, tally)
            result = self._result(tally, code, box.level, error)
        if tally.status != r.COMPILED:
            return result
        if warnings:
            return replace(result, reward=rewards.WITH_WARNINGS, details="built, with warnings")
        if tally.metadata.get("ran"):
            return replace(result, reward=rewards.ALSO_RAN)
        return result

    def _not_built(self, built: Outcome, code: str, tally: _Tally) -> VerifyResult:
        if built.ended_by == sandbox.VIOLATION:
            tally.status, tally.details = r.VIOLATION, "the build broke out of its limits"
        elif built.ended_by:
            tally.status, tally.details = r.COMPILE_ERROR, f"the compiler ran into its {built.ended_by}"
            tally.metadata["ended_by"] = built.ended_by
        else:
            tally.status, tally.details = r.COMPILE_ERROR, "does not compile"
        return self._result(tally, code, built.level, printable(built.stderr) or None)

    def _run_once(self, box: Box, language: Language, task: Prompt | None, tally: _Tally) -> None:
        status, details, _ = self._run(box, language, b"", task, tally)
        if status:
            tally.status, tally.details = status, details
        else:
            tally.details, tally.metadata["ran"] = "built, and ran to a good end", True

    def _run_cases(
        self, box: Box, language: Language, cases: Sequence[Case], task: Prompt | None, tally: _Tally
    ) -> None:
        rule = compare.rule(task.compare if task else None, task.validator_flags if task else None)
        for number, case in enumerate(cases, start=1):
            stdin = case.stdin.encode("utf-8", "surrogateescape")
            status, details, stdout = self._run(box, language, stdin, task, tally)
            if not status and not compare.matches(case.expected_stdout, stdout, rule):
                status = r.WRONG_ANSWER
                details = f"printed {printable(stdout, 60)!r}, expected {printable(case.expected_stdout, 60)!r}"
            if not status:
                tally.passed += 1
            elif not tally.status:
                tally.status, tally.details = status, f"case {number} of {len(cases)}: {details}"
            if status in _LAST:
                break
        if not tally.status:
            tally.status, tally.details = r.PASSED, f"{tally.passed} of {tally.total} cases"

    def _run(
        self, box: Box, language: Language, stdin: bytes, task: Prompt | None, tally: _Tally
    ) -> tuple[str, str, bytes]:
        """One run of the program: its failing status ("" where it ended well), what to say of it, its stdout."""
        cpu_s = (task.time_limit_s if task else None) or self.cpu_s
        memory_mb = (task.memory_mb if task else None) or self.memory_mb
        limits = Limits(
            cpu_s=cpu_s,
            wall_s=wall_limit_s(cpu_s),
            memory_bytes=memory_mb * MIB,
            output_bytes=RUN_OUTPUT_BYTES,
            processes=RUN_PROCESSES,
        )
        outcome = self._timed(box, language, stdin, limits, tally)
        if outcome.ended_by == sandbox.WALL_LIMIT:  # an idle program, or a busy machine: a second look
            outcome = self._timed(box, language, stdin, limits, tally)
        status, details = _status(outcome, limits)
        if outcome.ended_by and not tally.status:
            tally.metadata["ended_by"] = outcome.ended_by
        return status, details, outcome.stdout

    def _timed(self, box: Box, language: Language, stdin: bytes, limits: Limits, tally: _Tally) -> Outcome:
        outcome = box.run(language.run(), stdin, limits)
        tally.cpu_s += outcome.cpu_s
        if outcome.ended_by in (sandbox.CPU_LIMIT, sandbox.WALL_LIMIT):
            tally.metadata["timeout_s"] = tally.metadata.get("timeout_s", 0.0) + outcome.wall_s
        return outcome

    def _result(self, tally: _Tally, code: str, level: str, error: str | None = None) -> VerifyResult:
        return VerifyResult(
            success=tally.status in (r.PASSED, r.COMPILED),
            reward=self.reward(tally.status, tally.passed, tally.total),
            details=tally.details,
            error=error,
            metadata=tally.metadata,
            status=tally.status,
            passed=tally.passed,
            total=tally.total,
            cpu_s=tally.cpu_s,
            level=level,
            trust="output" if tally.total else "build",
            code=code,
        )


class GCCVerifier(ProgramVerifier):
    """`gcc`: C with gcc, C++ with g++; runs the task's cases where it has them, else only builds.

    `metadata` has `language`, `warnings`, and where a limit decided: `ended_by` (`wall_limit`: the verdict is
    no property of the program, so don't cache it) and `timeout_s` (seconds by the clock in runs that hit a time limit).
    """

    name = "gcc"

    def reward(self, status: str, passed: int, total: int) -> float | None:
        return rewards.gcc(status, passed, total)


class ExecutionVerifier(ProgramVerifier):
    """`execution`: runs stdin/stdout cases and gives partial credit; without cases it cannot tell (`unknown`)."""

    name = "execution"

    def __init__(
        self, max_workers: int = 8, *, test_cases: Sequence[Case | Mapping[str, str]] = (), **common: Any
    ) -> None:
        """
        Args:
            test_cases: for tasks that bring none; rows as in a prompts file ({"input": …, "output": …}).
            common: see Verifier.
        """
        super().__init__(max_workers, **common)
        if self.warn or self.run_after_compile:
            raise BadInput("warnings and run_after_compile are for programs without cases; execution always has cases")
        self.test_cases = tuple(
            case if isinstance(case, Case) else parse_case(case, index) for index, case in enumerate(test_cases, 1)
        )

    def cases(self, task: Prompt | None) -> Sequence[Case] | None:
        return (task.cases if task else ()) or self.test_cases or None

    def reward(self, status: str, passed: int, total: int) -> float | None:
        return rewards.execution(status, passed, total)


def _status(outcome: Outcome, limits: Limits) -> tuple[str, str]:
    """(failing status or "", words for `details`) of one run."""
    if outcome.ended_by:
        words = {
            sandbox.CPU_LIMIT: f"used more than {limits.cpu_s:g} s of CPU time",
            sandbox.WALL_LIMIT: f"did not end, idle for {limits.wall_s:g} s ({outcome.cpu_s:.2f} s of CPU time)",
            sandbox.MEMORY_LIMIT: f"used more than {limits.memory_bytes // MIB} MB",
            sandbox.OUTPUT_LIMIT: f"wrote more than {limits.output_bytes // MIB} MB",
            sandbox.VIOLATION: "broke out of its limits",
        }
        return _STATUS_OF_ENDING[outcome.ended_by], words[outcome.ended_by]
    if outcome.ok:
        return "", ""
    said = f": {printable(outcome.stderr, 100)}" if outcome.stderr.strip() else ""
    if b"std::bad_alloc" in outcome.stderr:
        return r.MEMORY_LIMIT, f"asked for more than {limits.memory_bytes // MIB} MB{said}"
    if outcome.signal is not None:
        return r.RUNTIME_ERROR, f"killed by {_signal_name(outcome.signal)}{said}"
    return r.RUNTIME_ERROR, f"ended with exit code {outcome.exit_code}{said}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
