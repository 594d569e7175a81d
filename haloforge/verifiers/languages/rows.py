"""Every language by toolchain: the table that the verifiers choose from."""

from __future__ import annotations

from haloforge.verifiers.languages import Language
from haloforge.verifiers.languages.csharp import CSHARP
from haloforge.verifiers.languages.gnu import CLANG, GCC, MINGW
from haloforge.verifiers.languages.go import GO

ROWS: dict[str, dict[str, Language]] = {
    "gcc": GCC,
    "clang": CLANG,
    "go": GO,
    "dotnet": CSHARP,
    "mingw": MINGW,
}
"""Toolchain → language → row."""
EVERY = {**GCC, **GO, **CSHARP, "cpp-windows": MINGW["cpp-windows"]}
"""Language → row, for verifiers that judge any; C and C++ by gcc."""
