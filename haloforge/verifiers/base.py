"""What every verifier offers: code and its task in, a verdict out.

A fault of ours (missing compiler, a box that does not start) becomes the status `infra_error`; a machine
that cannot hold a sandbox at all is refused with MissingTool before any code runs.
"""

from __future__ import annotations

import inspect
import os
import queue
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

from haloforge import records as r
from haloforge import sandbox
from haloforge.errors import BadInput, HaloforgeError, MissingTool, SandboxFault
from haloforge.records import INFRA_ERROR, Prompt, VerifyResult
from haloforge.source import extract
from haloforge.verifiers.rewards import RewardLevel as RewardLevel  # where halo-forge's verifiers import it from

ATTEMPTS = 2
"""How often a sample is tried here before a fault of ours is its `infra_error`; a pool then tries other verifiers."""
PAUSE_S = 0.2
_STATUS_OF_ENDING = {
    sandbox.CPU_LIMIT: r.TIMEOUT,
    sandbox.WALL_LIMIT: r.TIMEOUT,
    sandbox.MEMORY_LIMIT: r.MEMORY_LIMIT,
    sandbox.OUTPUT_LIMIT: r.OUTPUT_LIMIT,
    sandbox.VIOLATION: r.VIOLATION,
}
_SHOWN = 400
"""Characters of a compiler's or program's words that a verdict keeps."""
_TEMPORARY = re.compile(
    r"(?:/[\w./-]*haloforge-box-\w+)?/tmp/(?:(?:cc\w{6}|\w+-[0-9a-f]{6})\.(?:o|s|res)|cc\w{6}\.ltrans\d+\S*)"
)
"""Names that gcc and clang make up for their temporary files, which without namespaces lie in the box's own folder."""
_OUT_OF_MEMORY = re.compile(
    rb"std::bad_alloc|runtime: (?:out of memory|cannot allocate memory)|System\.OutOfMemoryException"
    rb"|^memory allocation of \d+ bytes failed",
    re.M,
)
"""What runtimes say (C++, Go, mono, Rust) where the system gives them no more."""
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b.?")


