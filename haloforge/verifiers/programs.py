"""Judge programs: build, then run what the task checks, in one box per sample.

Cases (stdin and expected stdout) are compared out here; the expected output never enters the box. Test code that shares
the program's process is called by a driver of ours (haloforge/verifiers/drivers/).
"""

from __future__ import annotations

import logging
import platform
import re
import shlex
import signal
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any, ClassVar, Literal

from haloforge import records as r
from haloforge import sandbox
from haloforge.errors import BadInput, MissingTool
from haloforge.records import Case, Checker, Prompt, VerifyResult
from haloforge.sandbox import MIB, Box, Limits, Outcome
from haloforge.source import extract
from haloforge.source.assemble import SOURCES, Program, assemble
from haloforge.source.detect import language_of_tests
from haloforge.tasks import compare
from haloforge.tasks.prompts import parse_case
from haloforge.verifiers import checkers, rewards
from haloforge.verifiers.base import Verifier, ending, printable, wall_limit_s
from haloforge.verifiers.broken_toolchain import check_toolchain, smallest_fails
from haloforge.verifiers.drivers import Driven, NotDriven, Secret
from haloforge.verifiers.languages import Language, Preamble, Unit
from haloforge.verifiers.languages.rows import EVERY, ROWS
from haloforge.verifiers.precompiled import PrecompiledHeaders
from haloforge.verifiers.resident import Compiled, ResidentCompilers
from haloforge.verifiers.rewards import RewardLevel
from haloforge.verifiers.toolchain import has_tool, tool_path, versions

_log = logging.getLogger(__name__)

COMPILE_LIMITS = Limits(memory_bytes=1536 * MIB, output_bytes=32 * MIB, processes=32, disk_bytes=128 * MIB)
RUN_OUTPUT_BYTES = 16 * MIB
_LAST = (r.TIMEOUT, r.VIOLATION, r.UNKNOWN)
"""After a case with such a status the others are not run; they count as failed."""
_BLAMES_THE_TOOLCHAIN = re.compile(
    r"cannot exec|trying to exec|Killed signal|temporarily unavailable|installation problem|linker .{1,40}not found"
    r"|cannot find .?ld\b|could not exec"
    r"|can't find crate for .(?:std|core)|could not import|No space left|cannot allocate memory"
    r"|No such file or directory|could not be found",
    re.I,
)
_AKIN = {"c", "cpp", "cpp-windows"}
"""An answer that is fenced as one of these may be meant as any of them."""
REFERENCE_CPU_S = 60.0
"""CPU seconds of a reference solution's run, whose time is not known yet."""
_NO_TASK = Prompt(id="", text="")
_SIBLING = {"c": "cpp", "cpp": "c"}


@dataclass
class _Trial:
    """One sample on its way to a verdict."""

    task: Prompt
    program: Program
    cases: Sequence[Case]
    secret: Secret = field(default_factory=Secret)
    driven: Driven | None = None
    linked: bool = False
    """Whether there is a program to run, and not only a unit."""
    status: str = ""
    details: str = ""
    error: str | None = None
    passed: int = 0
    total: int = 0
    cpu_s: float = 0.0
    cpu_limit_s: float = 0.0
    """Of each run."""
    longest_s: float = 0.0
    """CPU seconds of the longest run."""
    trust: str = ""
    level: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)

    def end(self, status: str, details: str) -> None:
        self.status, self.details = status, details


