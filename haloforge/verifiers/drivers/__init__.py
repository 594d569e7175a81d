"""Drivers: a main of ours that calls tests which share a process with the sample, and says that they came to an end.

An exit status proves nothing there: a sample may end the process before a test ran. So the driver reads a nonce when
it runs, counts the tests that returned, and answers with a number made of nonce, count and a key that is compiled into
it under a name that nobody could know when the sample was written. A sample that searches its own process for the key
while it runs could still answer: trust is `in_process`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

NONCE_BYTES = 16
"""Hexadecimal digits that the driver reads from its standard input, and no more."""
_WORD = (1 << 64) - 1


class NotDriven(Exception):
    """These tests are of a form that no driver can call; the text says which."""


@dataclass(frozen=True, slots=True)
class Secret:
    """What one build's driver has in common with the verifier, drawn anew for each."""

    nonce: str = field(default_factory=lambda: secrets.token_hex(8))
    """NONCE_BYTES hexadecimal digits; given at run time, never in a file."""
    key: int = field(default_factory=lambda: secrets.randbits(64))
    """Compiled into the driver."""
    lesser: int = field(default_factory=lambda: secrets.randbits(64))
    """In place of `key` where not all tests passed: a sample that reads such an answer can compute the key in it."""
    name: str = field(default_factory=lambda: "h" + secrets.token_hex(8))
    """An identifier; every name of the driver's begins with it."""

    def answer(self, passed: int, key: int | None = None) -> bytes:
        """The 16 hexadecimal digits that the driver prints after `passed` tests returned: splitmix64's finalizer."""
        x = ((int(self.nonce, 16) ^ (self.key if key is None else key)) + passed * 0x9E3779B97F4A7C15) & _WORD
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _WORD
        return b"%016x" % (x ^ (x >> 31))

    def proven(self, stdout: bytes, total: int) -> int | None:
        """How many of `total` tests passed, by the driver's answer; None where there is none."""
        keys = (self.key, self.lesser)
        return next(
            (n for n in range(total, -1, -1) if any(self.answer(n, k) in stdout for k in keys[: 1 + (n < total)])), None
        )


@dataclass(frozen=True, slots=True)
class Driven:
    """A program with its driver, ready to be built."""

    files: dict[str, str]
    main: str
    """The key of `files` with the driver's main."""
    total: int
    """Tests that the driver calls."""
    commands: tuple[tuple[str, ...], ...] = ()
    """What builds it, where the language's own build does not do (projects)."""
    hidden: tuple[str, ...] = ()
    """Files with our code, which are removed before it runs."""
