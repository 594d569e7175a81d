"""Whether a toolchain works at all. What a failed build says of it may be true, or words of a sample's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from haloforge.errors import SandboxFault
from haloforge.sandbox import Box, Limits
from haloforge.source.assemble import SOURCES
from haloforge.verifiers.base import printable
from haloforge.verifiers.languages import Language, Unit
from haloforge.verifiers.toolchain import tool_path

OpenBox = Callable[..., AbstractContextManager[Box]]
"""(files, limits, mounts) → a box."""


def check_toolchain(language: Language, open_box: OpenBox, limits: Limits) -> None:
    """Raises SandboxFault where it does not even build the smallest program, MissingTool where it is absent."""
    if language.smallest and (said := smallest_fails(language, open_box, limits)):
        raise SandboxFault(f"{language.tools[0]} is broken on this node: {said}")


def smallest_fails(language: Language, open_box: OpenBox, limits: Limits, cflags: tuple[str, ...] = ()) -> str:
    """What the compiler says where it does not build the smallest program with these flags; "" where it does.

    Raises MissingTool where it is absent.
    """
    name = SOURCES[language.name]
    build = language.build(Unit(name, {name: language.smallest}, cflags=cflags))
    with open_box({name: language.smallest, **build.files}, limits, build.mounts) as box:
        for argv in build.commands:
            built = box.run([tool_path(argv[0]), *argv[1:]])
            if not built.ok:
                return printable(built.stderr or built.stdout) or f"{argv[0]} ended with exit code {built.exit_code}"
    return ""
