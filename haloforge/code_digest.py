"""A digest of the code that this process runs, so that a driver can refuse an actor that runs another."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path


@cache
def code_digest() -> str:
    """SHA-256 over names and contents of the Python files of haloforge and actors, in hexadecimal."""
    digest = hashlib.sha256()
    for package in ("actors", "haloforge"):
        spec = importlib.util.find_spec(package)
        assert spec is not None, package
        assert spec.submodule_search_locations, package
        root = Path(spec.submodule_search_locations[0])
        for file in sorted(root.rglob("*.py")):
            content = file.read_bytes()
            digest.update(f"{package}/{file.relative_to(root)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
