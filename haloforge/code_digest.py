"""A digest of the code that this process runs, so that a driver can refuse an actor that runs another."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path

VERIFYING = ("verifiers", "sandbox", "source", "tasks", "records.py")
"""What of haloforge decides a verdict."""


@cache
def code_digest() -> str:
    """SHA-256 over names and contents of the Python files of haloforge and actors, in hexadecimal."""
    return _digest((package, _folder(package).rglob("*.py")) for package in ("actors", "haloforge"))


@cache
def verifying_digest() -> str:
    """The same over the part of haloforge that decides a verdict."""
    root = _folder("haloforge")
    parts = (root / name for name in VERIFYING)
    return _digest(
        [("haloforge", [file for part in parts for file in ([part] if part.is_file() else part.rglob("*.py"))])]
    )


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None, package
    assert spec.submodule_search_locations, package
    return Path(spec.submodule_search_locations[0])


def _digest(packages: Iterable[tuple[str, Iterable[Path]]]) -> str:
    digest = hashlib.sha256()
    for package, files in packages:
        for file in sorted(files):
            content = file.read_bytes()
            digest.update(f"{package}/{file.relative_to(_folder(package))}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
