"""What every verifier offers: code and its task in, a verdict out.

A fault of ours (missing compiler, a box that does not start) becomes the status `infra_error`; a machine
that cannot hold a sandbox at all is refused with MissingTool before any code runs.
"""

from __future__ import annotations

import os
import queue
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from haloforge import sandbox
from haloforge.errors import MissingTool, SandboxFault
from haloforge.records import INFRA_ERROR, Prompt, VerifyResult
from haloforge.source import extract

_SHOWN = 400
"""Characters of a compiler's or program's words that a verdict keeps."""
_TEMPORARY = re.compile(r"/tmp/cc\w{6}\.(?:o|s|res)|/tmp/cc\w{6}\.ltrans\d+\S*")
"""Names that gcc makes up for its temporary files."""
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b.?")


class Verifier:
    """Base class. A subclass says `judge`, or overrides `verify` if it needs no box."""

    name = "custom"

    def __init__(
        self,
        max_workers: int = 8,
        *,
        cpu_s: float = 5.0,
        compile_cpu_s: float = 20.0,
        memory_mb: int = 512,
        allow_weak: bool = False,
        slot: int = 0,
    ) -> None:
        """
        Args:
            max_workers: how many samples `verify_batch` judges at the same time; never more than there are cores.
            cpu_s: CPU seconds per case where the prompt has no `time_limit_s`.
            compile_cpu_s: CPU seconds of the compiler.
            memory_mb: per case, where the prompt has no `memory_mb`.
            allow_weak: go on with a weaker sandbox where the full one does not hold; its name is in every verdict.
            slot: the first of `max_workers` numbers that no other verifier of this process uses.
        """
        self.cpu_s = cpu_s
        self.compile_cpu_s = compile_cpu_s
        self.memory_mb = memory_mb
        self.allow_weak = allow_weak
        self.max_workers = max(1, min(max_workers, os.cpu_count() or 1))
        self._slots: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(self.max_workers):
            self._slots.put(slot + number)

    def prepare(self, languages: Sequence[str] = ()) -> str:
        """Check this machine before the first verdict; returns the sandbox's level.

        Raises:
            MissingTool: no sandbox holds here, or a compiler for one of `languages` is absent.
        """
        for language in languages:
            self.required_tools(language)
        return sandbox.level(self.allow_weak)

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
        sandbox.level(self.allow_weak)
        start = time.monotonic()
        try:
            result = self.judge(code, task, as_it_stands)
        except (MissingTool, SandboxFault) as e:
            result = VerifyResult(False, None, "not judged: our side failed", str(e), status=INFRA_ERROR)
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
            return [self.verify(code, task) for code, task in zip(codes, each, strict=True)]
        with ThreadPoolExecutor(self.max_workers) as pool:
            return list(pool.map(self.verify, codes, each))

    def extract_code(self, text: str, language: str | None = None) -> str:
        """The program in a model's answer, "" where there is none."""
        return extract.extract_code(text, language).code

    def cleanup(self) -> None:
        """Give back what the verifier holds between verdicts; the next verdict takes it again."""
        sandbox.close()

    @contextmanager
    def box(self, files: Mapping[str, str | bytes], limits: sandbox.Limits) -> Iterator[sandbox.Box]:
        """A fresh box with `files`, in a slot that no other thread of this verifier uses meanwhile."""
        level = sandbox.level(self.allow_weak)
        slot = self._slots.get()
        try:
            with sandbox.box(files, limits, level=level, slot=slot) as box:
                yield box
        finally:
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
