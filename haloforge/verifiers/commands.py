"""`subprocess`: a command of the user's on the answer's file, in a box; exit status 0 is success."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from haloforge import records as r
from haloforge import sandbox
from haloforge.errors import BadInput, MissingTool, SandboxFault
from haloforge.records import Prompt, VerifyResult
from haloforge.sandbox import Limits
from haloforge.source.assemble import SOURCES, assemble
from haloforge.verifiers.base import Verifier, ending, printable, wall_limit_s

FILE = "{file}"


class SubprocessVerifier(Verifier):
    """Reward 1.0 for exit status 0, else 0.0.

    The command reads the sample. It must not run it and trust its exit status: for that there are the other verifiers.
    """

    name = "subprocess"

    def __init__(
        self,
        command: str = "",
        max_workers: int = 8,
        *,
        file_name: str | None = None,
        timeout: float = 60.0,
        **common: Any,
    ) -> None:
        """
        Args:
            command: for `sh -c` in the box's folder; {file} is the answer's file.
            file_name: what that file is called; default: by language (main.cpp, main.py, …).
            timeout: CPU seconds; `cpu_s` has no effect.
            common: see Verifier.

        Raises:
            BadInput: no command, or one without {file}.
        """
        super().__init__(max_workers, **{**common, "timeout": timeout})
        if FILE not in command:
            raise BadInput(
                f"subprocess: command is {command!r}; wanted is one with {FILE}, for example 'cppcheck {FILE}'"
            )
        self.command, self.file_name = command, file_name

    def prepare(self, languages: Sequence[str] = ()) -> str:
        """Also raises MissingTool where boxes do not see the program that the command begins with."""
        level = super().prepare(languages)
        if absent := self._absent():
            raise MissingTool(absent)
        return level

    def _absent(self) -> str:
        """What to say where the command's first word is nothing that a box's shell could run; "" where it is."""
        word = self.command.split()[0]
        if not re.fullmatch(r"[\w./+][\w./+-]*", word):
            return ""  # nothing that can be looked up: an assignment, a parenthesis
        limits = Limits(cpu_s=self.cpu_s, wall_s=wall_limit_s(self.cpu_s))
        if self.run(["/bin/sh", "-c", f"command -v {word}"], limits=limits).exit_code in (0, None):
            return ""
        return (
            f"verifier subprocess: boxes have no {word}, with which its command begins; they see /usr, and what "
            "verifier.mounts names: install it there, or name its folder and call it by its path"
        )

    def judge(self, code: str, task: Prompt | None, as_it_stands: bool) -> VerifyResult:
        program = assemble(code, task or Prompt(id="", text=""), as_it_stands=as_it_stands)
        if not program.code.strip():
            return VerifyResult(False, 0.0, "the answer has no code", status=r.NO_CODE, trust="custom")
        name = self.file_name or SOURCES.get(program.language or "", "answer.txt")
        limits = Limits(cpu_s=self.cpu_s, wall_s=wall_limit_s(self.cpu_s), memory_bytes=self.memory_mb << 20)
        with self.box({name: program.code}, limits) as box:
            argv = ["/bin/sh", "-c", self.command.replace(FILE, shlex.quote(name))]
            outcome = box.run(argv)
            if outcome.ended_by == sandbox.WALL_LIMIT:  # an idle command, or a busy machine: a second look
                outcome = box.run(argv)
        said = outcome.exit_code in (126, 127)  # as a shell says it; a sample may say it too
        if said and (absent := self._absent()):
            raise SandboxFault(absent)
        status, details = ending(outcome, limits)
        if not status:
            status, details = r.PASSED, "the command ended with exit code 0"
        elif status == r.RUNTIME_ERROR:
            status = r.TESTS_FAILED
        return VerifyResult(
            success=status == r.PASSED,
            reward=1.0 if status == r.PASSED else 0.0,
            details=details,
            error=printable(outcome.stderr or outcome.stdout) or None if status != r.PASSED else None,
            metadata={"ended_by": outcome.ended_by} if outcome.ended_by else {},
            status=status,
            passed=int(status == r.PASSED),
            total=1,
            cpu_s=outcome.cpu_s,
            level=outcome.level,
            trust="custom",
            code=program.code,
        )
