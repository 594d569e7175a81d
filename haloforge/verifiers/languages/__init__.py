"""Languages, one row each: what builds a program in a box, what runs it, what calls its tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from haloforge.source.assemble import Program
from haloforge.verifiers.drivers import Driven, Secret
from haloforge.verifiers.toolchain import has_tool, tool_path

PROGRAM = "program"
"""What every build produces, in the box's folder."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What is to be built."""

    main: str
    """File with the entry point, or the only one."""
    files: Mapping[str, str]
    """All files in the box, by relative path."""
    link: bool = True
    """False: code without an entry point, built as a unit or library with code generation."""
    check_only: bool = False
    """Types are checked and nothing is built."""
    warn: bool = False
    cflags: tuple[str, ...] = ()
    """The row's own flags, behind ours."""
    entry: str = ""
    """The name that the driver's names begin with, where there is a driver."""


@dataclass(frozen=True, slots=True)
class Preamble:
    """The headers that a unit begins with, and how they are precompiled (see haloforge/verifiers/precompiled.py)."""

    argv: tuple[str, ...]
    """Compiler, flags and language; the names of a header and of its output follow."""
    headers: tuple[str, ...]
    """As they stand between the angle brackets."""


@dataclass(frozen=True, slots=True)
class Build:
    """How a unit is built: commands that run one after another in the box, as far as each succeeds."""

    commands: tuple[tuple[str, ...], ...]
    """argv; the first word is a tool's name, found by `toolchain.tool_path`."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What the commands need besides the unit's files; the driver's files of the same name win."""
    mounts: tuple[str, ...] = ()
    """What boxes must see besides the host's toolchain folders and `verifier.mounts`."""
    preamble: Preamble | None = None
    """What the first command may find precompiled; it takes `-include`."""


@dataclass(frozen=True, slots=True)
class Language:
    """One language with one toolchain."""

    name: str
    tools: tuple[str, ...]
    """What must be there, the compiler first; a tool is named as on the command line."""
    build: Callable[[Unit], Build]
    has_entry: Callable[[str], bool]
    """Whether code is a whole program; otherwise it is built as a unit."""
    run: tuple[str, ...] | None = (f"./{PROGRAM}",)
    """argv of the built program; None: it cannot be run on this machine, only built."""
    drive: Callable[[Program, Secret], Driven] | None = None
    """Puts a driver around tests that share the program's process. Raises NotDriven."""
    kinds: tuple[str, ...] = ()
    """The tests_kinds that `drive` knows."""
    least_memory_mb: int = 0
    """Resident memory that the runtime itself needs; a lower limit is raised by it."""
    ready: Callable[[], object] | None = None
    """What takes long on a node's first verdict; called before a run."""
    resident: bool = False
    """Whether its compiler is mcs, which is kept running (haloforge/verifiers/resident.py)."""
    smallest: str = ""
    """A program that every working toolchain builds, to tell a broken one from a broken sample."""
    processes: int = 32
    """Threads and processes that a run may have at the same time."""

    def here(self) -> Language:
        """The row as far as this machine can: without a run where the tool that runs its programs is absent."""
        absent = self.run and not self.run[0].startswith("./") and not has_tool(self.run[0])
        return replace(self, run=None) if absent else self

    def command(self) -> list[str]:
        """`run` with its tool found on this node. Raises MissingTool."""
        assert self.run
        first, *others = self.run
        return [first if first.startswith("./") else tool_path(first), *others]
