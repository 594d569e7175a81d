"""Compiled languages, one row each: what a program is called and how it is built and run in a box."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from haloforge.errors import MissingTool

PROGRAM = "program"
"""What every build produces, in the box's folder."""

REMEDY = "run toolbox/install-tools.sh on that node"


@dataclass(frozen=True, slots=True)
class Language:
    name: str
    source: str
    """File name of the code."""
    compiler: str
    """Looked up on the PATH of this node; must lie in a folder that boxes see (/usr)."""
    flags: tuple[str, ...]
    libraries: tuple[str, ...]
    entry: re.Pattern[str]
    """What a program with an entry point has, comments and literals removed."""

    def build(self, code: str, cflags: Sequence[str] = (), warn: bool = False) -> list[str]:
        """The compiler's argv; code without an entry point is built as a unit, with code generation.

        Raises:
            MissingTool: the compiler is absent here.
        """
        argv = [compiler_path(self.compiler), *self.flags, *(("-Wall", "-Wextra") if warn else ("-w",)), *cflags]
        argv += ["-o", PROGRAM, self.source]
        return [*argv, *self.libraries] if self.has_entry(code) else [*argv, "-c"]

    def run(self) -> list[str]:
        return [f"./{PROGRAM}"]

    def has_entry(self, code: str) -> bool:
        return bool(self.entry.search(_NOT_CODE.sub(" ", code)))


# -O1 costs no more than -O0 here; errors past the third only cost time.
_GNU = ("-O1", "-fmax-errors=3", "-fno-diagnostics-show-caret", "-fdiagnostics-color=never")
_MAIN = re.compile(r"\bmain\s*\(")
_NOT_CODE = re.compile(r"//[^\n]*|/\*.*?(?:\*/|\Z)|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)

LANGUAGES: dict[str, Language] = {
    row.name: row
    for row in (
        Language("c", "main.c", "gcc", ("-std=gnu17", *_GNU), ("-lm",), _MAIN),
        Language("cpp", "main.cpp", "g++", ("-std=gnu++20", *_GNU), (), _MAIN),
    )
}


def compiler_path(compiler: str) -> str:
    """Where `compiler` is on this node.

    Raises:
        MissingTool: it is absent; the message says what to do.
    """
    path = shutil.which(compiler)
    if path is None:
        raise MissingTool(f"the verifier needs {compiler}, absent on this node; {REMEDY}")
    return path