class Verifier:
    """Base class. A subclass says `judge`, or overrides `verify` if it needs no box."""

    name = "custom"

    def __init__(
        self,
        max_workers: int = 8,
        *,
        cpu_s: float = r.CPU_S,
        compile_cpu_s: float = r.COMPILE_CPU_S,
        memory_mb: int = r.MEMORY_MB,
        mounts: Sequence[str] = (),
        timeout: float | None = None,
        allow_weak: bool = False,
        slot: int = 0,
    ) -> None:
        """
        Args:
            max_workers: how many samples `verify_batch` judges at the same time; never more than there are cores.
            cpu_s: CPU seconds per case where the prompt has no `time_limit_s`.
            compile_cpu_s: CPU seconds of the compiler.
            memory_mb: per case, where the prompt has no `memory_mb`.
            mounts: folders or files of this machine that boxes also see, read-only, under their own absolute paths.
            timeout: another name of `cpu_s`, which wins where it is given.
            allow_weak: go on with a weaker sandbox where the full one does not hold; its name is in every verdict.
            slot: the first of `max_workers` numbers that no other verifier of this process uses.
        """
        self.cpu_s = cpu_s = cpu_s if timeout is None else timeout
        self.compile_cpu_s = compile_cpu_s
        self.memory_mb = memory_mb
        self.mounts = tuple(mounts)
        self.allow_weak = allow_weak
        self.slot = slot
        least = {"cpu_s": r.LEAST_CPU_S, "compile_cpu_s": r.LEAST_CPU_S, "memory_mb": 1, "max_workers": 1}
        given = {"cpu_s": cpu_s, "compile_cpu_s": compile_cpu_s, "memory_mb": memory_mb, "max_workers": max_workers}
        for name, value in given.items():
            if not isinstance(value, int | float) or not least[name] <= value < 1e9:
                called = "timeout" if name == "cpu_s" and timeout is not None else name
                raise BadInput(
                    f"verifier {self.name}: {called} is {value!r}; wanted is a number from {least[name]} to below 1e9"
                )
        for path in self.mounts:
            if not os.path.isabs(path):
                raise BadInput(f"verifier {self.name}: mounts has {path!r}; wanted is an absolute path")
        self.max_workers = max(1, min(max_workers, os.cpu_count() or 1))
        self._slots: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(self.max_workers):
            self._slots.put(slot + number)

    def check(self, prompts: Sequence[Prompt]) -> None:
        """Before a run: raises BadInput where answers to one of `prompts` could not be judged."""

    def prepare(self, languages: Sequence[str] = ()) -> str:
        """Check this machine before the first verdict; returns the sandbox's level.

        Raises:
            MissingTool: no sandbox holds here, or a compiler for one of `languages` is absent.
        """
        for path in self.mounts:
            if not os.path.exists(path):
                raise MissingTool(f"verifier {self.name}: {path} of verifier.mounts is absent on this node")
        for language in languages:
            self.required_tools(language)
        return self.level

    def fingerprint(self) -> dict[str, Any] | None:
        """All of this machine that decides a verdict, as JSON; None where that cannot be known: nothing is then kept
        for another command. Raises MissingTool as `prepare` does."""
        return None

    @property
    def level(self) -> str:
        """The sandbox's level on this machine. Raises MissingTool as `prepare` does."""
        return sandbox.level(self.allow_weak)

    def required_tools(self, language: str) -> tuple[str, ...]:
        """Paths of the tools that a verdict on `language` needs, after seeing that they are there."""
        return ()

    def verify(self, code: str, task: Prompt | None = None, *, as_it_stands: bool = False) -> VerifyResult:
        """Judge `code` (a program, or raw model text) as an answer to `task`.

        Args:
            as_it_stands: `code` is the program already: nothing is extracted, completed or dropped.

        Raises:
            MissingTool: this machine cannot hold a sandbox; the message has the remedy.
        """
        _ = self.level  # or there is no sandbox here, and it says so
        start = time.monotonic()
        for left in reversed(range(ATTEMPTS)):
            try:
                result = self.judge(code, task, as_it_stands)
                break
            except (MissingTool, SandboxFault) as e:
                result = VerifyResult(False, None, "not judged: our side failed", str(e), status=INFRA_ERROR)
                if left:
                    time.sleep(PAUSE_S)
        return replace(result, wall_s=time.monotonic() - start)

    def judge(self, code: str, task: Prompt | None, as_it_stands: bool) -> VerifyResult:
        """The verdict itself; SandboxFault and MissingTool may pass."""
        raise NotImplementedError(
            f"{type(self).__name__} must define judge(code, task, as_it_stands) or verify(code, task)"
        )

    def verify_batch(
        self, codes: Sequence[str], tasks: Sequence[Prompt | None] | Prompt | None = None
    ) -> list[VerifyResult]:
        """Judge many; results stand in the order of `codes`. One task counts for all of them."""
        each = [tasks] * len(codes) if tasks is None or isinstance(tasks, Prompt) else list(tasks)
        if len(each) != len(codes):
            raise ValueError(f"{len(codes)} codes but {len(each)} tasks")
        if self.max_workers == 1 or len(codes) < 2:
            return [verdict(self, code, task) for code, task in zip(codes, each, strict=True)]
        with ThreadPoolExecutor(self.max_workers) as pool:
            return list(pool.map(verdict, [self] * len(codes), codes, each))

    def extract_code(self, text: str, language: str | None = None) -> str:
        """The program in a model's answer, "" where there is none."""
        return extract.extract_code(text, language).code

    def cleanup(self) -> None:
        """Give back what the verifier holds between verdicts; the next verdict takes it again."""
        sandbox.close()

    def shown(self) -> tuple[str, ...]:
        """What boxes see of this machine besides the toolchains, read-only; the same for every box."""
        return self.mounts

    @contextmanager
    def box(
        self,
        files: Mapping[str, str | bytes],
        limits: sandbox.Limits,
        mounts: Sequence[str] = (),
        *,
        beside: sandbox.Box | None = None,
    ) -> Iterator[sandbox.Box]:
        """A fresh box with `files`, in a slot that no other thread of this verifier uses meanwhile.

        Args:
            mounts: what it sees besides the verifier's own.
            beside: take the slot of this box, which nothing runs in meanwhile; a second slot might never be free.
        """
        level = sandbox.level(self.allow_weak)
        slot = beside.slot if beside else self._slots.get()
        try:
            with sandbox.box(files, limits, level=level, slot=slot, mounts=(*self.shown(), *mounts)) as box:
                yield box
        finally:
            if not beside:
                self._slots.put(slot)

    def run(
        self,
        argv: Sequence[str],
        files: Mapping[str, str | bytes] | None = None,
        stdin: bytes = b"",
        limits: sandbox.Limits | None = None,
    ) -> sandbox.Outcome:
        """One command in a box of its own, for custom verifiers."""
        limits = limits or sandbox.Limits(cpu_s=self.cpu_s, wall_s=wall_limit_s(self.cpu_s))
        with self.box(files or {}, limits) as box:
            return box.run(argv, stdin)


