"""Verifiers: what a program is worth, found by compiling and running it in the sandbox.

    verifier = get_verifier("gcc", max_workers=2)
    result = verifier.verify("```c\\nint main(void) { return 0; }\\n```")

Importing this pulls neither torch, vllm nor ray.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import os
import sys
from collections.abc import Iterable
from typing import Any

from haloforge.errors import BadInput
from haloforge.records import Prompt, VerifyResult
from haloforge.verifiers.base import Verifier, verdict
from haloforge.verifiers.chained import ChainedVerifier
from haloforge.verifiers.commands import SubprocessVerifier
from haloforge.verifiers.programs import (
    ClangVerifier,
    DotNetVerifier,
    ExecutionVerifier,
    GCCVerifier,
    GoVerifier,
    MinGWVerifier,
    MultiLanguageVerifier,
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
    "chain": ChainedVerifier,
    "subprocess": SubprocessVerifier,
}


OURS = ("max_workers", "cpu_s", "compile_cpu_s", "memory_mb", "mounts", "allow_weak", "slot")
"""Arguments that every verifier of a run is given; a class of a user's need not take them."""


def get_verifier(type: str, **args: Any) -> Verifier:
    """The verifier called `type`, or the user's class "package.module:Class", built with `args`.

    Raises:
        BadInput: there is none of that name, or it does not take these arguments.
    """
    if type in VERIFIERS:
        kind = VERIFIERS[type]
    elif ":" in type or "." in type:
        kind = _custom(type)
        taken = inspect.signature(kind.__init__).parameters
        if not any(p.kind == p.VAR_KEYWORD for p in taken.values()):
            args = {name: value for name, value in args.items() if name not in OURS or name in taken}
    else:
        raise BadInput(
            f"there is no verifier {type!r}; known are {', '.join(VERIFIERS)}, and classes as package.module:Class"
        )
    try:
        return kind(**args)
    except TypeError as e:
        raise BadInput(f"verifier {type} does not take {args}: {e}") from e


def _custom(path: str) -> builtins.type[Verifier]:
    module, _, name = path.replace(":", ".").rpartition(".")
    if os.getcwd() not in sys.path:  # as under `python -m`, also for the command and on the nodes of a job
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as e:
        raise BadInput(
            f"verifier.class {path!r} cannot be imported: {e}; it must be on PYTHONPATH on every node"
        ) from e
    if not (isinstance(found, builtins.type) and issubclass(found, Verifier)):
        raise BadInput(f"verifier.class {path!r} is no subclass of haloforge.verifiers.Verifier")
    return found


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
    "VERIFIERS", "AssertsVerifier", "ChainedVerifier", "ClangVerifier", "DotNetVerifier", "ExecutionVerifier",
    "GCCVerifier", "GoVerifier", "HumanEvalVerifier", "MBPPVerifier", "MinGWVerifier", "MultiLanguageVerifier",
    "PytestVerifier", "RewardLevel", "RustVerifier", "SubprocessVerifier", "UnittestVerifier", "Verifier",
    "VerifyResult", "check_ready", "get_verifier", "languages_of", "verdict",
]  # fmt: skip
