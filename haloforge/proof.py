"""Judge whether the engine serves what was trained: exact tensors, then behaviour. Pure: numbers in, judgement out.

(a) Exact: every tensor of the trainer's file is in the engine, equal in the engine's dtype, and nothing else is.
(b) Behaviour: scores of the same tokens by the engine lie closer to the trainer with the new adapter than to the
    trainer with the previous one, and within the noise between the two programs that was measured before training.
Where the update moved the scores by less than twice that noise, (b) can tell nothing and (a) alone decides.

Not here: reading the engine's buffers (haloforge/generation/served_lora.py) and scoring.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from haloforge.errors import SwapNotProved

NOISE_FACTOR = 1.5
"""(b) holds up to this many times the noise of cycle 0."""
NOISE_FLOOR = 1e-6
"""In nats per token. In float32 the two programs agree to 4e-7, and less than this is rounding, not a measurement."""
SIGNAL_FACTOR = 2.0
"""(b) is asked only where the trainer's own two scores differ by this many times the noise."""

Scores = Sequence[Sequence[float]]
"""Natural log-probabilities at temperature 1, one inner sequence per sample, one number per completion token."""


@dataclass(frozen=True, slots=True)
class ExactReport:
    """What one comparison of the engine's LoRA buffers with the trainer's file found, over all workers.

    Tensors are named as in the file without PEFT's prefix: `model.layers.0.self_attn.q_proj.lora_A`.
    """

    adapter: str
    """Name under which the engine serves the compared adapter."""
    matched: int
    """Tensors of the file that every worker serves, equal in every element."""
    missing: tuple[str, ...] = ()
    """In the file (and not zero), while the engine has no such module or only zeros."""
    differing: tuple[str, ...] = ()
    """In both, with at least one unequal element."""
    extra: tuple[str, ...] = ()
    """Served (not zero) without being in the file."""
    workers: int = 1

    @property
    def ok(self) -> bool:
        return self.matched > 0 and not (self.missing or self.differing or self.extra)


@dataclass(frozen=True, slots=True)
class Proof:
    """A swap that is proved, with the figures that prove it; rms values are in nats per token."""

    exact: ExactReport
    tokens: int
    rms_new: float
    """Engine against the trainer with the new adapter."""
    rms_old: float
    """Engine against the trainer with the previous adapter."""
    rms_update: float
    """Trainer with the new against trainer with the previous adapter: what the training moved."""
    noise: float
    """Engine against trainer at cycle 0, same weights in both, and the rounding of this adapter and of the logits."""
    rounding: float
    decided_by: str
    """exact and behaviour | exact alone, update below noise"""

    def record(self) -> dict[str, Any]:
        """The proof as plain JSON values for raft_statistics.json."""
        return asdict(self) | {"tensors": self.exact.matched}


def rms_difference(a: Scores, b: Scores) -> float:
    """Root mean square of the differences per token; NaN where any score is not finite or there is no token.

    Raises:
        ValueError: the two do not have the same samples or the same number of tokens in one.
    """
    squares = [(x - y) ** 2 for left, right in zip(a, b, strict=True) for x, y in zip(left, right, strict=True)]
    if not squares or not all(map(math.isfinite, squares)):
        return math.nan
    return math.sqrt(math.fsum(squares) / len(squares))


def judge_exact(exact: ExactReport) -> dict[str, Any]:
    """Part (a) alone, for an adapter that nothing was trained before: its record for raft_statistics.json.

    Raises:
        SwapNotProved: which tensors are missing, differ or are too many.
    """
    if not exact.ok:
        raise SwapNotProved(f"swap of {exact.adapter} not proved, part (a) exact: {_what_differs(exact)}")
    return {"exact": asdict(exact), "decided_by": "exact alone, start point", "tensors": exact.matched}


def judge_swap(
    exact: ExactReport,
    engine: Scores,
    trainer_new: Scores,
    trainer_old: Scores,
    noise: float,
    rounding: float = 0.0,
) -> Proof:
    """The proof of one swap.

    Args:
        exact: comparison of the served tensors with the file that the trainer wrote.
        engine, trainer_new, trainer_old: scores of the same tokens, in the same order.
        noise: `rms_difference(engine, trainer)` at cycle 0, where both hold the same weights; at least NOISE_FLOOR
            is assumed.
        rounding: what the engine's dtype can do to these scores: the trainer's own difference between the adapter as
            trained (float32) and rounded, and the rounding of the logits. The noise of cycle 0 need not hold it: no
            adapter is served there, and two programs that round alike agree by chance. They add in squares.

    Raises:
        SwapNotProved: which part failed, with its figures.
        ValueError: the scores are not of the same tokens.
    """
    judge_exact(exact)
    noise = max(math.hypot(noise, rounding), NOISE_FLOOR)
    tokens = sum(map(len, engine))
    rms_new = rms_difference(engine, trainer_new)
    rms_old = rms_difference(engine, trainer_old)
    rms_update = rms_difference(trainer_new, trainer_old)
    figures = (
        f"over {tokens} tokens rms(engine − trainer new) = {rms_new:.3g}, rms(engine − trainer old) = {rms_old:.3g}, "
        f"rms(trainer new − old) = {rms_update:.3g}, noise = {noise:.3g} (of it rounding {rounding:.3g})"
    )
    failed = f"swap of {exact.adapter} not proved, part (b) behaviour"
    if not all(map(math.isfinite, (rms_new, rms_old, rms_update, noise))):
        raise SwapNotProved(f"{failed}: no tokens were scored or a score is not finite; {figures}")
    if rms_update < SIGNAL_FACTOR * noise:
        decided_by = "exact alone, update below noise"
    else:
        decided_by = "exact and behaviour"
        if not rms_new < rms_old:
            raise SwapNotProved(f"{failed}: the engine is closer to the previous adapter; {figures}")
        if rms_new > NOISE_FACTOR * noise:
            raise SwapNotProved(
                f"{failed}: the engine is further from the trainer than {NOISE_FACTOR:g} × the noise; {figures}"
            )
    return Proof(exact, tokens, rms_new, rms_old, rms_update, noise, rounding, decided_by)


def _what_differs(exact: ExactReport) -> str:
    parts = [
        f"{len(names)} {kind} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
        for kind, names in (("missing", exact.missing), ("differing", exact.differing), ("extra", exact.extra))
        if names
    ]
    return f"{exact.matched} tensors equal, " + (", ".join(parts) if parts else "and none to compare")
