"""C#: the .NET SDK's compiler and runtime where they are installed, else mono's."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path

from haloforge.errors import MissingTool
from haloforge.source.lexing import items, masked, scope_name
from haloforge.verifiers.drivers import csharp as driver
from haloforge.verifiers.languages import Build, Language, Unit
from haloforge.verifiers.toolchain import has_tool, tool_path

_DECLARATION = re.compile(
    r"(?:global\s+)?using\b(?!\s*(?:var\b|\())|namespace\b|extern\b|\[|(?:\w+\s+)*(?:delegate|record)\b"
)
_NUMBERED = re.compile(r"\d+")
# The runtime's second view of its own code needs a call that boxes refuse; the heap's reservation would pass the limit
# of address space.
_ENV = ("env", "DOTNET_EnableWriteXorExecute=0", "DOTNET_GCHeapHardLimit=0x20000000", "DOTNET_NOLOGO=1")


def has_main(code: str) -> bool:
    """A static Main, or statements outside of any class."""
    mask = masked(code, "csharp", directives=True)
    return bool(driver.MAIN.search(mask)) or any(
        not scope_name(item) and not _DECLARATION.match(item.head) for item in items(mask, "csharp") if item.head
    )


def build_by_mono(unit: Unit) -> Build:
    return Build((("mcs", "-r:System.Numerics.dll", "-out:program.exe", *_flags(unit)),))


def build_by_sdk(unit: Unit) -> Build:
    compiler, references, config = _sdk(tool_path("dotnet"))
    argv = (*_ENV, tool_path("dotnet"), compiler, "-noconfig", "-nostdlib", "-out:program.dll", "@references.rsp")
    return Build(((*argv, *_flags(unit)),), {"references.rsp": references, "program.runtimeconfig.json": config})


def _flags(unit: Unit) -> tuple[str, ...]:
    """What both compilers understand. Neither has a check that is quicker than compiling."""
    kind = ("-target:exe",) if unit.link else ("-target:library",)
    entry = (f"-main:{unit.entry}",) if unit.entry else ()
    sources = sorted(name for name in unit.files if name.endswith(".cs"))
    return ("-nologo", "-optimize+", f"-warn:{4 if unit.warn else 0}", *kind, *entry, *unit.cflags, *sources)


@cache
def _sdk(dotnet: str) -> tuple[str, str, str]:
    """(the compiler, its list of references, the runtime's configuration) of the newest SDK beside `dotnet`.

    Raises:
        MissingTool: there is only a runtime.
    """
    root = Path(os.path.realpath(dotnet)).parent
    compiler = _newest(root, "sdk/*/Roslyn/bincore/csc.dll")
    library = _newest(root, "packs/Microsoft.NETCore.App.Ref/*/ref/net*/System.Runtime.dll").parent
    version = library.parent.parent.name
    references = "".join(f'-r:"{path}"\n' for path in sorted(library.glob("*.dll")))
    framework = {"name": "Microsoft.NETCore.App", "version": version}
    properties = {"System.Globalization.Invariant": True}
    options = {"tfm": library.name, "framework": framework, "configProperties": properties}
    return str(compiler), references, json.dumps({"runtimeOptions": options})


def _newest(root: Path, pattern: str) -> Path:
    found = sorted(root.glob(pattern), key=lambda path: [int(n) for n in _NUMBERED.findall(str(path))])
    if not found:
        raise MissingTool(
            f"the verifier needs the .NET SDK, and {root} has no {pattern}; install the SDK, not a runtime"
        )
    return found[-1]


def row(sdk: bool) -> Language:
    return Language(
        name="csharp",
        tools=("dotnet", "env") if sdk else ("mcs", "mono"),
        build=build_by_sdk if sdk else build_by_mono,
        has_entry=has_main,
        run=(*_ENV, "dotnet", "program.dll") if sdk else ("mono", "program.exe"),
        drive=driver.drive,
        kinds=("append_main",),
        least_memory_mb=512 if sdk else 128,
        smallest="class Smallest { static void Main() { } }\n",
        processes=256,
        resident=not sdk,
    )


CSHARP = {"csharp": row(has_tool("dotnet"))}
