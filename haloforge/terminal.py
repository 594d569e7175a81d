"""What a user sees: log lines, the table at the end, and errors of one screen with an exit code."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from haloforge import interrupts
from haloforge.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, HaloforgeError, RunStopped

log = logging.getLogger("haloforge")


class Terminated(Exception):
    """SIGTERM was received."""


def plain(text: str) -> str:
    """`text` as it may reach a terminal or a log: what would move the cursor, ring or hide stands in its escaped form.

    A sample's words, and the names in a user's file, come into messages in many places; this is where all pass.
    """
    if text.isprintable():
        return text
    return "".join(
        ch if ch.isprintable() or ch in "\n\t" else ch.encode("unicode_escape", "surrogatepass").decode() for ch in text
    )


class Plain(logging.Formatter):
    """Log lines that are only text."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


class _ToStderr(logging.Handler):
    """Writes to what sys.stderr is at that moment: a live line puts itself in its place to let log lines pass above."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(self.format(record))


@contextmanager
def errors_shown(debug: bool = False, quiet: bool = False) -> Iterator[None]:
    """Set up logging, and turn what ends a command into a message and an exit code (docs/ARCHITECTURE.md).

    Everything is logged; standard error gets INFO and above, with debug all, with quiet only warnings and errors.
    """
    interrupts.hand_over()
    handler = _ToStderr(logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO)
    handler.setFormatter(Plain("%(asctime)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(handlers=[handler])
    log.setLevel(logging.DEBUG)
    try:
        yield
    except (KeyboardInterrupt, asyncio.CancelledError):
        _leave("interrupted", EXIT_INTERRUPTED)
    except Terminated:
        _leave("terminated", EXIT_TERMINATED)
    except BaseExceptionGroup as group:
        _end_with(first_of(group), debug)
    except HaloforgeError as e:
        _end_with(e, debug)


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM cancels what is going on, as Ctrl-C does, and is then told apart from it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    received = False

    def stop() -> None:
        nonlocal received
        received = True
        task.cancel()

    loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        yield
    except asyncio.CancelledError:
        if received:
            raise Terminated from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def debug_shown() -> bool:
    """Whether standard error gets debug logs."""
    return any(isinstance(h, _ToStderr) and h.level <= logging.DEBUG for h in logging.getLogger().handlers)


def one_line(error: BaseException) -> str:
    """What ended a run, for a place with one line."""
    if isinstance(error, (KeyboardInterrupt, asyncio.CancelledError)):
        return "interrupted"
    if isinstance(error, Terminated):
        return "terminated"
    kind = [] if isinstance(error, HaloforgeError) else [type(error).__name__]
    return plain(": ".join(filter(None, [*kind, str(error).partition("\n")[0]])))


def first_of(error: BaseException) -> BaseException:
    """The first error inside nested groups: the one that made the others stop."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _end_with(error: BaseException, debug: bool) -> None:
    if isinstance(error, Terminated):
        _leave("terminated", EXIT_TERMINATED)
    if not isinstance(error, HaloforgeError):
        raise error
    if debug:
        log.exception("", exc_info=error)
    _end(f"error: {error}", error.exit_code)


def _end(message: str, code: int) -> NoReturn:
    tell(plain(f"haloforge: {message}"))
    raise SystemExit(code)


def _leave(how: str, code: int) -> NoReturn:
    """End now, without the exit handlers of libraries, which take seconds; every row is on disk already."""
    tell(f"haloforge: {how}; the same command goes on from here")
    os._exit(code)


def tell(text: str) -> None:
    """Print to standard error, as far as somebody is there to read it."""
    if sys.stderr is None:  # closed before we began; print would take standard output instead
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _drop(sys.stderr)


def write_out(text: str) -> None:
    """Write to standard output at once. Raises RunStopped where it is closed or full."""
    try:
        if sys.stdout is None:
            raise BrokenPipeError
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop(sys.stdout)
        raise RunStopped("standard output was closed") from None
    except OSError as e:
        _drop(sys.stdout)
        raise RunStopped(f"cannot write to standard output: {e.strerror}") from e


def _drop(stream: Any) -> None:
    """What is left in its buffer goes nowhere: Python writes it once more at its end, and would fail again."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def show(*lines: Any) -> None:
    """Print to standard output: texts as they are, tables as wide as they need where it is no terminal.

    Raises as `write_out`.
    """
    from rich.console import Console

    out = Console()
    text, width = io.StringIO(), out.width if out.is_terminal else 200
    console = Console(file=text, force_terminal=out.is_terminal, highlight=False, emoji=False, width=width)
    for line in lines:
        console.print(plain(line) if isinstance(line, str) else line, markup=False)
    write_out(text.getvalue())
