"""Checkpoints of a training, `checkpoint-N` after optimizer step N: which are whole, and how far each had come.

A checkpoint is a plain adapter or model folder (float32) with optimizer, scheduler and random state beside the
weights, as transformers' Trainer writes them, and PROGRESS. Not here: writing one (haloforge.training.fitting).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haloforge.errors import BadInput
from haloforge.models import is_complete_adapter, is_model
from haloforge.training.measuring import Cadence, Measurements

PROGRESS = "progress.json"
STATE = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


@dataclass(slots=True)
class Course:
    """One training that is measured, saved and taken up again; `measured` and `best` change as it goes."""

    cadence: Cadence
    folder: Path
    """Where the checkpoints are written."""
    measured: Measurements
    resume: Path | None = None
    """The checkpoint to go on from."""
    best: Path | None = None
    """The checkpoint with the lowest eval_loss, once there is one."""
    on_checkpoint: Callable[[Path], None] | None = None
    """Gets each checkpoint when it is whole."""


def path_of(folder: Path, step: int) -> Path:
    return folder / f"checkpoint-{step}"


def step_of(checkpoint: Path) -> int | None:
    """N of `checkpoint-N`; None for any other name."""
    found = re.fullmatch(r"checkpoint-([1-9]\d*)", checkpoint.name)
    return int(found[1]) if found else None


def write_progress(checkpoint: Path, measured: Measurements) -> None:
    text = json.dumps({"step": step_of(checkpoint), "measured": measured.rows})
    (checkpoint / PROGRESS).write_text(text + "\n", encoding="utf-8")


def read_measurements(checkpoint: Path) -> Measurements:
    """What had been measured up to this checkpoint, its own step included."""
    progress = json.loads((checkpoint / PROGRESS).read_text(encoding="utf-8"))
    return Measurements((int(step), float(loss)) for step, loss in progress["measured"])


def lacks(checkpoint: Path) -> str | None:
    """What makes the folder no checkpoint to go on from; None where it is whole."""
    if not checkpoint.is_dir():
        return "there is no such folder"
    step = step_of(checkpoint)
    if step is None:
        return "its name is not checkpoint-N"
    if absent := [name for name in (*STATE, PROGRESS) if not _filled(checkpoint / name)]:
        return f"{', '.join(absent)} missing or empty"
    if not (is_complete_adapter(checkpoint) or is_model(checkpoint)):
        return "its weights are missing or cut short"
    try:
        progress: Any = json.loads((checkpoint / PROGRESS).read_text(encoding="utf-8"))
        read_measurements(checkpoint)
    except (OSError, ValueError, KeyError, TypeError) as e:
        return f"{PROGRESS} cannot be read: {e}"
    return None if progress.get("step") == step else f"it was written after step {progress.get('step')}"


def whole(folder: Path) -> list[Path]:
    """The whole checkpoints in an output folder, oldest first."""
    found = [(step, path) for path in folder.glob("checkpoint-*") if (step := step_of(path)) and not lacks(path)]
    return [path for _, path in sorted(found)]


def require_whole(checkpoint: Path) -> Path:
    """Raises BadInput where the folder is no checkpoint to go on from."""
    if why := lacks(checkpoint):
        others = ", ".join(path.name for path in whole(checkpoint.parent)) or "none"
        raise BadInput(
            f"{checkpoint} is not a checkpoint to resume from: {why}; whole checkpoints in "
            f"{checkpoint.parent}: {others}"
        )
    return checkpoint


def superfluous(checkpoints: Iterable[Path], limit: int | None, best_step: int | None) -> list[Path]:
    """Those that a limit on their number takes away: all but the newest `limit` and the best."""
    if limit is None:
        return []
    ordered = sorted(checkpoints, key=lambda path: step_of(path) or 0)
    return [path for path in ordered[:-limit] if step_of(path) != best_step]


def _filled(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0
