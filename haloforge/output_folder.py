"""A folder that one command writes: locked while it does, whole files only, and never continued as something else.

What RAFT's run folder and SFT's output folder share, and how a command's settings are found, in which such a folder
has a say. Not here: what the files mean (haloforge.ledger, haloforge.sft_folder).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import yaml

from haloforge import config as schema
from haloforge import paths
from haloforge.config import Block, Layer, Resolved
from haloforge.errors import BadInput, RunStopped

CONFIG = "resolved_config.yaml"
ROOM_BYTES = 16 * 2**20
"""What must fit into the output folder before a run starts."""
ConfigT = TypeVar("ConfigT", bound=Block)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a full disk, or one that went away, into the end of the run, with what to do."""
    try:
        yield
    except OSError as e:
        raise RunStopped(
            f"cannot write {path}: {e.strerror}; make room and run the same command again, it goes on from here"
        ) from e


class OutputFolder:
    """All writing of one command's output folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None

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
            remedy = "make room there or choose" if e.errno == errno.ENOSPC else "choose"
            raise BadInput(
                f"cannot write {ROOM_BYTES >> 20} MiB to the output folder {self.path}: {e.strerror}; {remedy} another "
                "output_dir (--output)"
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

    def require_place(self) -> None:
        """Raises BadInput where the folder cannot be there: found out without writing anything."""
        there = next(path for path in (self.path, *self.path.parents) if path.exists())
        if not there.is_dir():
            raise BadInput(f"the output folder {self.path} cannot be: {there} is a file; choose another --output")
        if not os.access(there, os.W_OK) or os.statvfs(there).f_bavail == 0:
            raise BadInput(f"the output folder {self.path} cannot be written: see {there}; choose another --output")

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def set_aside(self) -> Path | None:
        """Move an earlier run's folder to `<name>.before-<time>` (--fresh); None where there is none.

        Raises BadInput where a driver is writing it, or it cannot be moved.
        """
        if not self.path.is_dir() or not any(self.path.iterdir()):
            return None
        lock = OutputFolder(self.path)
        lock.open()  # refused while another driver writes it
        lock.close()
        aside = self.path.with_name(f"{self.path.name}.before-{time.strftime('%Y%m%d-%H%M%S')}")
        try:
            self.path.rename(aside)
        except OSError as e:
            raise BadInput(f"cannot move {self.path} aside to {aside}: {e.strerror}; move it yourself") from e
        return aside

    def write_json(self, name: str, value: Any) -> None:
        self.write_text(name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """A whole file, written aside and renamed. Raises RunStopped where it cannot be."""
        aside = self.path / f".{name}.part"
        with writing(self.path / name):
            aside.write_text(text, encoding="utf-8")
            aside.replace(self.path / name)

    def read_config(self) -> dict[str, Any] | None:
        """The resolved config that this run was started with, or None in a new folder."""
        file = self.path / CONFIG
        return yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else None

    def write_config(self, config: dict[str, Any]) -> None:
        self.write_text(CONFIG, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))

    def require_same(self, before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> None:
        """Raises BadInput where the folder was begun as something else (its identity `before`), with the difference."""
        if before is not None and (changed := schema.differences(before, now)):
            raise BadInput(
                f"{self.path} holds a run with other settings:\n  " + "\n  ".join(changed) + "\n"
                "  use --fresh to move it aside, another --output, or the settings it was started with"
            )


def resolved(
    kind: type[ConfigT],
    config_name: str | None,
    typed: Mapping[str, Any],
    output_of: Callable[[ConfigT], str],
    fresh: bool = False,
) -> Resolved[ConfigT]:
    """Typed values over the config file, over what the output folder was started with (unless fresh), over defaults."""
    layers = [schema.read_file(paths.find_config(config_name))] if config_name else []
    layers.append(Layer("command line", typed))
    found = schema.resolve(kind, layers)
    folder = OutputFolder(paths.output(output_of(found.config)))
    if not fresh and (before := folder.read_config()) is not None:
        if set(before) - set(kind.model_fields):
            raise BadInput(f"{folder.path} holds the results of another command; choose another --output")
        layers.insert(0, Layer(f"run folder {folder.path}", schema.changed(kind, before)))
        found = schema.resolve(kind, layers)
    return found
