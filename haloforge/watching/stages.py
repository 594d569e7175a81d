"""What a run is doing now, and the port through which it tells: a stage with its counts, and who looks at them.

The loop counts in a `Stage` in place, which costs nothing; a `Progress` is told when a stage begins and ends, and looks
at the counts on its `tick`. Not here: terminals, files, metrics (progress, curves, actors.metrics).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Stage:
    """Something that goes on for a while. `done` of `total` counts verified samples or answers, or optimizer steps."""

    name: str
    cycle: int | None = None
    cycles: int | None = None
    """Cycles that the run is asked for."""
    unit: str = "samples"
    total: int | None = None
    """None: unknown, or nothing to count."""
    done: int = 0
    cached: int = 0
    """How many of `done` were in the run folder when the stage began: they are in no rate."""
    drawn: int = 0
    """Samples drawn, with those in the run folder; only where the unit is samples."""
    tokens: int = 0
    """Tokens drawn by this process."""
    solved: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    """Verdicts by status, with those in the run folder."""
    in_flight: int = 0
    """Requests that run in the engine."""
    waiting: int = 0
    """Finished samples that have no verdict yet."""
    loss: float | None = None
    clock: Callable[[], float] = time.monotonic
    """Seconds; for tests."""

    def __post_init__(self) -> None:
        self.started = self.clock()
        self.ended: float | None = None

    @property
    def seconds(self) -> float:
        """Since it began; once it has ended, how long it took."""
        return (self.clock() if self.ended is None else self.ended) - self.started

    @property
    def rate(self) -> float | None:
        """Units per second since the stage began; None before the first."""
        fresh, seconds = self.done - self.cached, self.seconds
        return fresh / seconds if fresh > 0 and seconds > 0 else None

    @property
    def eta_s(self) -> float | None:
        """Seconds until the stage ends if it goes on as it has so far; None where that is unknown."""
        if self.total is None or self.rate is None:
            return None
        return max(0, self.total - self.done) / self.rate

    def take_row(self, row: Mapping[str, float]) -> None:
        """Count a training's log row: step, train_loss, and steps (all there will be) where the row has them."""
        self.done = int(row.get("step", self.done))
        self.total = int(row["steps"]) if "steps" in row else self.total
        self.loss = row.get("train_loss", self.loss)

    def record(self) -> dict[str, Any]:
        """The stage as JSON: its counts, rates in units per second, and times in seconds."""
        return {
            "name": self.name,
            "cycle": self.cycle,
            "cycles": self.cycles,
            "unit": self.unit,
            "total": self.total,
            "done": self.done,
            "cached": self.cached,
            "drawn": self.drawn,
            "solved": self.solved,
            "statuses": dict(sorted(self.statuses.items())),
            "in_flight": self.in_flight,
            "waiting": self.waiting,
            "loss": self.loss,
            "rate": self.rate,
            "tokens_per_s": self.tokens / self.seconds if self.tokens and self.seconds > 0 else None,
            "seconds": self.seconds,
            "eta_s": self.eta_s,
        }


class Progress:
    """Told what a run is doing; this one tells nobody."""

    def begin(self, stage: Stage) -> None:
        """A stage begins; its counts change in place from now on."""

    def tick(self) -> None:
        """Called about twice a second, and whenever there may be something new to see."""

    def end(self, stage: Stage) -> None:
        """The stage came to its end. Not called where an error ended it."""

    def row(self, cycle: int, row: Mapping[str, float]) -> None:
        """A log row of a cycle's update while it runs: step, epoch, and train_loss with learning_rate, or eval_loss."""

    def trained(self, cycle: int, rows: list[dict[str, float]]) -> None:
        """A cycle's update is in the run folder, and these are all of its rows; also told again after a resume."""

    def cycle(self, entry: Mapping[str, Any]) -> None:
        """A cycle is complete: its entry in raft_statistics.json; also told again after a resume."""

    def close(self, how: str) -> None:
        """The run ended: "finished", or what stopped it. Once, the last call."""

    @contextmanager
    def during(self, stage: Stage) -> Iterator[Stage]:
        self.begin(stage)
        try:
            yield stage
        finally:
            stage.ended = stage.clock()
        self.end(stage)


class Several(Progress):
    """Tells each of several."""

    def __init__(self, *members: Progress) -> None:
        self._members = members

    def begin(self, stage: Stage) -> None:
        for member in self._members:
            member.begin(stage)

    def tick(self) -> None:
        for member in self._members:
            member.tick()

    def end(self, stage: Stage) -> None:
        for member in self._members:
            member.end(stage)

    def row(self, cycle: int, row: Mapping[str, float]) -> None:
        for member in self._members:
            member.row(cycle, row)

    def trained(self, cycle: int, rows: list[dict[str, float]]) -> None:
        for member in self._members:
            member.trained(cycle, rows)

    def cycle(self, entry: Mapping[str, Any]) -> None:
        for member in self._members:
            member.cycle(entry)

    def close(self, how: str) -> None:
        for member in self._members:
            member.close(how)
