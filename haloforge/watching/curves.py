"""A run's curves: `metrics.jsonl`, and TensorBoard folders for the run and for each cycle's update.

Written by the driver. Everything is told again after a resume, and nothing is written twice.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from haloforge.watching.stages import Progress, Stage
from haloforge.watching.tensorboard_log import TensorBoardLog

METRICS_FILE = "metrics.jsonl"
LOGS = "logs"
PER_CYCLE = (
    *("pass_rate", "compile_rate", "kept", "distinct_solutions", "entropy", "tokens_per_s"),
    *("loss_before", "loss_after", "weight_change", "learning_rate", "overlap"),
)
"""What `<run>/logs` takes over from a cycle's statistics; besides `seconds/…` and `eval/<set>/…`."""


def metrics_row(cycle: int, row: Mapping[str, float]) -> dict[str, float | None]:
    """A row of metrics.jsonl; losses in nats per completion token, null where the row has none of a kind."""
    names = ("step", "epoch", "train_loss", "eval_loss", "learning_rate")
    return {"cycle": cycle, **{name: row.get(name) for name in names}}


def cycle_scalars(entry: Mapping[str, Any]) -> dict[str, float]:
    """The scalars of a cycle's entry in raft_statistics.json, by tag."""
    values = {name: entry.get(name) for name in PER_CYCLE}
    values |= {f"seconds/{stage}": seconds for stage, seconds in entry.get("seconds", {}).items()}
    for name, figures in entry.get("eval", {}).items():
        values |= {f"eval/{name}/{what}": figures.get(what) for what in ("greedy", "pass_at_1")}
    return {tag: float(value) for tag, value in values.items() if value is not None}


class Curves(Progress):
    """Writes the curves of one run folder as its rows and cycles come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: IO[str] | None = None
        self._run = TensorBoardLog(folder / LOGS)
        self._update: TensorBoardLog | None = None

    def begin(self, stage: Stage) -> None:
        if stage.name == "train" and stage.cycle is not None:
            self._restart(stage.cycle)

    def row(self, cycle: int, row: Mapping[str, float]) -> None:
        if self._rows is None:
            self._rows = (self._folder / METRICS_FILE).open("a", encoding="utf-8")
        self._rows.write(json.dumps(metrics_row(cycle, row)) + "\n")
        self._rows.flush()
        self._add(cycle, row)

    def trained(self, cycle: int, rows: list[dict[str, float]]) -> None:
        """Where the driver was gone before it had the last row, the update's rows are written anew."""
        if self._written(cycle) != [metrics_row(cycle, row) for row in rows]:
            self._restart(cycle)
            for row in rows:
                self.row(cycle, row)
        elif self._update is None:  # told after a resume: a killed driver may not have flushed the event file
            for row in rows:
                self._add(cycle, row)
        self._close_update()

    def cycle(self, entry: Mapping[str, Any]) -> None:
        self._run.add(entry["cycle"], cycle_scalars(entry))
        if "entropy" in entry and entry.get("optimizer_steps"):
            update = TensorBoardLog(self._folder / f"cycle_{entry['cycle']}" / LOGS)
            update.add(entry["optimizer_steps"], {"entropy": entry["entropy"]})
            update.close()

    def close(self, how: str) -> None:
        self._close_update()
        self._run.close()

    def _restart(self, cycle: int) -> None:
        """Forget an update that did not come to its end."""
        self._close_update()
        shutil.rmtree(self._folder / f"cycle_{cycle}" / LOGS, ignore_errors=True)
        kept = [row for row in self._read() if row["cycle"] != cycle]
        aside = self._folder / f".{METRICS_FILE}.part"
        aside.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        os.replace(aside, self._folder / METRICS_FILE)

    def _add(self, cycle: int, row: Mapping[str, float]) -> None:
        if self._update is None:
            self._update = TensorBoardLog(self._folder / f"cycle_{cycle}" / LOGS)
        losses = {name: row[name] for name in ("train_loss", "eval_loss", "learning_rate") if name in row}
        self._update.add(int(row["step"]), losses)

    def _written(self, cycle: int) -> list[dict[str, Any]]:
        return [row for row in self._read() if row["cycle"] == cycle]

    def _read(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl without a torn last line."""
        file = self._folder / METRICS_FILE
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def _close_update(self) -> None:
        if self._rows is not None:
            self._rows.close()
            self._rows = None
        if self._update is not None:
            self._update.close()
            self._update = None
