"""Ctrl-C before a command has begun to listen: one line and the exit code, no traceback out of an import."""

from __future__ import annotations

import os
import signal
import sys

from haloforge.errors import EXIT_INTERRUPTED


def leave_at_once() -> None:
    """From now on Ctrl-C ends this process; where the parent has it ignored, it stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def hand_over() -> None:
    """From now on Ctrl-C is a KeyboardInterrupt again, for somebody who waits for it."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(*_: object) -> None:
    print("haloforge: interrupted", file=sys.stderr, flush=True)
    os._exit(EXIT_INTERRUPTED)
