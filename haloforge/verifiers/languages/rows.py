"""Every language by toolchain: the table that the verifiers choose from."""

from __future__ import annotations

from haloforge.verifiers.languages import Language
from haloforge.verifiers.languages.csharp import CSHARP
from haloforge.verifiers.languages.gnu import CLANG, GCC, MINGW
from haloforge.verifiers.languages.go import GO
from haloforge.verifiers.languages.rust import RUST
from haloforge.verifiers.toolchain import versions

ROWS: dict[str, dict[str, Language]] = {
    "gcc": GCC,
    "clang": CLANG,
    "rust": RUST,
    "go": GO,
    "dotnet": CSHARP,
    "mingw": MINGW,
}
"""Toolchain → language → row."""
EVERY = {**GCC, **RUST, **GO, **CSHARP, "cpp-windows": MINGW["cpp-windows"]}
"""Language → row, for verifiers that judge any; C and C++ by gcc."""


def toolchain() -> dict[str, str]:
    """Tool → version, of every tool that a language has and this machine too."""
    return versions(tool for rows in ROWS.values() for row in rows.values() for tool in row.tools)
