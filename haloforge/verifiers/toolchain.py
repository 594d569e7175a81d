"""The tools behind a verdict on this machine, by name and version."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

from haloforge.verifiers.languages import LANGUAGES


@cache
def toolchain() -> dict[str, str]:
    """Tool → first line of its `--version`, for the compilers; absent ones are left out."""
    found = {}
    for tool in sorted({language.compiler for language in LANGUAGES.values()}):
        if path := shutil.which(tool):
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            found[tool] = (said.stdout or said.stderr).strip().partition("\n")[0]
    return found