class ProgramVerifier(Verifier):
    """Builds, runs, compares. Subclasses give the languages and the rewards."""

    rows: ClassVar[Mapping[str, Language]] = {}
    """Language → how it is built and run."""

    def __init__(
        self,
        max_workers: int = 8,
        *,
        warnings: Literal["ignore", "penalise"] = "ignore",
        run_after_compile: bool = False,
        check_only: bool = False,
        reference_multiple: float = r.REFERENCE_MULTIPLE,
        reference_floor_s: float = r.REFERENCE_FLOOR_S,
        **common: Any,
    ) -> None:
        """
        Args:
            warnings: "ignore", or "penalise": what only builds earns less where the compiler warns.
            run_after_compile: a program without checks is also run once, with empty input.
            check_only: nothing is built or run: only types are checked. Such a verdict is not eligible for training.
            reference_multiple: a task with a reference solution and without limit allows so many times the CPU
                seconds of that solution's longest run,
            reference_floor_s: and at least so many.
            common: see Verifier.
        """
        super().__init__(max_workers, **common)
        if not (0 < reference_multiple < float("inf") and 0 < reference_floor_s < float("inf")):
            raise BadInput(
                f"reference_multiple is {reference_multiple} and reference_floor_s {reference_floor_s}; wanted are "
                "numbers above 0"
            )
        if warnings not in ("ignore", "penalise"):
            raise BadInput(f"warnings is {warnings!r}; wanted is ignore or penalise")
        if check_only and run_after_compile:
            raise BadInput("check_only runs nothing, so run_after_compile has no effect; leave one of them out")
        self.warn = warnings == "penalise"
        self.run_after_compile = run_after_compile
        self.check_only = check_only
        self.headers = PrecompiledHeaders()
        self.reference_multiple, self.reference_floor_s = reference_multiple, reference_floor_s
        self._lock = threading.RLock()
        self._residents: ResidentCompilers | None = None
        self._flags: dict[tuple[str, str], str] = {}
        """(language, cflags) → what is wrong with them."""
        self._longest: dict[tuple[str, str], float | None] = {}
        """(task, reference solution) → CPU seconds of its longest run; None where it does not pass."""

    def judge(self, code: str, task: Prompt | None, as_it_stands: bool) -> VerifyResult:
        task = task or _NO_TASK
        trial = self._tried(code, task, as_it_stands)
        if trial.status == r.COMPILE_ERROR and self._guessed(task, code):
            return self._result(self._second_guess(trial, code, task, as_it_stands))
        return self._result(trial)

    def _second_guess(self, first: _Trial, code: str, task: Prompt, as_it_stands: bool) -> _Trial:
        """C and C++ share most of their text: what does not compile as the one that it looked like may be the other."""
        other = _SIBLING.get(first.metadata["language"] or "cpp")
        if other in self.rows:
            second = self._tried(code, replace(task, language=other), as_it_stands)
            if second.status != r.COMPILE_ERROR:
                second.cpu_s += first.cpu_s
                return second
            first.cpu_s += second.cpu_s
        first.details += f", judged as {first.metadata['language'] or 'cpp'}, which was a guess: name its language"
        return first

    def _tried(self, code: str, task: Prompt, as_it_stands: bool) -> _Trial:
        task, foreign = self._in_the_tests_language(code, task, as_it_stands)
        program = assemble(code, task, as_it_stands=as_it_stands)
        language = self._language(program.language, task, code)
        if language and language.name != program.language:
            program = assemble(code, replace(task, language=language.name), as_it_stands=as_it_stands)
        cases = self.cases(task)
        trial = _Trial(task, program, cases or (), total=len(cases or ()) or len(program.checks))
        trial.metadata["language"] = program.language
        if not program.code.strip():
            trial.end(r.NO_CODE, "the answer has no code")
        elif foreign:
            trial.end(r.NO_CODE, f"the answer has code in {foreign} only; wanted is {program.language}")
        elif language is None:
            trial.end(
                r.UNKNOWN, f"verifier {self.name} cannot judge {program.language}; it knows {', '.join(self.rows)}"
            )
        elif cases is None:
            trial.end(r.UNKNOWN, "no test cases: nothing to execute the program against")
        elif reason := self.refusal(task, language):
            trial.end(r.UNKNOWN, f"verifier {self.name} has no way to run {reason}")
        elif reason := self._strange_flags(task, language):
            trial.end(r.UNKNOWN, f"the row has {reason}")
        else:
            self._set_limit(trial)
            try:
                self._build_and_run(language, trial)
            except NotDriven as e:
                trial.end(r.UNKNOWN, str(e))
        return trial

    def _in_the_tests_language(self, answer: str, task: Prompt, as_it_stands: bool) -> tuple[Prompt, str]:
        """The task with the language that its tests are in, where it names none; and the languages of all fences of
        the answer where none is the task's: no answer chooses by its fence that it cannot be judged.

        Between C and C++, which mains of tests don't tell apart, the fence decides.
        """
        named = task.names_language
        wanted = extract.known_language(task.language) if named else language_of_tests(task)
        if wanted not in self.rows:
            return task, ""
        blocks = () if as_it_stands else extract.fenced_blocks(extract.without_thoughts(answer))
        tags = {block.language for block in blocks if block.code and block.language is not None}
        if not named:
            task = replace(task, language="c" if wanted == "cpp" and tags & _AKIN == {"c"} else wanted)
        other = all(tag and tag != wanted and not {tag, wanted} <= _AKIN for tag in tags)
        return task, ", ".join(sorted(filter(None, tags))) if other else ""

    def _set_limit(self, trial: _Trial) -> None:
        """CPU seconds per run: the task's, else by its reference solution, else the default."""
        task = trial.task
        trial.cpu_limit_s = task.time_limit_s or self.cpu_s
        if task.time_limit_s or not task.reference or not task.has_checks:
            return
        key = (task.id, task.reference)
        with self._lock:  # measured once, whoever comes first
            if key not in self._longest:
                self._longest[key] = self._measured(task)
        longest = self._longest[key]
        if longest is not None:
            trial.cpu_limit_s = max(self.reference_floor_s, self.reference_multiple * longest)
            trial.metadata["cpu_limit"] = {
                "s": trial.cpu_limit_s, "reference_s": longest, "multiple": self.reference_multiple,
                "floor_s": self.reference_floor_s,
            }  # fmt: skip

    def _measured(self, task: Prompt) -> float | None:
        """CPU seconds of the longest run of the reference solution; None where it does not pass."""
        assert task.reference
        tried = self._tried(task.reference, replace(task, reference=None, time_limit_s=REFERENCE_CPU_S), False)
        if tried.status == r.PASSED:
            return tried.longest_s
        _log.warning(
            "prompt %s: its reference solution is %s (%s), so it sets no limit", task.id, tried.status, tried.details
        )
        return None

    def check(self, prompts: Sequence[Prompt]) -> None:
        found = {checker for prompt in prompts if (checker := self.checker(prompt))}
        with ThreadPoolExecutor(self.max_workers) as pool:  # `refusal` then finds them built
            list(pool.map(lambda checker: checkers.refusal(checker, self.box, self.mounts), found))
        for prompt in prompts:
            languages = languages_of([prompt])
            strange = [self._strange_flags(prompt, self.rows[name]) for name in languages if name in self.rows]
            if strange and all(strange):  # where nothing names the language, one that takes them is enough
                raise BadInput(f"prompt {prompt.id!r} has {strange[-1]}")
            for language in languages:
                row = self.rows.get(language)
                reason = self.refusal(prompt, row) if row else ""
                if row and not reason and (prompt.has_checks or self.cases(prompt)) and row.here().run is None:
                    lacks = f", because {row.run[0]} is absent" if row.run else ""
                    reason = f"{prompt.tests_kind} tests in {language}: this machine only builds such programs{lacks}"
                if row and not reason and prompt.tests_kind in ("files", "append_main", "append_cfg_test"):
                    brought = (tuple(prompt.files.items()), prompt.code_path or "", prompt.cmd or "", prompt.tests)
                    reason = _not_driven(row, prompt.tests_kind, *brought)
                if reason:
                    raise BadInput(f"verifier {self.name} cannot judge prompt {prompt.id!r}, which has {reason}")
            if self.cases(prompt) is None:
                raise BadInput(
                    f"verifier {self.name} needs test cases, and prompt {prompt.id!r} has none; give it tests"
                )

    def prepare(self, languages: Sequence[str] = ()) -> str:
        level = super().prepare(languages)
        for language in languages:
            row = self.rows[extract.known_language(language) or language]
            if row.ready:
                row.ready()
        return level

    def shown(self) -> tuple[str, ...]:
        return (*self.mounts, *self.headers.mounts())

    def refusal(self, task: Prompt, language: Language) -> str:
        """What of the task's checks this verifier cannot run in that language; "" where it runs all."""
        if task.tests_kind not in ("stdio", "compile_only", *language.kinds):
            return f"tests_kind {task.tests_kind} in {language.name}"
        cases = self.cases(task) or ()
        if self.check_only and (task.has_checks or cases):
            return "tests, of which check_only runs none: leave it out, or give the row no tests"
        if task.checker and not cases:
            return "a checker, but no stdin/stdout cases that it could check"
        if not task.checker:
            rule = self.rule(task)
            for case in cases:
                if reason := compare.unusable(case.expected_stdout, rule):
                    return f"cases whose {reason}"
        checker = self.checker(task)
        reason = checkers.refusal(checker, self.box, self.mounts) if checker else ""
        return f"a checker {reason}" if reason else ""

    def _strange_flags(self, task: Prompt, language: Language) -> str:
        """Why the row's own flags cannot be used, as `refusal` says it: found out on the smallest program."""
        if not task.cflags or not language.smallest or not all(map(has_tool, language.tools)):
            return ""
        key = (language.name, task.cflags)
        if key not in self._flags:
            flags = tuple(shlex.split(task.cflags))
            said = smallest_fails(language, self.box, self._compile_limits, flags)
            if said:
                check_toolchain(language, self.box, self._compile_limits)  # which may be at fault instead
            self._flags[key] = f"cflags {task.cflags!r}, with which nothing compiles: {said}" if said else ""
        return self._flags[key]

    def rule(self, task: Prompt) -> compare.Rule:
        """How outputs are compared where no checker decides."""
        return compare.rule(task.compare, task.validator_flags)

    def checker(self, task: Prompt) -> Checker | None:
        """What decides in place of a comparison out here."""
        return task.checker or (checkers.REGEX if self.cases(task) and self.rule(task).kind == "regex" else None)

    def cases(self, task: Prompt) -> Sequence[Case] | None:
        """The stdin/stdout checks of a task; None where this verifier cannot judge without."""
        return task.cases

    def reward(self, status: str, passed: int, total: int) -> float | None:
        return rewards.gcc(status, passed, total)

    def required_tools(self, language: str) -> tuple[str, ...]:
        """See Verifier.required_tools. Raises MissingTool, and BadInput for a language that has no row."""
        name = extract.known_language(language) or language
        if name not in self.rows:
            raise BadInput(f"verifier {self.name} cannot judge {language}; it knows {', '.join(self.rows)}")
        return tuple(tool_path(tool) for tool in self.rows[name].tools)

    def fingerprint(self) -> dict[str, Any] | None:
        if self.mounts or not type(self).__module__.startswith("haloforge."):
            return None  # what lies there may change, and so may a class of a user's
        rows = [row.here() for row in self.rows.values()]
        tools = [tool for row in rows for tool in (*row.tools, *(row.run or ())[:1])]
        tools += ["mold", "python3"]  # links, and runs checkers
        return {"level": self.level, "machine": platform.machine(), "tools": versions(tools)}

    def _language(self, found: str | None, task: Prompt, answer: str) -> Language | None:
        """The row of the language that was found; C++, or the only one that there is, where nothing names one: a guess
        by content is no reason not to judge."""
        if found and found in self.rows:
            return self.rows[found].here()
        if not task.names_language and (found is None or self._guessed(task, answer) or len(self.rows) == 1):
            return (self.rows.get("cpp") or next(iter(self.rows.values()))).here()
        return None

    def _guessed(self, task: Prompt, answer: str) -> bool:
        """Whether nothing but its content told the answer's language."""
        return not task.names_language and not language_of_tests(task) and not extract.extract_code(answer).language

    def _build_and_run(self, language: Language, trial: _Trial, again: bool = False) -> None:
        program, task = trial.program, trial.task
        driven, trial.trust = None, "build"
        if program.tests_kind in language.kinds and language.drive and language.run:
            driven = trial.driven = language.drive(program, trial.secret)
            trial.total, trial.trust = driven.total, "in_process"
        files = driven.files if driven else program.files
        trial.linked = bool(driven) or language.has_entry(files.get(program.main, ""))
        build = language.build(
            Unit(
                main=driven.main if driven else program.main,
                files=files,
                link=trial.linked,
                check_only=self.check_only,
                warn=self.warn,
                cflags=tuple(shlex.split(task.cflags or "")),
                entry=trial.secret.name if driven else "",
            )
        )
        commands = driven.commands if driven and driven.commands else build.commands
        limits = replace(self._compile_limits, processes=max(COMPILE_LIMITS.processes, language.processes))
        sources = {**build.files, **files}
        contents: Mapping[str, str | bytes] = sources
        if language.resident and not self.warn and (compiled := self._compiled(commands, sources)):
            trial.cpu_s += compiled.cpu_s
            commands, contents = (), {compiled.name: compiled.program}
        preamble = self.headers.ready(build.preamble if commands is build.commands else None, self.box)
        with self.box(contents, limits, build.mounts) as box:
            trial.level = box.level
            trial.metadata["compiler"] = language.tools[0]
            warned, killed = b"", False
            for number, argv in enumerate(commands):
                built = self._compile(box, [tool_path(argv[0]), *argv[1:]], None if number else preamble, trial)
                if not built.ok:
                    self._not_built(built, trial)
                    killed = built.signal == signal.SIGKILL and not built.ended_by
                    break
                said = built.stderr or built.stdout
                if self.warn and (b"warning:" in said or b"warning CS" in said):
                    warned += said
            else:
                self._after_build(box, language, warned, trial)
        blamed = killed or _BLAMES_THE_TOOLCHAIN.search(trial.error or "")
        if trial.status == r.COMPILE_ERROR and blamed and not again:
            check_toolchain(language, self.box, self._compile_limits)
            trial.end("", "")  # it works, so a fault that has passed gets a second look
            self._build_and_run(language, trial, again=True)

    def _compile(self, box: Box, argv: list[str], preamble: Preamble | None, trial: _Trial) -> Outcome:
        """One command of a build; one that idled past its time may have met a busy machine, and gets a second look."""
        built = self.headers.run(box, argv, preamble)
        trial.cpu_s += built.cpu_s
        if built.ended_by == sandbox.WALL_LIMIT:
            built = self.headers.run(box, argv, preamble)
            trial.cpu_s += built.cpu_s
        return built

    @property
    def _compile_limits(self) -> Limits:
        return replace(COMPILE_LIMITS, cpu_s=self.compile_cpu_s, wall_s=wall_limit_s(self.compile_cpu_s))

    def _compiled(self, commands: Sequence[Sequence[str]], files: Mapping[str, str]) -> Compiled | None:
        """By a compiler that is kept running, if it can."""
        with self._lock:
            if self._residents is None:
                self._residents = ResidentCompilers(self.level, self.slot)
        return self._residents.compile(commands[0][1:], files) if len(commands) == 1 else None

    def cleanup(self) -> None:
        if self._residents is not None:
            self._residents.close()
        super().cleanup()

    def _after_build(self, box: Box, language: Language, warned: bytes, trial: _Trial) -> None:
        trial.metadata["warnings"] = bool(warned)
        trial.error = printable(warned) if warned else None
        if self.check_only:
            trial.metadata["check_only"] = True
            trial.end(r.COMPILED, "types checked only: neither built nor run")
        elif not trial.task.has_checks and not trial.cases:
            trial.end(r.COMPILED, "built, with warnings" if warned else "built")
            if self.run_after_compile and trial.linked and language.run:
                self._run_once(box, language, trial)
        elif language.run is None:
            trial.end(r.UNKNOWN, "built, but its tests were not run: this machine cannot run such programs")
        elif trial.driven:
            self._run_driven(box, language, trial.driven, trial)
        elif not trial.linked:
            trial.end(r.RUNTIME_ERROR, "the code has no main, so no case could be run")
        else:
            self._run_cases(box, language, trial)

    def _not_built(self, built: Outcome, trial: _Trial) -> None:
        if built.ended_by == sandbox.VIOLATION:
            trial.end(r.VIOLATION, "the build broke out of its limits")
        elif built.ended_by:
            trial.end(r.COMPILE_ERROR, f"the compiler ran into its {built.ended_by}")
            trial.metadata["ended_by"] = built.ended_by
        else:
            trial.end(r.COMPILE_ERROR, "does not compile")
        trial.error = printable(built.stderr) or printable(built.stdout) or None

    def _run_once(self, box: Box, language: Language, trial: _Trial) -> None:
        status, details, _ = self._run(box, language, b"", trial)
        if status:
            trial.end(status, details)
        else:
            trial.details, trial.metadata["ran"] = "built, and ran to a good end", True

    def _run_driven(self, box: Box, language: Language, driven: Driven, trial: _Trial) -> None:
        """Positive proof only: whatever else happens after the build is `tests_failed`, but for limits."""
        if driven.hidden:
            box.run([tool_path("rm"), "-f", "--", *driven.hidden])
        status, details, stdout = self._run(box, language, trial.secret.nonce.encode(), trial)
        proven = trial.secret.proven(stdout, driven.total)
        trial.passed = proven or 0
        if status and status != r.RUNTIME_ERROR:
            trial.end(status, details)
        elif proven == driven.total and not status:
            trial.end(r.PASSED, f"{proven} of {driven.total} tests")
        elif proven is not None:
            but = f", but it {details}" if proven == driven.total else ""
            trial.end(r.TESTS_FAILED, f"{proven} of {driven.total} tests passed{but}")
        else:
            trial.end(r.TESTS_FAILED, details or "the program ended before its tests did")

    def _run_cases(self, box: Box, language: Language, trial: _Trial) -> None:
        count, trial.trust = len(trial.cases), "output"
        for number, case in enumerate(trial.cases, start=1):
            stdin = case.stdin.encode("utf-8", "surrogateescape")
            status, details, stdout = self._run(box, language, stdin, trial)
            if not status:
                status, details = self._compared(box, case, stdout, trial)
            if not status:
                trial.passed += 1
            elif not trial.status:
                trial.end(status, f"case {number} of {count}: {details}")
            if status in _LAST:
                break
        if not trial.status:
            trial.end(r.PASSED, f"{trial.passed} of {count} cases")

    def _compared(self, box: Box, case: Case, stdout: bytes, trial: _Trial) -> tuple[str, str]:
        """The failing status of an output ("" where it is right), and what to say of it."""
        task, checker = trial.task, self.checker(trial.task)
        if checker:
            beside = partial(self.box, beside=box)
            answer = checkers.check(checker, case, stdout, task.validator_flags, beside, self.mounts)
            trial.cpu_s += answer.cpu_s
            if answer.accepted is None:
                return r.UNKNOWN, f"the checker cannot tell: {answer.message}"
            if answer.score is not None and not answer.accepted and not trial.status:
                trial.metadata["checker_score"] = answer.score
            right, said = answer.accepted, answer.message
        else:
            right, said = compare.matches(case.expected_stdout, stdout, self.rule(task)), ""
        if right:
            return "", ""
        if said:
            return r.WRONG_ANSWER, f"the checker says: {said}"
        printed, wanted = printable(stdout, 60), printable(case.expected_stdout, 60)
        if task.checker:
            return (
                r.WRONG_ANSWER,
                f"the checker refuses it without a word: printed {printed!r}, its answer is {wanted!r}",
            )
        return r.WRONG_ANSWER, f"printed {printed!r}, expected {wanted!r}"

    def _run(self, box: Box, language: Language, stdin: bytes, trial: _Trial) -> tuple[str, str, bytes]:
        """One run of the program: its failing status ("" where it ended well), what to say of it, its stdout."""
        cpu_s = trial.cpu_limit_s
        memory_mb = max(trial.task.memory_mb or self.memory_mb, language.least_memory_mb)
        limits = Limits(
            cpu_s=cpu_s,
            wall_s=wall_limit_s(cpu_s),
            memory_bytes=memory_mb * MIB,
            output_bytes=RUN_OUTPUT_BYTES,
            processes=language.processes,
        )
        outcome = self._timed(box, language, stdin, limits, trial)
        if outcome.ended_by == sandbox.WALL_LIMIT:  # an idle program, or a busy machine: a second look
            outcome = self._timed(box, language, stdin, limits, trial)
        status, details = ending(outcome, limits)
        if outcome.ended_by and (not trial.status or outcome.ended_by == sandbox.WALL_LIMIT):
            trial.metadata["ended_by"] = outcome.ended_by
        return status, details, outcome.stdout

    def _timed(self, box: Box, language: Language, stdin: bytes, limits: Limits, trial: _Trial) -> Outcome:
        outcome = box.run(language.command(), stdin, limits)
        if len(outcome.stdout) >= limits.output_bytes and outcome.ended_by != sandbox.VIOLATION:
            outcome = replace(outcome, ended_by=sandbox.OUTPUT_LIMIT)  # Go and mono outlive the signal, and may go on
        trial.cpu_s += outcome.cpu_s
        trial.longest_s = max(trial.longest_s, outcome.cpu_s)
        if outcome.ended_by in (sandbox.CPU_LIMIT, sandbox.WALL_LIMIT):
            trial.metadata["timeout_s"] = trial.metadata.get("timeout_s", 0.0) + outcome.wall_s
        return outcome

    def _result(self, trial: _Trial) -> VerifyResult:
        reward = self.reward(trial.status, trial.passed, trial.total)
        if trial.status == r.COMPILED and trial.metadata.get("warnings"):
            reward = RewardLevel.COMPILE_WARNINGS.value
        elif trial.status == r.COMPILED and trial.metadata.get("ran"):
            reward = RewardLevel.RUNS_NO_CRASH.value
        return VerifyResult(
            success=trial.status in (r.PASSED, r.COMPILED),
            reward=reward,
            details=_told(trial.details, trial.secret.name) or "",
            error=_told(trial.error, trial.secret.name),
            metadata=trial.metadata,
            status=trial.status,
            passed=trial.passed,
            total=trial.total,
            cpu_s=trial.cpu_s,
            level=trial.level,
            trust=trial.trust,
            code=trial.program.code,
        )


