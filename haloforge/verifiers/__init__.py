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
from haloforge.verifiers.base import Verifier
from haloforge.verifiers.programs import ExecutionVerifier, GCCVerifier, ProgramVerifier

VERIFIERS: dict[str, type[Verifier]] = {
    "gcc": GCCVerifier,
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
    if isinstance(verifier, ProgramVerifier):
        prompts = list(prompts)
        for prompt in prompts:
            if not verifier.can_check(prompt):
                kind = (
                    f"a checker in {prompt.checker.language}" if prompt.checker else f"tests_kind {prompt.tests_kind}"
                )
                raise BadInput(
                    f"verifier {type} cannot judge prompt {prompt.id!r}, which has {kind}; it knows stdin/stdout cases "
                    "(stdio) and compile_only"
                )
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
        found |= {"c", "cpp"} if named == "any" else {extract.known_language(named) or named}
    return sorted(found)


__all__ = [
    "VERIFIERS", "ExecutionVerifier", "GCCVerifier", "Verifier", "VerifyResult", "check_ready", "get_verifier",
    "languages_of",
]  # fmt: skip
