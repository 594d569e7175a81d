"""When a long training is measured, saved and ended early, and which measurement was the best. Pure: no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from haloforge.training.plan import StepPlan


@dataclass(frozen=True, slots=True)
class Cadence:
    """What a training of many steps does besides stepping."""

    eval_steps: int | None = None
    """Optimizer steps from one measurement of eval_loss to the next; None: at each epoch's end."""
    save_steps: int | None = None
    """The same for checkpoints. A new best, an early end and the last step are always saved."""
    patience: int | None = None
    """Measurements without progress after which the training ends; None: it goes to its last step."""
    min_delta: float = 0.0
    """Progress is an eval_loss lower by at least this than at the last progress, in nats."""


def due(step: int, every: int | None, steps: StepPlan) -> bool:
    """Whether something that happens every so many steps (None: at each epoch's end) happens after this one."""
    if step == steps.steps:
        return True
    if every is not None:
        return step % every == 0
    return step * steps.epochs // steps.steps > (step - 1) * steps.epochs // steps.steps


class Measurements:
    """The eval losses of one training as (step, nats per token); step 0 is the start point, and no candidate."""

    def __init__(self, rows: Iterable[tuple[int, float]] = ()) -> None:
        self.rows = list(rows)

    def add(self, step: int, loss: float) -> bool:
        """Whether it is the best so far; of equals the earlier is the better."""
        self.rows.append((step, loss))
        return self.best == (step, loss)

    @property
    def start(self) -> float | None:
        return next((loss for step, loss in self.rows if step == 0), None)

    @property
    def best(self) -> tuple[int, float] | None:
        return min((row for row in self.rows if row[0] > 0), key=lambda row: row[1], default=None)

    def exhausted(self, cadence: Cadence) -> bool:
        """Whether the last `patience` measurements all failed to fall by min_delta below the last one that did."""
        if cadence.patience is None:
            return False
        reference, waited = float("inf"), 0
        for step, loss in self.rows:
            if step == 0:
                continue
            if loss <= reference - cadence.min_delta:
                reference, waited = loss, 0
            else:
                waited += 1
        return waited >= cadence.patience
