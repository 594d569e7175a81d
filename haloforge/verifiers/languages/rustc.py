"""rustc's command line, without cargo: what a crate costs to build is measured, and nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from haloforge.verifiers.toolchain import has_tool, tool_path, version

QUICK, FAST = "0", "1"
"""opt-level: tests build quicker than they run; cases run many times, 7 to 9 times as long as with 1, hardly with 2."""

# One unit of code generation costs least CPU time; without symbols the linker has less to write.
_FLAGS = ("--color=never", "--error-format=short", "-Ccodegen-units=1", "-Cstrip=symbols", "-Clinker=gcc")


def rustc(
    source: str,
    output: str,
    *,
    edition: str,
    kind: str = "bin",
    name: str = "",
    level: str = QUICK,
    check_only: bool = False,
    warn: bool = False,
    cfgs: Iterable[str] = (),
    externs: Mapping[str, str] | None = None,
    flags: Iterable[str] = (),
) -> tuple[str, ...]:
    """argv that builds one crate.

    Args:
        source: the crate's root file.
        output: what is written; the crate's metadata where it is only checked.
        edition: "2015" … "2024"; "" where `flags` say it.
        kind: crate type, bin or lib.
        name: the crate's; "" takes the source's.
        level: optimisation, QUICK or FAST.
        cfgs: such as `test` or `feature="io"`.
        externs: {name: path} of the crates it uses, which lie in the box's folder.
        flags: behind all others.
    """
    argv = ["rustc", source, "-o", output, f"--crate-type={kind}", *_FLAGS, f"-Copt-level={level}", *_linker()]
    # Overflow panics in tests, as under cargo test, and wraps in whole programs, as judges build them.
    argv.append(f"-Cdebug-assertions={'on' if level == QUICK else 'off'}")
    argv += [f"--edition={edition}"] if edition else []
    argv += [f"--crate-name={name}"] if name else []
    argv += [] if warn else ["-Awarnings"]
    argv += ["--emit=metadata"] if check_only else []
    for cfg in cfgs:
        argv += ["--cfg", cfg]
    argv += ["-L", "."] if externs else []
    for crate, path in (externs or {}).items():
        argv += ["--extern", f"{crate}={path}"]
    return (*argv, *flags)


def has_edition(year: str) -> bool:
    """Whether the rustc of this node knows that edition. Raises MissingTool."""
    first = {"2015": 0, "2018": 31, "2021": 56, "2024": 85}
    return year in first and _minor(tool_path("rustc")) >= first[year]


@cache
def _minor(path: str) -> int:
    found = re.match(r"rustc 1\.(\d+)", version(path))
    return int(found[1]) if found else 0


@cache
def _linker() -> tuple[str, ...]:
    return ("-Clink-arg=-fuse-ld=mold",) if has_tool("mold") else ()
