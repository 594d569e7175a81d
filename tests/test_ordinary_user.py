"""The tests of the sandbox once more, as an ordinary user: user namespaces instead of root's rights."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests import ordinary

pytestmark = pytest.mark.sandbox


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, else these tests run as an ordinary user anyway")
@pytest.mark.parametrize(
    "file",
    [
        "test_sandbox.py",
        "test_sandbox_calls.py",
        "test_sandbox_levels.py",
        "test_zygotes.py",
        "test_verifiers.py",
        "test_checkers.py",
    ],
)
def test_all_of_it_holds_for_an_ordinary_user(file):
    command = [ordinary.python(), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=/", "-c/dev/null"]
    path = str(ordinary.ROOT / "tests" / file)
    done = subprocess.run([*ordinary.COMMAND, *command, path], **ordinary.QUIET)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert " passed" in done.stdout
