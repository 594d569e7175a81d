"""The output folder of an SFT: what it was begun as, its checkpoints, its metrics, and whether it is complete.

The driver is its only writer: checkpoints are put in place whole, as they arrive from the trainer. A metrics row of a
step is there before that step's checkpoint is, so a training that goes on from a checkpoint drops the rows after it
and repeats none. Not here: training (haloforge.training.sft), and how folders travel (actors.sft).
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from haloforge.errors import BadInput
from haloforge.output_folder import OutputFolder, writing
from haloforge.training import checkpoints
from haloforge.training.sft import FINAL_MODEL, SftReport
from haloforge.watching.tensorboard_log import TensorBoardLog

log = logging.getLogger("haloforge")

STATISTICS = "sft_statistics.json"
METRICS = "metrics.jsonl"
METRICS_KEYS = ("step", "epoch", "train_loss", "eval_loss", "learning_rate")
"""Of every row; null where the row does not measure it. Losses in nats per completion token."""
LOGS = "logs"
LOG_FILE = "sft.log"
OURS = re.compile(rf"(checkpoint-\d+|{FINAL_MODEL})(\.part)?")
"""Folders that a training puts here."""


@dataclass(frozen=True, slots=True)
class TakenUp:
    """Where a training goes on: `checkpoint`, and `best` with the lowest eval_loss so far (it may be the same)."""

    checkpoint: Path
    best: Path | None


class SftFolder(OutputFolder):
    """All reading and writing of one SFT's output folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.statistics: dict[str, Any] = {"schema": 1, "run": {}, "finished": False}
        self._note: tuple[dict[str, Any], dict[str, Any], dict[str, str]] | None = None
        self._metrics: IO[str] | None = None
        self._board: TensorBoardLog | None = None

    def open(self) -> None:
        super().open()
        try:
            self.load()
        except BadInput:
            self.close()
            raise

    def load(self) -> None:
        """Read what stands in the folder, which may be absent. Raises BadInput where it is something else's."""
        if (self.path / STATISTICS).exists():
            self.statistics = json.loads((self.path / STATISTICS).read_text(encoding="utf-8"))
        elif any(self.path.glob("checkpoint-*")) or self.final_model.exists():
            raise BadInput(
                f"{self.path} holds a model or checkpoints but no {STATISTICS}, so it is not the output of an SFT of "
                "this version; choose another --output, or --fresh to move it aside"
            )

    def close(self) -> None:
        for file in (self._metrics, self._board):
            if file is not None:
                file.close()
        self._metrics = self._board = None
        super().close()

    @property
    def final_model(self) -> Path:
        return self.path / FINAL_MODEL

    @property
    def complete(self) -> bool:
        return bool(self.statistics["finished"]) and self.final_model.is_dir()

    def begin(self, identity: Mapping[str, Any], config: dict[str, Any], versions: dict[str, str]) -> None:
        """Take note of what is trained here. Raises BadInput where something else was.

        It is written with the first log row: only then has the trainer accepted all of it, and a setting that was
        refused is not taken up again by the next command.
        """
        self.require_begun_as(identity)
        self._note = (dict(identity), config, versions)

    def _record(self) -> None:
        if self._note is not None:
            identity, config, versions = self._note
            self.statistics["run"] |= {"identity": identity, "name": self.path.name}
            self.write_config(config)
            self.write_json("versions.json", versions)
            self.write_json(STATISTICS, self.statistics)
            self._note = None

    def require_begun_as(self, identity: Mapping[str, Any]) -> None:
        self.require_same(self.statistics["run"].get("identity"), identity)

    def newest(self) -> Path | None:
        """The checkpoint that a training goes on from where none is named."""
        return next(reversed(checkpoints.whole(self.path)), None)

    def take_up(self, asked: Path | None) -> TakenUp | None:
        """Make ready to write: from the checkpoint asked for, else from the newest whole one, else from the start.

        What a killed driver or the steps after that checkpoint left is removed: half-arrived folders, later or broken
        checkpoints, metrics rows of later steps. Raises BadInput where `asked` is no whole checkpoint of this folder,
        or its best one is gone.
        """
        if asked is not None:
            checkpoints.require_whole(asked)
        chosen = self.path / asked.name if asked else self.newest()
        step = (checkpoints.step_of(chosen) or 0) if chosen else 0
        taken_up = None
        if chosen is not None:
            best = checkpoints.read_measurements(chosen).best
            best_path = checkpoints.path_of(self.path, best[0]) if best else None
            if best_path is not None and (why := checkpoints.lacks(best_path)):
                raise BadInput(
                    f"{chosen} names {best_path.name} as the best so far, but {why}; resume from an earlier "
                    "checkpoint, or start anew with --fresh"
                )
            taken_up = TakenUp(chosen, best_path)
        with writing(self.path):
            self._remove_later_than(step)
            self._open_metrics(step)
        return taken_up

    def _remove_later_than(self, step: int) -> None:
        whole = set(checkpoints.whole(self.path))
        for path in [path for path in self.path.iterdir() if OURS.fullmatch(path.name)]:
            number = checkpoints.step_of(path)
            if path in whole and number is not None and number <= step:
                continue
            if path in whole:
                log.warning("%s is removed: the training goes on from step %d", path, step)
            shutil.rmtree(path)

    def _open_metrics(self, step: int) -> None:
        """Keep the rows up to a step, in metrics.jsonl and in logs/, and append from there on."""
        kept = [row for row in self.metrics() if row["step"] <= step] if step else []
        self.write_text(METRICS, "".join(json.dumps(row) + "\n" for row in kept))
        self._metrics = (self.path / METRICS).open("a", encoding="utf-8")
        shutil.rmtree(self.path / LOGS, ignore_errors=True)
        self._board = TensorBoardLog(self.path / LOGS)
        for row in kept:
            self._board.add(int(row["step"]), _scalars(row))

    def metrics(self) -> Iterator[dict[str, Any]]:
        """The rows of metrics.jsonl; a torn last line is left out."""
        file = self.path / METRICS
        if file.exists():
            for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
                if line.endswith("\n"):
                    yield json.loads(line)

    def on_log(self, row: Mapping[str, float]) -> None:
        """Append a row to metrics.jsonl and to logs/."""
        assert self._metrics is not None, "take_up comes first"
        assert self._board is not None
        self._record()
        with writing(self.path):
            self._metrics.write(json.dumps({name: row.get(name) for name in METRICS_KEYS}) + "\n")
            self._metrics.flush()
            self._board.add(int(row["step"]), _scalars(row))

    def on_checkpoint(self, arrived: Path, limit: int | None) -> None:
        """Keep the newest `limit` checkpoints and the best one; None keeps all."""
        best = checkpoints.read_measurements(arrived).best
        with writing(self.path):
            for path in checkpoints.superfluous(checkpoints.whole(self.path), limit, best[0] if best else None):
                shutil.rmtree(path)

    def finish(self, report: SftReport) -> None:
        """Record what came out; from now on the folder is complete."""
        self._record()
        self.statistics |= {
            "finished": True,
            "train_rows": report.train_rows,
            "eval_rows": report.eval_rows,
            "too_long": report.too_long,
            "optimizer_steps": report.update.optimizer_steps,
            "stopped_early": report.stopped_early,
            "best_step": report.best_step,
            "eval_loss_before": report.start_eval_loss,
            "eval_loss": report.eval_loss,
            "loss_before": report.update.loss_before,
            "loss_after": report.update.loss_after,
            "weight_change": report.update.weight_change,
            "seconds": report.update.seconds,
            "notices": [*report.notices, *report.update.notices],
        }
        self.write_json(STATISTICS, self.statistics)


def _scalars(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in row.items() if name in METRICS_KEYS[1:] and value is not None}