def verdict(verifier: Verifier, code: str, task: Prompt | None = None, as_it_stands: bool = False) -> VerifyResult:
    """What `verifier` says, whoever wrote it: a class of a user's may take only `code`, and may fail.

    Its level and trust are `custom`; an exception of its own is `infra_error`.
    """
    if type(verifier).__module__.startswith("haloforge."):
        return verifier.verify(code, task, as_it_stands=as_it_stands)
    start = time.monotonic()
    try:
        result = _asked(verifier, code, task, as_it_stands)
        if not isinstance(result, VerifyResult):
            raise TypeError(f"verify returned {type(result).__name__}; wanted is a VerifyResult")
        if result.reward is None and result.status not in r.UNDECIDED:
            raise TypeError(f"verify returned {result.status} with reward None; wanted is a number")
    except HaloforgeError:
        raise
    except (Exception, SystemExit) as e:
        result = VerifyResult(
            False, None, f"verifier {type(verifier).__name__} failed", f"{type(e).__name__}: {e}", status=INFRA_ERROR
        )
    wall_s = result.wall_s or time.monotonic() - start
    return replace(result, level=result.level or "custom", trust="custom", code=result.code or code, wall_s=wall_s)


def _asked(verifier: Verifier, code: str, task: Prompt | None, as_it_stands: bool) -> VerifyResult:
    """With as much as its verify takes."""
    takes_task, takes_how = _takes(type(verifier).verify)
    if takes_task and takes_how:
        return verifier.verify(code, task, as_it_stands=as_it_stands)
    return verifier.verify(code, task) if takes_task else verifier.verify(code)


@cache
def _takes(verify: Callable[..., Any]) -> tuple[bool, bool]:
    """Whether it takes a task, and `as_it_stands`."""
    given = list(inspect.signature(verify).parameters.values())[1:]
    positional = [p for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    takes_task = len(positional) > 1 or any(p.kind == p.VAR_POSITIONAL for p in given)
    return takes_task, any(p.name == "as_it_stands" or p.kind == p.VAR_KEYWORD for p in given)


def wall_limit_s(cpu_limit_s: float) -> float:
    """Seconds that a program with this CPU limit may idle (see Limits.wall_s)."""
    return cpu_limit_s + 2


def printable(text: str | bytes, most: int = _SHOWN) -> str:
    """One short text for `details` and `error`: no escape sequences or control characters, and the same each time."""
    if isinstance(text, bytes):
        text = text[: 8 * most].decode("utf-8", "replace")
    text = _TEMPORARY.sub("main.o", text)
    text = _ESCAPES.sub("", text)
    text = "".join(ch if ch.isprintable() or ch == "\n" else " " for ch in text).strip()
    return text if len(text) <= most else text[: most - 1] + "…"


def ending(outcome: sandbox.Outcome, limits: sandbox.Limits) -> tuple[str, str]:
    """(failing status or "", words for `details`) of one run."""
    if outcome.ended_by:
        words = {
            sandbox.CPU_LIMIT: f"used more than {limits.cpu_s:g} s of CPU time",
            sandbox.WALL_LIMIT: f"did not end, idle for {limits.wall_s:g} s ({outcome.cpu_s:.2f} s of CPU time)",
            sandbox.MEMORY_LIMIT: f"used more than {limits.memory_bytes // sandbox.MIB} MB",
            sandbox.OUTPUT_LIMIT: f"wrote more than {limits.output_bytes // sandbox.MIB} MB",
            sandbox.VIOLATION: "broke out of its limits",
        }
        return _STATUS_OF_ENDING[outcome.ended_by], words[outcome.ended_by]
    if outcome.ok:
        return "", ""
    said = f": {printable(outcome.stderr, 100)}" if outcome.stderr.strip() else ""
    if _OUT_OF_MEMORY.search(outcome.stderr):
        return r.MEMORY_LIMIT, f"asked for more than {limits.memory_bytes // sandbox.MIB} MB{said}"
    if outcome.signal is not None:
        return r.RUNTIME_ERROR, f"killed by {_signal_name(outcome.signal)}{said}"
    return r.RUNTIME_ERROR, f"ended with exit code {outcome.exit_code}{said}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
