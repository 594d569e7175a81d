"""The run folder: every sample and verdict as it comes, every finished thing under its public name.

One writer at a time, held by a lock. Rows are appended and flushed one by one, so that a killed run
loses at most the row that was being written; whole files are written aside and renamed.
Not here: what the rows mean (haloforge.loop).
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from haloforge.output_folder import OutputFolder, writing
from haloforge.records import Sample, VerifyResult

STATISTICS = "raft_statistics.json"


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


class RunFolder(OutputFolder):
    """All reading and writing of one run's folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.statistics: dict[str, Any] = {"schema": 1, "run": {}, "best_cycle": None, "cycles": []}

    def open(self) -> None:
        super().open()
        self.load()

    def load(self) -> None:
        """Take over the statistics that lie there, if any."""
        if (self.path / STATISTICS).exists():
            self.statistics = json.loads((self.path / STATISTICS).read_text(encoding="utf-8"))

    def rows(self, cycle: int, name: str) -> Rows:
        return Rows(self.path / f"cycle_{cycle}_{name}.jsonl")

    def write_rows(self, cycle: int, name: str, rows: list[dict[str, Any]]) -> None:
        """A finished file, replaced as a whole."""
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        self.write_text(f"cycle_{cycle}_{name}.jsonl", text)

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
