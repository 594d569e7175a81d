"""`verified.jsonl`: a row per answer, appended as verdicts arrive, and gone on with by the same command.

Beside it lies `verified.jsonl.from.json`, which says what the rows were made from; a command that writes locks it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from haloforge.config import differences
from haloforge.errors import BadInput
from haloforge.output_folder import writing
from haloforge.records import INFRA_ERROR, VerifyResult

FIELDS = (
    "id", "status", "reward", "success", "details", "error", "passed", "total", "cpu_s", "wall_s", "level", "trust",
    "cached",
)  # fmt: skip


def row_of(id: str, result: VerifyResult) -> dict[str, Any]:
    """The fields, and `metadata` where there is any: language, compiler, limits, and what else a verifier noted."""
    row = {"id": id, **{name: getattr(result, name) for name in FIELDS[1:]}}
    return row | ({"metadata": _plain(result.metadata)} if result.metadata else {})


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON can hold it; what it cannot, of a class of a user's, is there in words."""
    try:
        return json.loads(json.dumps(metadata, allow_nan=False))
    except (TypeError, ValueError):
        return {str(key): repr(value) for key, value in metadata.items()}


def line_of(row: Mapping[str, Any]) -> str:
    """JSON in ASCII: no text of a program's can write to a terminal, and none that is no Unicode stops the file."""
    return json.dumps(row) + "\n"


class VerdictRows:
    """The output file of one command; use it with `with`."""

    def __init__(self, path: Path, made_from: Mapping[str, Any]) -> None:
        """
        Args:
            made_from: all that makes a verdict the verdict it is, as JSON: answers, verifier and its settings.
        """
        self.path = path
        self.note = path.with_name(f"{path.name}.from.json")
        self.done: dict[str, dict[str, Any]] = {}
        """id → row of the answers that have a verdict already."""
        self._made_from = made_from
        self._lock: IO[str] | None = None
        self._file: IO[str] | None = None

    def __enter__(self) -> VerdictRows:
        """Take over what lies there; verdicts lost to a fault of ours (`infra_error`) are dropped, to be asked again.

        Raises:
            BadInput: another command writes it, it was made from something else, or it cannot be written.
        """
        if self.path.is_dir():
            raise BadInput(f"the output {self.path} is a folder; wanted is a file: choose another --output")
        if self.path.exists() and not self.path.is_file():
            raise BadInput(
                f"the output {self.path} is no regular file; choose another, or leave --output out to have the "
                "rows printed"
            )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            begun = self.path.exists() and self.path.stat().st_size > 0
            if begun and not self.note.exists():
                raise BadInput(f"{self.path} was not written by this command; choose another --output, or move it away")
            self._lock = self.note.open("a+", encoding="utf-8")
            self._hold()
            if begun:
                self._check_same()
                self._take_over()
            else:
                self._describe()
            self._file = self.path.open("a", encoding="utf-8")
        except OSError as e:
            self.__exit__()
            raise BadInput(f"cannot write the output {self.path}: {e.strerror}; choose another --output") from e
        except BadInput:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._file, self._lock):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()
        self._file = self._lock = None

    def append(self, row: Mapping[str, Any]) -> None:
        """Write one row at once. Raises RunStopped where the disk is full."""
        assert self._file is not None
        with writing(self.path):
            self._file.write(line_of(row))
            self._file.flush()

    def _hold(self) -> None:
        assert self._lock is not None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            holder = "another process"
            with contextlib.suppress(ValueError, KeyError, TypeError):
                holder = json.loads(self._lock.read())["written_by"]
            raise BadInput(f"{self.path} is being written by {holder}; wait, or choose another --output") from None

    def _check_same(self) -> None:
        assert self._lock is not None
        self._lock.seek(0)
        try:
            before = json.loads(self._lock.read())["made_from"]
        except (ValueError, KeyError, TypeError):
            raise BadInput(
                f"{self.note}, which says what {self.path} was made from, does not read; move both away, or choose "
                "another --output"
            ) from None
        if changed := differences(before, self._made_from):
            raise BadInput(
                f"{self.path} was made from something else:\n  " + "\n  ".join(changed) + "\n"
                "  choose another --output, delete it to begin anew, or take the input and settings it was made with"
            )
        self._describe()

    def _describe(self) -> None:
        assert self._lock is not None
        self._lock.seek(0)
        self._lock.truncate()
        who = f"pid {os.getpid()} on {socket.gethostname()}"
        json.dump({"schema": 1, "written_by": who, "made_from": self._made_from}, self._lock, indent=1)
        self._lock.write("\n")
        self._lock.flush()

    def _take_over(self) -> None:
        """Rows that are whole; a torn last line goes, and anything else that is no row of ours is refused."""
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        lost = False
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                row = json.loads(line)
                known = row["id"] in self.done
                lost |= row["status"] == INFRA_ERROR
            except (ValueError, KeyError, TypeError):
                raise BadInput(
                    f"{self.path}, line {number} is no row of this command; choose another --output or move it away"
                ) from None
            if not known and row["status"] != INFRA_ERROR:
                self.done[row["id"]] = row
        if lost:
            aside = self.path.with_name(f".{self.path.name}.part")
            aside.write_text("".join(map(line_of, self.done.values())), encoding="utf-8")
            aside.replace(self.path)
        elif len(whole) < len(content):
            os.truncate(self.path, len(whole))
