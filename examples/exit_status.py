"""The usual checker of Python answers, as a verifier of one's own: and why haloforge has another.

Answer and tests are one file; it is run, and exit status 0 means that they passed. It is boxed like everything, so it
is safe, but the answer holds the pen: `os._exit(0)` before the tests passes all of them. `make demo-forging` shows what
RAFT makes of that. Not for use; `asserts` is.
"""

from __future__ import annotations

from haloforge import records
from haloforge.records import Prompt, VerifyResult
from haloforge.verifiers import Verifier

PYTHON = "/usr/bin/python3"


class ExitStatus(Verifier):
    """Runs the answer and then its tests in one process, and believes its exit status."""

    def judge(self, code: str, task: Prompt | None, as_it_stands: bool) -> VerifyResult:
        answer = code if as_it_stands else self.extract_code(code, "python")
        if not answer.strip():
            return VerifyResult(False, 0.0, "the answer has no code", status=records.NO_CODE)
        tests = task.tests if task else ""
        outcome = self.run([PYTHON, "-I", "-S", "main.py"], {"main.py": f"{answer}\n\n{tests}"})
        return VerifyResult(
            success=outcome.ok,
            reward=float(outcome.ok),
            details=f"exit status {outcome.exit_code}",
            status=records.PASSED if outcome.ok else records.TESTS_FAILED,
            passed=int(outcome.ok),
            total=1,
            cpu_s=outcome.cpu_s,
            level=outcome.level,
            code=answer,
        )
