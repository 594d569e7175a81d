"""Verifiers: what a program is worth, found by compiling and running it in the sandbox.

    verifier = get_verifier("gcc", max_workers=2)
    result = verifier.verify("```c\\nint main(void) { return 0; }\\n```")

Importing this pulls neither torch, vllm nor ray.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from haloforge.errors import BadInput
from haloforge.records import Prompt, VerifyResult
from haloforge.source import extract
from haloforge.source.detect import language_of_tests
from haloforge.verifiers.base import Verifier
from haloforge.verifiers.programs import (
    ClangVerifier,
    ExecutionVerifier,
    GCCVerifier,
    MultiLanguageVerifier,
    ProgramVerifier,
)

VERIFIERS: dict[str, type[Verifier]] = {
    "gcc": GCCVerifier,
    "clang": ClangVerifier,
    "auto": MultiLanguageVerifier,
    "execution": ExecutionVerifier,
}


def get_verifier(type: str, **args: Any) -> Verifier:
    """The verifier called `type`, built with `args`.

    Raises:
        BadInput: there is none of that name, or it does not take these arguments.
    """
    if type not in VERIFIERS:
        raise BadInput(f"there is no verifier {type!r}; known are {', '.join(VERIFIERS)}")
    try:
        return VERIFIERS[type](**args)
    except TypeError as e:
        raise BadInput(f"verifier {type} does not take {args}: {e}") from e


def check_ready(type: str, args: dict[str, Any], prompts: Iterable[Prompt]) -> None:
    """Whether this machine can judge answers to `prompts` with that verifier, found out before anything is loaded.

    A prompt that names no language may be answered in C or C++, so it needs both compilers.

    Raises:
        BadInput: no such verifier or argument, a language that it cannot judge, a prompt whose cases it needs.
        MissingTool: no sandbox holds here, or a compiler is absent.
    """
    verifier = get_verifier(type, **args)
    prompts = list(prompts)
    if isinstance(verifier, ProgramVerifier):
        for prompt in prompts:
            for language in languages_of([prompt]):
                row = verifier.rows.get(language)
                reason = verifier.refusal(prompt, row) if row else ""
                if row and not reason and prompt.has_checks and row.run is None:
                    reason = f"{prompt.tests_kind} tests in {language}: this machine only builds such programs"
                if reason:
                    raise BadInput(f"verifier {type} cannot judge prompt {prompt.id!r}, which has {reason}")
            if verifier.cases(prompt) is None:
                raise BadInput(f"verifier {type} needs test cases, and prompt {prompt.id!r} has none; give it tests")
        verifier.prepare(languages_of(prompts))
    else:
        verifier.prepare()


def languages_of(prompts: Iterable[Prompt]) -> list[str]:
    """The languages that answers to these prompts may have; C and C++ where a prompt names none."""
    found: set[str] = set()
    for prompt in prompts:
        named = (prompt.language or "any").lower()
        said = language_of_tests(prompt) if named == "any" else extract.known_language(named) or named
        found |= {said} if said else {"c", "cpp"}
    return sorted(found)


__all__ = [
    "VERIFIERS", "ClangVerifier", "ExecutionVerifier", "GCCVerifier", "MultiLanguageVerifier", "Verifier",
    "VerifyResult", "check_ready", "get_verifier", "languages_of",
]  # fmt: skip