def _told(text: str | None, secret: str) -> str | None:
    """`text` without the driver's name, which is another one each time; in capitals it stands before tests' names."""
    return text.replace(secret.upper(), "").replace(secret, "driver") if text else text


class GCCVerifier(ProgramVerifier):
    """`gcc`: C with gcc, C++ with g++; runs the task's checks where it has them, else only builds.

    `metadata` has `language`, `warnings`, and where a limit decided: `ended_by` (`wall_limit`: the verdict is
    no property of the program, so don't cache it) and `timeout_s` (seconds by the clock in runs that hit a time limit).
    """

    name = "gcc"
    rows = ROWS["gcc"]


class ClangVerifier(ProgramVerifier):
    """`clang`: as `gcc`, with clang and clang++."""

    name = "clang"
    rows = ROWS["clang"]


class RustVerifier(ProgramVerifier):
    """`rust`: one file, or a cargo project, with rustc."""

    name = "rust"
    rows = ROWS["rust"]


class GoVerifier(ProgramVerifier):
    """`go`: the go command's compiler and linker; tests are called as `go test` calls them."""

    name = "go"
    rows = ROWS["go"]


class DotNetVerifier(ProgramVerifier):
    """`dotnet`: C# by the .NET SDK where it is installed, else by mono; `metadata["compiler"]` says by which."""

    name = "dotnet"
    rows = ROWS["dotnet"]


