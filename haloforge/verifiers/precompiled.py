"""Precompiled headers: what many samples begin with is compiled once per node, not once per sample.

A precompiled file holds exactly the headers that a sample begins with, for exactly its compiler and flags, so that
nothing is declared that the sample did not include. It is a shortcut, never a judge: where the compiler complains of
anything in it, the sample is compiled once more without, and that counts. Samples see the folder read-only.

Not here: which headers may be precompiled (languages/includes.py), and with what command (the language's row).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from haloforge import paths
from haloforge.errors import SandboxFault
from haloforge.sandbox import MIB, Box, Limits, Outcome
from haloforge.verifiers.base import printable
from haloforge.verifiers.languages import Preamble
from haloforge.verifiers.toolchain import tool_path, version

log = logging.getLogger("haloforge")

PAYS_AFTER = 4
"""Times that a node sees a preamble until it is precompiled. That costs what three to four samples save (g++ 12, CPU
seconds: bits/stdc++.h 4.1 for 1.2 each; four headers 1.0 for 0.36 each), so it never costs more than twice the best."""
MOST_BYTES = 2 << 30
"""Of all precompiled headers of a node; the least recently used go first. One is 3 (C) to 130 MB (bits/stdc++.h)."""
LOOK_AGAIN_S = 60.0
"""How long headers on disk are taken as unchanged."""
_LIMITS = Limits(
    cpu_s=60, wall_s=60, memory_bytes=1536 * MIB, output_bytes=512 * MIB, processes=32, disk_bytes=640 * MIB
)
_PART = 16 * MIB
"""A precompiled header leaves its box in pieces of this size, so that the verifier's memory stays small."""
_HEADER, _COMPILED, _ABOUT, _SEEN = "preamble.h", "preamble.h.gch", "about.json", "seen"

_OF_THE_SAMPLE = re.compile(rb"main\.\w+:|mold: |\S*ld: |\S*collect2: ")
"""How the words about a sample begin. Others may be about the precompiled header: a torn one is named by nobody."""

BoxMaker = Callable[[Mapping[str, str | bytes], Limits], AbstractContextManager[Box]]


@dataclass
class _Known:
    """What this process knows of one preamble."""

    folder: Path
    compiled: tuple[int, ...] = ()
    """Identity of the precompiled file that was checked; () where there is none."""
    looked: float = -LOOK_AGAIN_S
    """time.monotonic() when its headers were last compared."""
    refused: bool = False
    """It cannot be built here, or the compiler does not take it: not tried again by this process."""


@cache
def _warn_once(text: str) -> None:
    log.warning(text)


