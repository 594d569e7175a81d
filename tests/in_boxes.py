"""What the tests of the sandbox share."""

from __future__ import annotations

import os
import time

import pytest

from haloforge.sandbox import LANDLOCK, NS
from haloforge.verifiers.languages.rows import EVERY
from haloforge.verifiers.toolchain import has_tool

SHELL = "/bin/sh"


def absent(language):
    """What is missing here to judge that language, for the reason of a skip; "" where nothing is."""
    tools = [tool for tool in EVERY[language].tools if not has_tool(tool)]
    return f"{language} needs {', '.join(tools)}: toolbox/install-tools.sh --languages" if tools else ""


def needs(language):
    return pytest.mark.skipif(bool(absent(language)), reason=absent(language))


each_level = pytest.mark.parametrize("level", [NS, LANDLOCK])


def zygote_of(box):
    assert box._zygote is not None
    return box._zygote


def wait_until(true, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def running(argument, program="/bin/sleep"):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if words[:2] == [program.encode(), argument.encode()]:
            found.append(pid)
    return found
