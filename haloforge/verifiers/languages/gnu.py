"""C and C++ with the compilers that speak gcc's command line: gcc, clang, and gcc for Windows (mingw-w64)."""

from __future__ import annotations

import re
from functools import partial

from haloforge.source.lexing import masked
from haloforge.verifiers.drivers import gnu as driver
from haloforge.verifiers.languages import PROGRAM, Build, Language, Preamble, Unit
from haloforge.verifiers.languages.includes import leading
from haloforge.verifiers.toolchain import fast_linking, has_tool, tool_path

_MAIN = re.compile(r"\b(?:w?main|w?WinMain)\s*\)?\s*\(|^[ \t]*#[ \t]*define[ \t]+\w+[ \t]+main[ \t]*$", re.M)

# -O1 costs no more than -O0 here; errors past the third only cost time.
_GCC = ("-O1", "-fmax-errors=3", "-fno-diagnostics-show-caret", "-fdiagnostics-color=never")
_CLANG = ("-O1", "-ferror-limit=3", "-fno-caret-diagnostics", "-fno-color-diagnostics")
_STANDARD = {"c": "-std=gnu17", "cpp": "-std=gnu++20"}
_HEADER = {"c": "c-header", "cpp": "c++-header"}
_NEUTRAL = re.compile(r"-(?:std=[\w+]+|O\w*|g\d?|[DU]\w+(?:=\w*)?|W(?![lap],)[\w=+-]*|pthread|m\w+(?:=[\w.-]+)?)")
"""Flags of a row's own that find no other headers and load no code: with any other one nothing is precompiled."""
# Whatever way a symbol came about (a label, an alias, assembly), it is in the program's table.
_NO_SUCH_SYMBOL = (
    "nm --defined-only {program} > {names}.nm || exit 3; "
    'found=$(sed "s/^.* //; s/[.].*//" {names}.nm | grep -m1 -xFf {names}) || exit 0; '
    'echo "error: {refused} $found()" >&2; exit 1'
)
WINE = "wine"
# Behind the source, or they link nothing. All of them cost 4 ms; those that gcc links by itself are not named.
_WINDOWS_LIBRARIES = tuple(
    f"-l{name}"
    for name in (
        "ntdll", "ws2_32", "gdi32", "ole32", "oleaut32", "uuid", "psapi", "iphlpapi", "netapi32", "wininet", "winhttp",
        "crypt32", "bcrypt", "dbghelp", "version", "winmm", "shlwapi", "wtsapi32", "userenv", "comdlg32", "setupapi",
        "rpcrt4",
    )
)  # fmt: skip


def has_main(code: str) -> bool:
    return bool(_MAIN.search(masked(driver.joined(code), "cpp")))


def build(
    unit: Unit, *, compiler: str, flags: tuple[str, ...], libraries: tuple[str, ...], header: str, windows: bool = False
) -> Build:
    argv = (compiler, *flags, *(("-Wall", "-Wextra") if unit.warn else ("-w",)), *unit.cflags)
    preamble = None
    if all(map(_NEUTRAL.fullmatch, unit.cflags)) and (headers := leading(unit.files.get(unit.main, ""))):
        preamble = Preamble((*argv, "-x", header), headers)
    if unit.check_only:
        argv += ("-fsyntax-only", unit.main)
    elif not unit.link:
        argv += ("-o", PROGRAM, unit.main, "-c")
    else:
        argv += (*_linking(compiler, unit.cflags, windows), "-o", PROGRAM, unit.main, *libraries)
    commands: tuple[tuple[str, ...], ...] = (argv,)
    if unit.entry and unit.link and not unit.check_only and not any("static" in flag for flag in unit.cflags):
        script = _NO_SUCH_SYMBOL.format(program=PROGRAM, names=driver.symbols_file(unit.entry), refused=driver.REFUSED)
        commands += (("sh", "-c", script),)
    return Build(commands, preamble=preamble)


def _linking(compiler: str, cflags: tuple[str, ...], windows: bool) -> tuple[str, ...]:
    if windows:  # which finds no library of the compiler's own at run time
        return ("-static",) if has_tool(WINE) else ()
    return () if any("-fuse-ld" in flag for flag in cflags) else fast_linking(tool_path(compiler))


def _row(
    name: str, compiler: str, flags: tuple[str, ...], libraries: tuple[str, ...] = (), windows: bool = False
) -> Language:
    source = "c" if name == "c" else "cpp"
    return Language(
        name=name,
        tools=(compiler,),
        build=partial(
            build,
            compiler=compiler,
            flags=(_STANDARD[source], *flags),
            libraries=libraries,
            header=_HEADER[source],
            windows=windows,
        ),
        has_entry=has_main,
        run=(WINE, f"{PROGRAM}.exe") if windows else (f"./{PROGRAM}",),
        drive=None if windows else driver.drive,
        kinds=() if windows else ("append_main",),
        smallest="int main(void) { return 0; }\n",
    )


GCC = {
    "c": _row("c", "gcc", _GCC, ("-lm",)),
    "cpp": _row("cpp", "g++", _GCC),
}
CLANG = {
    "c": _row("c", "clang", _CLANG, ("-lm",)),
    "cpp": _row("cpp", "clang++", _CLANG),
}
MINGW = {
    name: _row(name, f"x86_64-w64-mingw32-{compiler}", _GCC, _WINDOWS_LIBRARIES, windows=True)
    for name, compiler in (("cpp-windows", "g++"), ("c", "gcc"), ("cpp", "g++"))
}