class MinGWVerifier(ProgramVerifier):
    """`mingw`: C and C++ for Windows; runs what it built where there is wine, else only builds."""

    name = "mingw"
    rows = ROWS["mingw"]


class ExecutionVerifier(ProgramVerifier):
    """`execution`: runs stdin/stdout cases and gives partial credit; without cases it cannot tell (`unknown`)."""

    name = "execution"
    rows = EVERY

    def __init__(
        self,
        max_workers: int = 8,
        *,
        test_cases: Sequence[Case | Mapping[str, str]] = (),
        mode: str | None = None,
        **common: Any,
    ) -> None:
        """
        Args:
            test_cases: for tasks that bring none; rows as in a prompts file ({"input": …, "output": …}).
            mode: exact | contains | regex | numeric (docs/DATA.md): how outputs are compared where a task says nothing
                of it; None: as tokens.
            common: see Verifier.
        """
        super().__init__(max_workers, **common)
        if self.warn or self.run_after_compile or self.check_only:
            raise BadInput(
                "warnings, run_after_compile and check_only are for programs without cases; execution always has cases"
            )
        if mode is not None and mode not in compare.MODES:
            raise BadInput(f"verifier execution: mode is {mode!r}; wanted is one of {', '.join(compare.MODES)}")
        self.compare = compare.MODES[mode] if mode else None
        self.test_cases = tuple(
            case if isinstance(case, Case) else parse_case(case, index) for index, case in enumerate(test_cases, 1)
        )

    def rule(self, task: Prompt) -> compare.Rule:
        return compare.rule(task.compare or self.compare, task.validator_flags)

    def cases(self, task: Prompt) -> Sequence[Case] | None:
        return task.cases or self.test_cases or (() if task.has_checks else None)

    def reward(self, status: str, passed: int, total: int) -> float | None:
        return rewards.execution(status, passed, total)


@lru_cache(maxsize=256)  # rows of answers bring the same project many times
def _not_driven(
    language: Language, kind: str, files: tuple[tuple[str, str], ...], path: str, cmd: str, tests: str
) -> str:
    """Why its tests cannot be called, whatever the answer is; "" where they can."""
    whole, main = {**dict(files), path: ""}, SOURCES[language.name]
    program = Program(language.name, kind, "", tests, whole, main, (), cmd=cmd, code_path=path)
    try:
        if language.drive:
            language.drive(program, Secret())
    except NotDriven as e:
        return f"a project that is not judged here: {e}" if kind == "files" else f"tests that are not judged here: {e}"
    except MissingTool:  # which is told where tools are looked for
        pass
    return ""


def languages_of(prompts: Iterable[Prompt]) -> list[str]:
    """The languages that answers to these prompts may have; C and C++ where nothing names one."""
    found: set[str] = set()
    for prompt in prompts:
        named = (prompt.language or "").strip().lower()
        said = extract.known_language(named) or named if prompt.names_language else language_of_tests(prompt)
        found |= {said} if said else {"c", "cpp"}
    return sorted(found)
