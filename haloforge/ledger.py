"""The run folder: every sample and verdict as it comes, every finished thing under its public name.

One writer at a time, held by a lock. Rows are appended and flushed one by one, so that a killed run
loses at most the row that was being written; whole files are written aside and renamed.
Not here: what the rows mean (haloforge.loop).
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import yaml

from haloforge.errors import BadInput, RunStopped
from haloforge.records import Sample, VerifyResult

STATISTICS = "raft_statistics.json"
CONFIG = "resolved_config.yaml"


ROOM_BYTES = 16 * 2**20
"""What must fit into the output folder before a run starts."""


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a full disk, or one that went away, into the end of the run, with what to do."""
    try:
        yield
    except OSError as e:
        raise RunStopped(
            f"cannot write {path}: {e.strerror}; make room and run the same command again, it goes on from here"
        ) from e


class Rows:
    """An append-only JSONL file whose rows have an `id`; a torn last line is dropped when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def read(self) -> Iterator[dict[str, Any]]:
        if not self.path.exists():
            return
        whole = 0
        with self.path.open("rb") as file:
            for line in file:
                try:
                    if not line.endswith(b"\n"):
                        break
                    row = json.loads(line)
                except json.JSONDecodeError:
                    break
                whole += len(line)
                yield row
        if whole < self.path.stat().st_size:
            os.truncate(self.path, whole)

    def append(self, row: dict[str, Any]) -> None:
        """Write one row at once. Raises RunStopped where the disk is full; a torn row is dropped by the next run."""
        with writing(self.path):
            if self._file is None:
                self._file = self.path.open("ab")
            self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class RunFolder:
    """All reading and writing of one run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None
        self.statistics: dict[str, Any] = {"schema": 1, "run": {}, "best_cycle": None, "cycles": []}

    def open(self) -> None:
        """Create the folder and lock it. Raises BadInput where another driver writes it, or it cannot be written."""
        probe = self.path / ".room"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(bytes(ROOM_BYTES))
            probe.unlink()
            lock = (self.path / ".lock").open("a+")
        except OSError as e:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)
            raise BadInput(
                f"cannot write {ROOM_BYTES >> 20} MiB to the output folder {self.path}: {e.strerror}; make room "
                "there or choose another output_dir (--output)"
            ) from e
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "another process"
            lock.close()
            raise BadInput(
                f"{self.path} is being written by {holder}; stop that run or choose another --output"
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(f"pid {os.getpid()} on {socket.gethostname()}")
        lock.flush()
        self._lock = lock
        if (self.path / STATISTICS).exists():
            self.statistics = json.loads((self.path / STATISTICS).read_text(encoding="utf-8"))

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def set_aside(self) -> Path | None:
        """Move an earlier run's folder to `<name>.before-<time>` (--fresh); None where there is none.

        Raises BadInput where a driver is writing it.
        """
        if not self.path.exists() or not any(self.path.iterdir()):
            return None
        self.open()  # refused while another driver writes it
        self.close()
        aside = self.path.with_name(f"{self.path.name}.before-{time.strftime('%Y%m%d-%H%M%S')}")
        self.path.rename(aside)
        return aside

    def rows(self, cycle: int, name: str) -> Rows:
        return Rows(self.path / f"cycle_{cycle}_{name}.jsonl")

    def write_json(self, name: str, value: Any) -> None:
        self.write_text(name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        aside = self.path / f".{name}.part"
        with writing(self.path / name):
            aside.write_text(text, encoding="utf-8")
            aside.replace(self.path / name)

    def write_rows(self, cycle: int, name: str, rows: list[dict[str, Any]]) -> None:
        """A finished file, replaced as a whole."""
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        self.write_text(f"cycle_{cycle}_{name}.jsonl", text)

    def read_config(self) -> dict[str, Any] | None:
        """The resolved config that this run was started with, or None in a new folder."""
        file = self.path / CONFIG
        return yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else None

    def write_config(self, config: dict[str, Any]) -> None:
        self.write_text(CONFIG, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))

    def cycle(self, number: int) -> dict[str, Any]:
        """The statistics of a cycle, created where there are none yet; change it, then `save()`."""
        for entry in self.statistics["cycles"]:
            if entry["cycle"] == number:
                return entry
        entry = {"cycle": number}
        self.statistics["cycles"].append(entry)
        self.statistics["cycles"].sort(key=lambda e: e["cycle"])
        return entry

    def save(self) -> None:
        self.write_json(STATISTICS, self.statistics)

    def final(self, cycle: int) -> Path:
        return self.path / f"cycle_{cycle}_final"

    def link(self, name: str, target: Path) -> None:
        """Point `name` at a folder: a relative link inside the run folder, an absolute one outside."""
        aside = self.path / f".{name}.link"
        aside.unlink(missing_ok=True)
        inside = target.parent == self.path
        aside.symlink_to(target.name if inside else target.absolute(), target_is_directory=True)
        current = self.path / name
        if current.is_dir() and not current.is_symlink():
            shutil.rmtree(current)
        aside.replace(current)


def sample_row(sample: Sample, prompt_text: str) -> dict[str, Any]:
    row = dataclasses.asdict(sample)
    row["completion"] = row.pop("text")
    row["prompt_token_ids"] = list(sample.prompt_token_ids)
    row["token_ids"] = list(sample.token_ids)
    return {"id": row.pop("id"), "prompt": prompt_text, **row}


def sample_from(row: dict[str, Any]) -> Sample:
    fields = {f.name: row[f.name] for f in dataclasses.fields(Sample) if f.name in row}
    fields["text"] = row["completion"]
    fields["prompt_token_ids"] = tuple(row["prompt_token_ids"])
    fields["token_ids"] = tuple(row["token_ids"])
    return Sample(**fields)


def verdict_row(sample: Sample, prompt_text: str, result: VerifyResult) -> dict[str, Any]:
    return {"id": sample.id, "prompt": prompt_text, "completion": sample.text, **dataclasses.asdict(result)}


def verdict_from(row: dict[str, Any]) -> VerifyResult:
    return VerifyResult(**{f.name: row[f.name] for f in dataclasses.fields(VerifyResult) if f.name in row})
