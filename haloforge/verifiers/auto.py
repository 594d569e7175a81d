"""`auto`: whichever language an answer is in, judged by that language's own verifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from haloforge.records import Prompt, VerifyResult
from haloforge.source import extract
from haloforge.source.assemble import assemble
from haloforge.verifiers.languages.rows import EVERY
from haloforge.verifiers.powershell import PowerShellVerifier, parser_versions
from haloforge.verifiers.programs import ProgramVerifier, languages_of
from haloforge.verifiers.python_tests import PythonTests, has_python_tests


class MultiLanguageVerifier(ProgramVerifier):
    """`auto`: every language; which one, the row says, else the fence, the tests, the content.

    Python tests are judged as the verifiers `asserts`, `unittest` and `pytest` do, whichever the tests are. PowerShell
    is only parsed (haloforge/verifiers/powershell.py).
    """

    name = "auto"
    rows = EVERY

    def __init__(
        self, max_workers: int = 8, *, trust: str = "auto", python_packages: Sequence[str] = (), **common: Any
    ) -> None:
        """
        Args:
            trust, python_packages: see PythonTests.
            common: see ProgramVerifier.
        """
        super().__init__(max_workers, **common)
        # Boxes of their own would need slots of their own: they take turns with the programs'.
        self._powershell = PowerShellVerifier(self.max_workers, allow_weak=self.allow_weak, slot=self.slot)
        self._powershell.box = self.box  # type: ignore[method-assign]
        shared = ("cpu_s", "memory_mb", "mounts", "allow_weak", "reference_multiple", "reference_floor_s")
        self._python = PythonTests(
            trust=trust, python_packages=python_packages, **{name: getattr(self, name) for name in shared}
        )
        self._python.max_workers, self._python._slots = self.max_workers, self._slots

    def judge(self, code: str, task: Prompt | None, as_it_stands: bool) -> VerifyResult:
        if task and has_python_tests(task):
            return self._python.judge(code, task, as_it_stands)
        if assemble(code, task or Prompt(id="", text=""), as_it_stands=as_it_stands).language == "powershell":
            return self._powershell.judge(code, task, as_it_stands)
        return super().judge(code, task, as_it_stands)

    def check(self, prompts: Sequence[Prompt]) -> None:
        if python := [prompt for prompt in prompts if has_python_tests(prompt)]:
            self._python.check(python)
        super().check([prompt for prompt in prompts if not has_python_tests(prompt)])
        self._powershell.check([prompt for prompt in prompts if languages_of([prompt]) == ["powershell"]])

    def prepare(self, languages: Sequence[str] = ()) -> str:
        if known := [name for name in languages if extract.known_language(name) == "powershell"]:
            self._powershell.prepare(known)
        others = [name for name in languages if extract.known_language(name) not in ("powershell", "python")]
        return super().prepare(others)

    def required_tools(self, language: str) -> tuple[str, ...]:
        if extract.known_language(language) == "powershell":
            return self._powershell.required_tools(language)
        return () if extract.known_language(language) == "python" else super().required_tools(language)

    def fingerprint(self) -> dict[str, Any] | None:
        found, python = super().fingerprint(), self._python.fingerprint()
        return found | {"powershell": parser_versions(), "python": python} if found and python else None

    def cleanup(self) -> None:
        self._powershell.cleanup()
        super().cleanup()
