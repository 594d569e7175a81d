"""What the loop is played with: a sampler, a judge, a learner, and the run that holds them together.

Protocols only; actors/ implements them with Ray, the unit tests with lists.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from haloforge.config import RaftConfig
from haloforge.ledger import RunFolder
from haloforge.proof import ExactReport
from haloforge.records import Prompt, Sample, SampleRequest, TrainingExample, VerifyResult
from haloforge.verdicts.cache import VerdictCache
from haloforge.watching.stages import Progress, Stage

log = logging.getLogger("haloforge")

REPORT = "update_report.json"
"""In an adapter's folder: what its update did."""


class Sampler(Protocol):
    """Draws samples from the served model (the start point, or the adapter last loaded)."""

    async def sample(self, request: SampleRequest) -> Sample: ...
    async def score(self, sequences: Sequence[TrainingExample]) -> list[tuple[float, ...]]: ...
    async def load_adapter(self, folder: Path, cycle: int) -> None: ...
    async def inspect_adapter(self) -> ExactReport: ...
    async def drop_previous(self) -> None: ...


class Judge(Protocol):
    """Verifies samples, several at once."""

    slots: int

    async def judge(self, sample: Sample, prompt: Prompt) -> VerifyResult: ...
    def busy_seconds(self) -> dict[str, float]: ...


class Learner(Protocol):
    """Trains the adapter; holds the current and the previous one. An update's folder carries its report."""

    async def restore(self, current: Path | None, previous: Path | None) -> None: ...
    async def update(
        self,
        examples: Sequence[TrainingExample],
        learning_rate: float,
        seed: int,
        cycle: int,
        into: Path,
        on_log: Callable[[Mapping[str, float]], None],
    ) -> None: ...
    async def score(
        self, sequences: Sequence[TrainingExample], adapter: Literal["current", "served", "previous"]
    ) -> Scores: ...


class Scores(Protocol):
    @property
    def logprobs(self) -> Sequence[tuple[float, ...]]: ...
    @property
    def entropy(self) -> float: ...
    @property
    def rounding(self) -> float: ...


@dataclass
class Run:
    """One run: what it is made of, and where it writes."""

    config: RaftConfig
    folder: RunFolder
    prompts: Mapping[str, Prompt]
    held_out: Mapping[str, Mapping[str, Prompt]]
    sampler: Sampler
    judge: Judge
    learner: Learner
    start_adapter: Path | None = None
    control_of: Path | None = None
    """The run folder that this run is the control of (`selection: uniform`)."""
    cache: VerdictCache = field(default_factory=VerdictCache)
    progress: Progress = field(default_factory=Progress)

    def stage(self, name: str, cycle: int, **counts: Any) -> Stage:
        return Stage(name, cycle, self.config.raft.num_cycles, **counts)

    def adapter(self, cycle: int) -> Path | None:
        """The adapter that cycle `cycle` ended with; cycle 0: the one that the run starts from, or None."""
        return self.start_adapter if cycle == 0 else self.folder.final(cycle)