class PrecompiledHeaders:
    """The node's precompiled headers as one verifier sees them; safe with others in threads and processes."""

    def __init__(
        self, folder: Path | None = None, *, pays_after: int = PAYS_AFTER, most_bytes: int = MOST_BYTES
    ) -> None:
        self.folder = Path(os.path.normpath(folder or paths.home() / "cache" / "precompiled"))
        self.pays_after = pays_after
        self.most_bytes = most_bytes
        self._known: dict[Preamble, _Known] = {}
        self._off = self.folder.is_relative_to("/dev") or self.folder.is_relative_to("/proc")

    def mounts(self) -> tuple[str, ...]:
        """What boxes must see, read-only: the folder, which is made where it is missing."""
        if not self._off:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                if self.folder.stat().st_mode & 0o055 != 0o055:  # as root a box has another user id
                    self.folder.chmod(0o755)
                return (str(self.folder),)
            except OSError as e:
                self._off = True
                _warn_once(f"no precompiled headers: {self.folder} cannot be made: {e.strerror}")
        return ()

    def ready(self, preamble: Preamble | None, box: BoxMaker) -> Preamble | None:
        """`preamble` where it is there, precompiled; else it is counted and, where that pays now, built in a box.

        Call it while the caller has no box: the one for building takes the same slot.
        """
        if preamble is None or not preamble.headers or not self.mounts():
            return None
        known = self._known.get(preamble)
        if known is None:
            known = self._known[preamble] = _Known(self.folder / _key(preamble))
        if known.refused:
            return None
        try:
            there = self._there(known) or (self._pays(known) and self._build(preamble, known, box))
        except SandboxFault:  # the sample's own box will say it
            return None
        except OSError as e:
            known.refused = True
            log.warning("a precompiled header is not used: %s: %s", e.filename or known.folder, e.strerror)
            return None
        return preamble if there else None

    def flags(self, preamble: Preamble) -> tuple[str, ...]:
        """What the compiler's command line gets, for a preamble that is `ready`."""
        return ("-include", str(self._known[preamble].folder / _HEADER))

    def run(self, box: Box, argv: list[str], preamble: Preamble | None) -> Outcome:
        """Run the compiler with what `ready` returned. What it says is what it says without.

        `cpu_s` of the outcome counts both runs where it was asked twice.
        """
        if preamble is None:
            return box.run(argv)
        built = box.run([argv[0], *self.flags(preamble), *argv[1:]])
        named = str(self.folder).encode() in built.stderr
        if built.ended_by or (not named and (built.ok or _OF_THE_SAMPLE.match(built.stderr))):
            return built
        plain = box.run(argv)
        if plain.ok != built.ok:
            known = self._known[preamble]
            known.refused = True
            log.warning(
                "%s does not take the precompiled header %s; it is not used any more: %s",
                argv[0], known.folder, printable(built.stderr, 300),
            )  # fmt: skip
        return replace(plain, cpu_s=plain.cpu_s + built.cpu_s)

    def _there(self, known: _Known) -> bool:
        """Whether a whole and current one lies in the folder."""
        now = time.monotonic()
        compiled = _identity(known.folder / _COMPILED)
        if compiled and compiled == known.compiled and now - known.looked < LOOK_AGAIN_S:
            return True
        try:
            about = json.loads((known.folder / _ABOUT).read_text())
            headers, digest = [(str(path), tuple(identity)) for path, identity in about["headers"]], about["sha256"]
        except (OSError, ValueError, LookupError, TypeError):
            known.compiled = ()
            return False
        current = all(_identity(Path(path)) == identity for path, identity in headers)
        # The whole file is read once per process: half a second that a torn one would cost in wrong verdicts.
        if compiled and current and (compiled == known.compiled or _digest(known.folder / _COMPILED) == digest):
            known.compiled, known.looked = compiled, now
            with contextlib.suppress(OSError):  # a folder that is only read keeps no order
                os.utime(known.folder / _SEEN)
            return True
        known.compiled = ()
        with contextlib.suppress(OSError):
            (known.folder / _ABOUT).unlink()
        return False

    def _pays(self, known: _Known) -> bool:
        """Count one more sample, for all processes of the node: the count is the size of a file."""
        known.folder.mkdir(exist_ok=True)
        fd = os.open(known.folder / _SEEN, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(fd, b".")
            return os.fstat(fd).st_size >= self.pays_after
        finally:
            os.close(fd)

    def _build(self, preamble: Preamble, known: _Known, box: BoxMaker) -> bool:
        """Precompile, unless another thread or process is at it: then this sample goes without."""
        with open(known.folder / _SEEN, "rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if self._there(known):
                return True
            known.folder.chmod(0o755)
            header, aside = known.folder / _HEADER, known.folder / f"{_COMPILED}.new"
            _write(header, "".join(f"#include <{name}>\n" for name in preamble.headers).encode())
            try:
                made = self._made(preamble, header, aside, box)
                if made:
                    os.replace(aside, known.folder / _COMPILED)
                    _write(known.folder / _ABOUT, json.dumps(made).encode())
            finally:
                aside.unlink(missing_ok=True)
            known.refused = not made
            self._make_room(known.folder)
            return self._there(known)

    def _made(self, preamble: Preamble, header: Path, aside: Path, box: BoxMaker) -> dict[str, object]:
        """Compile `header` in a box of its own into `aside`; what to remember of it, {} where it does not compile."""
        dependencies = ("-MD", "-MF", "headers.d")
        with box({}, _LIMITS) as own:
            built = own.run(
                [tool_path(preamble.argv[0]), *preamble.argv[1:], str(header), "-o", _COMPILED, *dependencies]
            )
            if not built.ok:
                log.info("not precompiled: %s: %s", preamble, built.stderr[:300].decode(errors="replace"))
                return {}
            listed = own.run(["/bin/cat", "headers.d"]).stdout.decode("utf-8", "surrogateescape")
            digest = hashlib.sha256()
            with open(aside, "wb") as f:
                os.fchmod(f.fileno(), 0o644)
                while True:
                    at = f"skip={f.tell() // _PART}"
                    part = own.run(["/bin/dd", f"if={_COMPILED}", f"bs={_PART}", "count=1", at, "status=none"])
                    if not part.ok:
                        raise SandboxFault(f"a precompiled header could not be read: {part.stderr[:200]!r}")
                    digest.update(part.stdout)
                    f.write(part.stdout)
                    if len(part.stdout) < _PART:
                        break
        found = listed.replace("\\\n", " ").partition(":")[2].split()
        return {"sha256": digest.hexdigest(), "headers": [[path, _identity(Path(path))] for path in found]}

    def _make_room(self, newest: Path) -> None:
        """Remove what was used least recently until the folder holds no more than `most_bytes`."""
        used: list[tuple[float, int, Path]] = []
        for folder in self.folder.iterdir():
            try:
                size = sum(file.stat().st_size for file in folder.iterdir())
                used.append(((folder / _SEEN).stat().st_mtime, max(size, 1 << 16), folder))
            except OSError:  # another process has removed it
                continue
        total = sum(size for _, size, _ in used)
        for _, size, folder in sorted(used):
            if total > self.most_bytes and folder != newest:
                shutil.rmtree(folder, ignore_errors=True)
                total -= size


def _key(preamble: Preamble) -> str:
    """Everything that a precompiled header depends on but the headers' contents, which are compared by `_there`."""
    compiler = tool_path(preamble.argv[0])
    words = [compiler, version(compiler), _identity(Path(os.path.realpath(compiler))), preamble.argv, preamble.headers]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:32]


def _identity(path: Path) -> tuple[int, ...]:
    """Inode, size and time of change; () where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _digest(path: Path) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _write(path: Path, content: bytes) -> None:
    """A whole file: written aside and renamed."""
    aside = path.with_name(f"{path.name}.new")
    aside.write_bytes(content)
    aside.chmod(0o644)
    os.replace(aside, path)
