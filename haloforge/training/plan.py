"""How many optimizer steps an update takes, and which samples each of them sees. Pure: no torch, no clock.

Batch sizes count samples, whether or not they are packed into one row.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

LENGTH_WINDOW = 4
"""Batches that are sorted by length among themselves. More saves little padding and makes batches of one kind."""


@dataclass(frozen=True, slots=True)
class UpdatePlan:
    """What is asked of one update: a RAFT cycle's or a whole SFT's."""

    learning_rate: float
    epochs: int = 1
    batch_size: int = 8
    """Samples per forward pass."""
    gradient_accumulation_steps: int = 1
    min_steps: int = 8
    """Optimizer steps that are reached by smaller batches and, failing that, more epochs. 0 leaves all as asked."""
    max_epochs: int = 4
    """Epochs that `min_steps` may raise `epochs` to."""
    warmup_ratio: float = 0.0
    scheduler: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    """0 does not clip."""
    packing: bool | Literal["auto"] = "auto"
    """Lay the samples of a batch end to end in one row, without padding. auto: on a GPU only."""
    dataloader_num_workers: int = 0
    dataloader_pin_memory: bool = True
    """Has an effect with a GPU only."""
    logging_steps: int = 10
    seed: int = 0


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What will be done: the plan after `min_steps` has had its say."""

    batch_size: int
    accumulation: int
    epochs: int
    steps: int
    """Optimizer steps in all."""
    warmup_steps: int
    notices: tuple[str, ...] = ()


def plan_steps(n_samples: int, plan: UpdatePlan) -> StepPlan:
    """Reach `min_steps` optimizer steps: less accumulation first, then a smaller batch, then more epochs.

    Of each only as much as is needed, and each with a notice. Warm-up is at most a tenth of the steps.
    Micro-batches run on across the end of an epoch, so steps = ceil(epochs × ceil(samples / batch) / accumulation).
    """
    assert n_samples > 0, "an update needs at least one sample"

    def steps(batch: int, accumulation: int, epochs: int) -> int:
        return ceil(epochs * ceil(n_samples / batch) / accumulation)

    batch, accumulation, epochs = plan.batch_size, plan.gradient_accumulation_steps, plan.epochs
    notices = []
    while accumulation > 1 and steps(batch, accumulation, epochs) < plan.min_steps:
        accumulation -= 1
    if accumulation != plan.gradient_accumulation_steps:
        notices.append(f"gradient_accumulation_steps {plan.gradient_accumulation_steps} → {accumulation}")
    while batch > 1 and steps(batch, accumulation, epochs) < plan.min_steps:
        batch -= 1
    if batch != plan.batch_size:
        notices.append(f"batch_size {plan.batch_size} → {batch}")
    while epochs < plan.max_epochs and steps(batch, accumulation, epochs) < plan.min_steps:
        epochs += 1
    if epochs != plan.epochs:
        notices.append(f"epochs {plan.epochs} → {epochs}")
    total = steps(batch, accumulation, epochs)
    goal = f"to reach min_steps {plan.min_steps} with {n_samples} samples"
    notices = [f"{notice}, {goal}" for notice in notices]
    if total < plan.min_steps:
        notices.append(f"only {total} steps: {n_samples} samples in {epochs} epochs cannot give {plan.min_steps}")
    warmup = min(round(plan.warmup_ratio * total), total // 10)
    return StepPlan(batch, accumulation, epochs, total, warmup, tuple(notices))


def batch_order(lengths: Sequence[int], steps: StepPlan, seed: int) -> list[list[int]]:
    """Micro-batches of sample indices for all epochs: each epoch every sample once, in an order that the seed gives.

    Shuffled first; then every LENGTH_WINDOW batches are sorted by length among themselves and shuffled again, which
    saves most of the padding without making batches of equal samples.
    """
    rng = random.Random(seed)
    batch, order = steps.batch_size, []
    for _ in range(steps.epochs):
        indices = rng.sample(range(len(lengths)), len(lengths))
        epoch = []
        for start in range(0, len(indices), LENGTH_WINDOW * batch):
            window = sorted(indices[start : start + LENGTH_WINDOW * batch], key=lambda i: lengths[i])
            cut = [window[i : i + batch] for i in range(0, len(window), batch)]
            epoch += rng.sample(cut, len(cut))
        order += epoch
    return order
