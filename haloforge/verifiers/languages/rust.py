"""Rust: one file or a cargo project, built by rustc."""

from __future__ import annotations

import re

from haloforge.source.assemble import Program
from haloforge.source.lexing import depth, masked
from haloforge.verifiers.drivers import Driven, Secret, projects
from haloforge.verifiers.drivers import rust as driver
from haloforge.verifiers.languages import PROGRAM, Build, Language, Unit
from haloforge.verifiers.languages.rustc import FAST, QUICK, has_edition, rustc

_MAIN = re.compile(r"\bfn\s+main\s*[(<]")
_LET_CHAIN = re.compile(r"\b(?:if|while)\b(?:[^{};]{0,500}&&\s*let\b|\s+let\b[^{};]{0,500}&&)")


def has_main(code: str) -> bool:
    mask = masked(code, "rust")
    return any(depth(mask[: found.start()]) == 0 for found in _MAIN.finditer(mask))


def edition(code: str) -> str:
    """2021, which takes nearly all that 2024 does, and what 2024 refuses (`gen` as a name, `&STATIC_MUT`); 2024 where
    conditions are chained, which only that knows."""
    return "2024" if _LET_CHAIN.search(masked(code, "rust")) and has_edition("2024") else "2021"


def build(unit: Unit) -> Build:
    said = any(flag.startswith("--edition") for flag in unit.cflags)
    argv = rustc(
        unit.main,
        PROGRAM,
        edition="" if said else edition(unit.files.get(unit.main, "")),
        kind="bin" if unit.link else "lib",
        level=QUICK if unit.entry or not unit.link else FAST,
        check_only=unit.check_only,
        warn=unit.warn,
        cfgs=("test",) if unit.entry else (),
        flags=unit.cflags,
    )
    return Build((argv,))


def drive(program: Program, secret: Secret) -> Driven:
    """Raises NotDriven."""
    return projects.drive(program, secret) if program.tests_kind == "files" else driver.drive(program, secret)


RUST = {
    "rust": Language(
        name="rust",
        tools=("rustc", "gcc"),
        build=build,
        has_entry=has_main,
        drive=drive,
        kinds=("append_main", "append_cfg_test", "files"),
        smallest="fn main() {}\n",
    )
}
