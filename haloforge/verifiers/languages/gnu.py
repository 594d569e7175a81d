"""C and C++ with the compilers that speak gcc's command line: gcc, clang, and gcc for Windows (mingw-w64)."""

from __future__ import annotations

import re
from functools import partial

from haloforge.verifiers.drivers import gnu as driver
from haloforge.verifiers.languages import PROGRAM, Build, Language, Unit

_MAIN = re.compile(r"\b(?:w?main|w?WinMain)\s*\(")
_NOT_CODE = re.compile(r"//[^\n]*|/\*.*?(?:\*/|\Z)|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)

# -O1 costs no more than -O0 here; errors past the third only cost time.
_GCC = ("-O1", "-fmax-errors=3", "-fno-diagnostics-show-caret", "-fdiagnostics-color=never")
_CLANG = ("-O1", "-ferror-limit=3", "-fno-caret-diagnostics", "-fno-color-diagnostics")
_STANDARD = {"c": "-std=gnu17", "cpp": "-std=gnu++20"}


def has_main(code: str) -> bool:
    return bool(_MAIN.search(_NOT_CODE.sub(" ", code)))


def build(unit: Unit, *, compiler: str, flags: tuple[str, ...], libraries: tuple[str, ...]) -> Build:
    argv = [compiler, *flags, *(("-Wall", "-Wextra") if unit.warn else ("-w",)), *unit.cflags]
    if unit.check_only:
        return Build((tuple([*argv, "-fsyntax-only", unit.main]),))
    argv += ["-o", PROGRAM, unit.main]
    return Build((tuple([*argv, *libraries] if unit.link else [*argv, "-c"]),))


def _row(
    name: str, compiler: str, flags: tuple[str, ...], libraries: tuple[str, ...] = (), runs: bool = True
) -> Language:
    return Language(
        name=name,
        tools=(compiler,),
        build=partial(build, compiler=compiler, flags=flags, libraries=libraries),
        has_entry=has_main,
        run=(f"./{PROGRAM}",) if runs else None,
        drive=driver.drive,
        kinds=("append_main",),
        smallest="int main(void) { return 0; }\n",
    )


GCC = {
    "c": _row("c", "gcc", (_STANDARD["c"], *_GCC), ("-lm",)),
    "cpp": _row("cpp", "g++", (_STANDARD["cpp"], *_GCC)),
}
CLANG = {
    "c": _row("c", "clang", (_STANDARD["c"], *_CLANG), ("-lm",)),
    "cpp": _row("cpp", "clang++", (_STANDARD["cpp"], *_CLANG)),
}
