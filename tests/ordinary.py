"""How root runs a part of the tests as an ordinary user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

UID = 65123
COMMAND = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups"]
ROOT = Path(__file__).resolve().parent.parent
PATHS = [str(ROOT), str(Path(pytest.__file__).parent.parent)]
QUIET: dict[str, Any] = {
    "capture_output": True, "text": True, "timeout": 900, "cwd": "/",
    "env": {**os.environ, "HOME": "/nonexistent", "PYTHONPATH": ":".join(PATHS)},
}  # fmt: skip


def python() -> str:
    """A Python ≥ 3.11 that this user may start, with this checkout and pytest in its reach; else skips."""
    code = (
        "import subprocess, sys, pytest; assert sys.version_info >= (3, 11); "
        f"open({__file__!r}); subprocess.run([sys.executable, '-c', ''], check=True)"
    )
    for path in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            if subprocess.run([*COMMAND, path, "-c", code], **QUIET).returncode == 0:
                return path
        except FileNotFoundError:
            continue
    pytest.skip("no Python ≥ 3.11, checkout and pytest that an ordinary user can read, or no setpriv")
