"""Verdicts on disk: what was judged once is not judged again, by any command of this machine.

One SQLite file under HALOFORGE_HOME. A verdict is found where all that decided it is the same: the answer as given,
the task's checks, and the circumstances (verifier, its settings, tools, haloforge's own code, the sandbox's level),
compared as whole texts; digests only lead there. Any number of processes may use it at once, and each may be killed at
any time. A file that is damaged is set aside, one that cannot be used is left alone: a warning, never a fault of a run.
Not here: which verdicts last, and samples in flight (verdicts.cache).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from haloforge import paths
from haloforge.code_digest import verifying_digest
from haloforge.records import Prompt, VerifyResult

log = logging.getLogger("haloforge")

NAME = "verdicts-1.sqlite"
"""The number is the layout's: another layout gets another file."""
BUSY_S = 1.0
"""Seconds that another process's write is waited for; after that a verdict is not written down."""
POOL_SETTINGS = ("max_workers", "slot", "allow_weak")
"""Arguments of a verifier that do not change a verdict, or only through the level, which is compared itself."""
_LAYOUT = """
CREATE TABLE IF NOT EXISTS texts (id INTEGER PRIMARY KEY, digest BLOB NOT NULL, content BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS texts_by_digest ON texts (digest);
CREATE TABLE IF NOT EXISTS verdicts (
  digest BLOB NOT NULL, task INTEGER NOT NULL, circumstances INTEGER NOT NULL, as_it_stands INTEGER NOT NULL,
  answer BLOB NOT NULL, verdict TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS verdicts_by_digest ON verdicts (digest, task, circumstances);
"""
_IS = "digest = ? AND task = ? AND circumstances = ? AND as_it_stands = ? AND answer = ?"
_DAMAGED = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH)
"""SQLITE_ERROR: a table or column of ours is not there."""
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def circumstances(kind: str, arguments: Mapping[str, Any], machines: Iterable[Mapping[str, Any] | None]) -> str | None:
    """All but answer and task that decides a verdict, as one text; None where it cannot be known.

    Args:
        machines: what each verifier says of its machine (`Verifier.fingerprint`).
    """
    said = [json.dumps(machine, sort_keys=True) if machine is not None else None for machine in machines]
    if None in said or not said:
        return None
    settings = {name: value for name, value in arguments.items() if name not in POOL_SETTINGS}
    whole = {
        "verifier": kind,
        "settings": settings,
        "machines": sorted({one for one in said if one is not None}),
        "code": verifying_digest(),
    }
    return json.dumps(whole, sort_keys=True, default=repr)


def deciding(task: Prompt) -> bytes:
    """All of a task that decides a verdict: everything but its name and what was only kept with it."""
    row = {name: getattr(task, name) for name in _DECIDING}
    row["cases"] = [(case.stdin, case.expected_stdout) for case in task.cases]
    row["checker"] = task.checker and dataclasses.astuple(task.checker)
    return json.dumps(row, sort_keys=True).encode()


_DECIDING = [field.name for field in dataclasses.fields(Prompt) if field.name not in ("id", "metadata")]


class VerdictStore:
    """An open file of verdicts under one set of circumstances. For one thread."""

    def __init__(self, circumstances: str, path: Path | None = None) -> None:
        """Open or create it; where that fails there is a warning, and nothing is ever found.

        Args:
            path: unset: HALOFORGE_HOME's own.
        """
        self.path = path or paths.home() / "cache" / NAME
        self._circumstances = circumstances.encode()
        self._texts: dict[int, tuple[object, int]] = {}
        self._database: sqlite3.Connection | None = None
        with self._going_on():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))  # tests and answers are nobody else's business
            self._database = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
            # A write-ahead log: readers never wait, and of a killed writer at most the last transaction is missing.
            self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _LAYOUT)

    def find(self, answer: str, as_it_stands: bool, task: Prompt) -> VerifyResult | None:
        """The verdict on this answer to this task, if one is known."""
        with self._going_on():
            number = self._text(task)
            here = self._text(self._circumstances)
            if self._database is None or number is None or here is None:
                return None
            row = self._database.execute(
                f"SELECT verdict FROM verdicts WHERE {_IS}", _key(answer, as_it_stands, number, here)
            ).fetchone()
            return VerifyResult(**json.loads(row[0])) if row else None
        return None

    def add(self, answer: str, as_it_stands: bool, task: Prompt, result: VerifyResult) -> None:
        """Write a verdict down, in one transaction; one that another process has written meanwhile stays."""
        try:
            verdict = json.dumps(dataclasses.asdict(result))
        except (TypeError, ValueError):
            return  # a custom verifier's metadata that no file can hold
        with self._going_on():
            if self._database is None:
                return
            self._database.execute("BEGIN IMMEDIATE")
            try:
                key = _key(answer, as_it_stands, self._kept(task), self._kept(self._circumstances))
                self._database.execute(
                    "INSERT INTO verdicts (digest, task, circumstances, as_it_stands, answer, verdict) "
                    f"SELECT ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM verdicts WHERE {_IS})",
                    (*key, verdict, *key),
                )
                self._database.execute("COMMIT")
            except BaseException:
                self._texts.clear()  # numbers given in this transaction are void
                if self._database is not None and self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _text(self, what: Prompt | bytes) -> int | None:
        """The number under which the file has a task or circumstances; None where it has not."""
        known = self._texts.get(id(what))
        if known is None and self._database is not None:
            content = what if isinstance(what, bytes) else deciding(what)
            row = self._database.execute(
                "SELECT id FROM texts WHERE digest = ? AND content = ?", (_digest(content), content)
            ).fetchone()
            if row is not None:
                known = self._texts[id(what)] = (what, row[0])  # holding it, so that nothing else gets its address
        return known[1] if known else None

    def _kept(self, what: Prompt | bytes) -> int:
        number = self._text(what)
        if number is None:
            assert self._database is not None
            content = what if isinstance(what, bytes) else deciding(what)
            added = self._database.execute(
                "INSERT INTO texts (digest, content) VALUES (?, ?)", (_digest(content), content)
            ).lastrowid
            assert added is not None
            self._texts[id(what)] = (what, number := added)
        return number

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        """No fault of the cache is a fault of the run."""
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, TypeError) as e:
            code = getattr(e, "sqlite_errorcode", 0) & 0xFF
            if code in _BUSY:
                log.debug("the verdict cache %s is busy: a verdict is not kept", self.path)
                return
            self.close()
            if code in _DAMAGED or isinstance(e, (ValueError, TypeError)):
                log.warning("the verdict cache is damaged (%s): %s; going on without it", e, self._set_aside())
            else:
                log.warning("the verdict cache %s cannot be used (%s); going on without it", self.path, e)

    def _set_aside(self) -> str:
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
        try:
            for ending in ("", "-wal", "-shm"):
                if (part := self.path.with_name(self.path.name + ending)).exists():
                    part.rename(aside.with_name(aside.name + ending))
        except OSError as e:
            return f"{self.path} cannot be moved ({e.strerror}), so delete it"
        return f"it is now {aside}"


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:16]


def _key(answer: str, as_it_stands: bool, task: int, circumstances: int) -> tuple[Any, ...]:
    content = answer.encode("utf-8", "surrogatepass")
    return _digest(content), task, circumstances, int(as_it_stands), content
