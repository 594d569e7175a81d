"""Verifiers: what a program is worth, found by compiling and running it in the sandbox.

    verifier = get_verifier("gcc", max_workers=2)
    result = verifier.verify("```c\\nint main(void) { return 0; }\\n```")

Importing this pulls neither torch, vllm nor ray.
"""

from __future__ import annotations

import builtins
import difflib
from collections.abc import Iterable
from typing import Any

from haloforge.errors import BadInput, HaloforgeError
from haloforge.records import Case, Checker, Prompt, VerifyResult
from haloforge.verifiers import custom
from haloforge.verifiers.arguments import arguments_of, fitted
from haloforge.verifiers.auto import MultiLanguageVerifier
from haloforge.verifiers.base import Verifier, verdict
from haloforge.verifiers.chained import ChainedVerifier
from haloforge.verifiers.commands import SubprocessVerifier
from haloforge.verifiers.msvc import RemoteMSVCVerifier
from haloforge.verifiers.powershell import PowerShellVerifier
from haloforge.verifiers.programs import (
    ClangVerifier,
    DotNetVerifier,
    ExecutionVerifier,
    GCCVerifier,
    GoVerifier,
    MinGWVerifier,
    RustVerifier,
    languages_of,
)
from haloforge.verifiers.python_tests import (
    AssertsVerifier,
    HumanEvalVerifier,
    MBPPVerifier,
    PytestVerifier,
    UnittestVerifier,
)
from haloforge.verifiers.rewards import RewardLevel

VERIFIERS: dict[str, type[Verifier]] = {
    "gcc": GCCVerifier,
    "clang": ClangVerifier,
    "rust": RustVerifier,
    "go": GoVerifier,
    "dotnet": DotNetVerifier,
    "auto": MultiLanguageVerifier,
    "execution": ExecutionVerifier,
    "mingw": MinGWVerifier,
    "asserts": AssertsVerifier,
    "humaneval": HumanEvalVerifier,
    "mbpp": MBPPVerifier,
    "unittest": UnittestVerifier,
    "pytest": PytestVerifier,
    "msvc": RemoteMSVCVerifier,
    "powershell": PowerShellVerifier,
    "chain": ChainedVerifier,
    "subprocess": SubprocessVerifier,
}


OURS = (
    "max_workers", "cpu_s", "compile_cpu_s", "memory_mb", "mounts", "allow_weak", "slot", "reference_multiple",
    "reference_floor_s",
)  # fmt: skip
"""Arguments that every verifier of a run is given; a class that has no use for one need not take it."""
_UNSAID = {"run_after_compile": False, "check_only": False, "warnings": "ignore"}
"""The same, as long as nobody asks for more than this."""


def get_verifier(type: str, **args: Any) -> Verifier:
    """The verifier called `type`, or the user's class "package.module:Class" or "file.py:Class", built with `args`.

    Raises:
        BadInput: there is none of that name, it does not take these arguments, or its constructor fails.
    """
    kind = kind_of(type)
    taken = arguments_of(kind)
    left_out = {name for name in args if name not in taken and (name in OURS or args[name] == _UNSAID.get(name, ...))}
    if kind is not ChainedVerifier:  # it hands them on to its stages
        args = {name: value for name, value in args.items() if name not in left_out}
    own = kind.__module__.startswith("haloforge.")
    strange = [name for name in args if name not in taken] if own and kind is not ChainedVerifier else []
    if strange:
        near = difflib.get_close_matches(strange[0], taken, 1)
        raise BadInput(
            f"verifier {type} does not take {', '.join(map(repr, strange))}"
            f"{f'; did you mean {near[0]!r}?' if near else ''}; it takes {', '.join(sorted(taken))}"
        )
    args = fitted(type, kind, args)
    try:
        verifier = kind(**args)
    except HaloforgeError:
        raise
    except Exception as e:
        if own:
            raise
        what = "does not take these arguments" if isinstance(e, TypeError) else "cannot be made"
        raise BadInput(f"verifier {type} {what}: {builtins.type(e).__name__}: {e} (arguments: {args})") from e
    if not hasattr(verifier, "max_workers"):
        raise BadInput(f"verifier {type}: its __init__ does not call super().__init__(); let it")
    return verifier


def kind_of(type: str) -> builtins.type[Verifier]:
    """The class behind a name. Raises BadInput where there is none, or it is no verifier."""
    if type in VERIFIERS:
        return VERIFIERS[type]
    if custom.is_custom(type):
        return custom.find(type)
    near = difflib.get_close_matches(type, VERIFIERS, 1)
    raise BadInput(
        f"there is no verifier {type!r}{f'; did you mean {near[0]!r}?' if near else ''}; known are "
        f"{', '.join(VERIFIERS)}, and classes as package.module:Class or file.py:Class"
    )


def check_ready(type: str, args: dict[str, Any], prompts: Iterable[Prompt]) -> None:
    """Whether this machine can judge answers to `prompts` with that verifier, found out before anything is loaded.

    A prompt that names no language may be answered in C or C++, so it needs both compilers.

    Raises:
        BadInput: no such verifier or argument, a language that it cannot judge, a prompt whose cases it needs.
        MissingTool: no sandbox holds here, or a compiler is absent.
    """
    prompts = list(prompts)
    verifier = get_verifier(type, **args)
    verifier.check(prompts)
    verifier.prepare(languages_of(prompts))


__all__ = [
    "VERIFIERS", "AssertsVerifier", "Case", "ChainedVerifier", "Checker", "ClangVerifier", "DotNetVerifier",
    "ExecutionVerifier", "GCCVerifier", "GoVerifier", "HumanEvalVerifier", "MBPPVerifier", "MinGWVerifier",
    "MultiLanguageVerifier", "PowerShellVerifier", "Prompt", "PytestVerifier", "RemoteMSVCVerifier", "RewardLevel",
    "RustVerifier", "SubprocessVerifier", "UnittestVerifier", "Verifier", "VerifyResult", "check_ready", "get_verifier",
    "kind_of", "languages_of", "verdict",
]  # fmt: skip
