"""What a run is doing or has done, read from its folder: works with and without the run, and needs no Ray."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from haloforge import paths
from haloforge.errors import BadInput
from haloforge.ledger import STATISTICS
from haloforge.output_folder import CONFIG
from haloforge.watching.progress import LOG_FILE, PROGRESS_FILE, clock_time, counts, title

PLACES = ("models/*", "runs/*")
"""Where run folders are looked for, under the working directory and HALOFORGE_HOME."""
SILENT_S = 30.0
"""A driver that has not rewritten progress.json for so long is said to be silent."""
FILES = (CONFIG, STATISTICS, PROGRESS_FILE)
"""One of these is in every run folder; the last is the first that is written."""
ROWS = ("samples", "verified", "kept", "eval_samples", "eval_verified")


@dataclass(frozen=True)
class Status:
    """A run as its folder tells."""

    folder: Path
    state: str
    """running | finished | stopped"""
    holder: str | None
    """Who writes the folder now: "pid 12 on host"."""
    cycle: int
    """The cycle that goes on or is next; 0 is the measuring before the first."""
    cycles: int
    progress: dict[str, Any]
    """progress.json; empty where there is none."""
    statistics: dict[str, Any]
    rows: dict[str, int]
    """Rows in the cycle's files."""

    @property
    def headline(self) -> str:
        if self.state == "running":
            return f"running ({self.holder})"
        if self.state == "finished":
            return "finished"
        stage, how = self.progress.get("stage"), self.progress.get("how")
        doing = f" while in “{stage['name']}”" if stage else ""
        return f"stopped in cycle {self.cycle}{doing}{f' ({how})' if how else ''}: the same command goes on"

    def lines(self) -> list[str]:
        """The run in words: how it stands, how far the stage is, and what is in the cycle's files."""
        said = [f"{paths.shown(self.folder)}: {self.headline}"]
        if self.state != "finished":
            if stage := self.progress.get("stage"):
                left = {} if self.state == "running" else {"eta_s": None}
                said.append(f"{title(stage)}: {counts({**stage, **left})}")
                said += [", ".join(f"{n} {status}" for status, n in stage["statuses"].items())] * bool(
                    stage["statuses"]
                )
            if self.rows:
                said.append(f"cycle {self.cycle} has " + ", ".join(f"{n} {name}" for name, n in self.rows.items()))
        if self.state == "running":
            if (silent := time.time() - self.progress.get("updated_at", 0.0)) > SILENT_S and self.progress:
                said.append(f"the driver has said nothing for {clock_time(silent)}")
            said.append(f"dashboard: {self.progress.get('dashboard') or 'none'}")
        return [*said, f"log: {paths.shown(self.folder / LOG_FILE)}"]


def read(folder: Path) -> Status:
    """How the run in a folder stands. Raises BadInput where it is no run folder."""
    if is_sft(folder):
        raise BadInput(f"{folder} is an SFT's output folder: see its sft.log and metrics.jsonl (docs/SFT.md)")
    if not is_run(folder):
        raise BadInput(f"{folder} is no run folder: it has none of {', '.join(FILES)}")
    statistics = _json(folder / STATISTICS) or {"run": {}, "best_cycle": None, "cycles": []}
    progress = _json(folder / PROGRESS_FILE) or {}
    config = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8")) if (folder / CONFIG).exists() else {}
    cycles = config.get("raft", {}).get("num_cycles", 0)
    done = {entry["cycle"] for entry in statistics["cycles"] if entry.get("complete")}
    open_cycles = [cycle for cycle in range(cycles + 1) if cycle not in done]
    holder = held_by(folder)
    finished = progress.get("state") == "finished" or (cycles > 0 and not open_cycles)
    cycle = open_cycles[0] if open_cycles else cycles
    return Status(
        folder=folder,
        state="running" if holder else "finished" if finished else "stopped",
        holder=holder,
        cycle=cycle,
        cycles=cycles,
        progress=progress,
        statistics=statistics,
        rows={name: n for name in ROWS if (n := _count(folder / f"cycle_{cycle}_{name}.jsonl"))},
    )


def find(run: str | None) -> Path:
    """The folder that is named, as an output of a run would be; else one that runs, else the one written last.

    Raises BadInput with the places tried.
    """
    roots = (Path.cwd(), paths.home())
    if run is not None:
        given = Path(run).expanduser()
        tried = [given] if given.is_absolute() else [root / given for root in roots]
        for folder in tried:
            if folder.is_dir():
                return folder
        raise BadInput(f"run folder {run!r} not found; looked at {', '.join(map(str, tried))}")
    found = [folder for root in roots for place in PLACES for folder in root.glob(place) if is_run(folder)]
    if not found:
        tried = [root / place for root in roots for place in PLACES]
        raise BadInput(f"no run folder at {', '.join(map(str, tried))}; name one: haloforge status FOLDER")
    return max(found, key=lambda folder: (held_by(folder) is not None, last_written(folder)))


def is_sft(folder: Path) -> bool:
    """Whether an SFT writes or wrote the folder."""
    return any((folder / name).exists() for name in ("sft_statistics.json", "sft.log"))


def is_run(folder: Path) -> bool:
    """Whether RAFT wrote the folder (an SFT's has a resolved config too)."""
    return not is_sft(folder) and any((folder / name).exists() for name in FILES)


def last_written(folder: Path) -> float:
    """When the run last wrote one of its files, in Unix seconds."""
    return max((folder / name).stat().st_mtime for name in FILES if (folder / name).exists())


def held_by(folder: Path) -> str | None:
    """Who holds the folder's lock: "pid 12 on host"; None where nobody does."""
    try:
        with (folder / ".lock").open(encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return lock.read().strip() or "another process"
    except FileNotFoundError:
        pass
    return None


def _json(file: Path) -> dict[str, Any] | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def _count(file: Path) -> int:
    """Whole lines."""
    return sum(chunk.count(b"\n") for chunk in _chunks(file)) if file.exists() else 0


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(2**20):
            yield chunk
