"""Go: compiled and linked by what `go build` calls (haloforge/verifiers/go_toolchain.py)."""

from __future__ import annotations

import re

from haloforge.source.assemble import Program
from haloforge.source.lexing import masked
from haloforge.verifiers.drivers import Driven, Secret, projects
from haloforge.verifiers.drivers import go as driver
from haloforge.verifiers.go_toolchain import toolchain
from haloforge.verifiers.languages import Build, Language, Unit

_PACKAGE_MAIN = re.compile(r"(?:^|;)[ \t]*package\s+main\b", re.M)
_FUNC_MAIN = re.compile(r"(?:^|[;}])[ \t]*func\s+main\s*\(\s*\)", re.M)


def has_main(code: str) -> bool:
    mask = masked(code, "go")
    return bool(_PACKAGE_MAIN.search(mask) and _FUNC_MAIN.search(mask))


def build(unit: Unit) -> Build:
    """Compiled, and linked where there is a main. Go knows no warnings, and no check that is quicker than compiling."""
    go = toolchain()
    compiled = go.compile("main" if unit.link else "unit", "main.a", [unit.main], flags=unit.cflags)
    commands = (compiled,) if unit.check_only or not unit.link else (compiled, go.link("main.a"))
    return Build(commands, go.configs(), go.mounts)


def drive(program: Program, secret: Secret) -> Driven:
    return (projects if program.tests_kind == "files" else driver).drive(program, secret)


GO = {
    "go": Language(
        name="go",
        tools=("go",),
        build=build,
        has_entry=has_main,
        drive=drive,
        kinds=("go_test", "append_go_test", "append_main", "files"),
        ready=toolchain,
        least_memory_mb=512,
        smallest="package main\n\nfunc main() {}\n",
        processes=256,
    )
}
