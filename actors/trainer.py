"""The trainer: base and adapter in the memory of a Ray actor, and the driver's handle to it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import ray

from actors.calls import answer, describe_process
from actors.cluster import check_code
from actors.folders import Arriving, Piece, pull, push, read_folder
from haloforge.loop import REPORT
from haloforge.records import TrainingExample
from haloforge.training.learner import Learner, LearnerSettings, Scores
from haloforge.training.plan import UpdatePlan

NAME = "trainer-0"


class TrainerActor:
    """Owns a Learner and node-local scratch; what it trains on is decided by the driver."""

    def __init__(self, settings: LearnerSettings) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="haloforge-trainer-"))
        self._learner = Learner(settings)
        self._arriving: Arriving | None = None
        self._updates = 0

    def describe(self) -> dict[str, Any]:
        return describe_process()

    def expect_folder(self, name: str) -> None:
        self._arriving = Arriving(self._scratch / name)

    def receive(self, piece: Piece) -> None:
        assert self._arriving is not None
        self._arriving.add(piece)

    def finish_folder(self) -> str:
        assert self._arriving is not None
        return str(self._arriving.finish())

    def restore(self, current: str | None, previous: str | None) -> None:
        self._learner.start_adapter(Path(previous) if previous else None)
        self._learner.start_adapter(Path(current) if current else None)

    def update(self, examples: Sequence[TrainingExample], plan: UpdatePlan) -> str:
        """Train and leave the adapter with its report in scratch; returns the folder's path."""
        out = self._scratch / "update"
        report = self._learner.update(examples, plan, out, lambda row: None)
        (out / REPORT).write_text(json.dumps(asdict(report)), encoding="utf-8")
        self._updates += 1
        return str(out)

    def read_folder(self, folder: str) -> Iterator[Piece]:
        yield from read_folder(Path(folder))

    def score(self, sequences: Sequence[TrainingExample], adapter: str) -> Scores:
        return self._learner.score(sequences, adapter)

    def status(self) -> dict[str, Any]:
        return {"updates": self._updates}

    def close(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)


class RayLearner:
    """The loop's Learner, in a trainer actor. It takes no CPU of its own: it works while the generator rests."""

    def __init__(self, settings: LearnerSettings, plan: UpdatePlan) -> None:
        self._plan = plan
        options = {"name": NAME, "num_cpus": 0, "runtime_env": {"env_vars": {"OMP_NUM_THREADS": str(settings.threads)}}}
        self._actor = ray.remote(TrainerActor).options(**options).remote(settings)

    async def start(self) -> dict[str, Any]:
        described = await answer(self._actor.describe.options(name="load model").remote(), NAME)
        check_code(NAME, described)
        return described

    async def restore(self, current: Path | None, previous: Path | None) -> None:
        there = [await self._send(folder, name) for folder, name in ((current, "current"), (previous, "previous"))]
        await answer(self._actor.restore.remote(*there), NAME)

    async def _send(self, folder: Path | None, name: str) -> str | None:
        if folder is None:
            return None
        await answer(self._actor.expect_folder.remote(name), NAME)
        return await push(
            folder,
            lambda piece: answer(self._actor.receive.remote(piece), NAME),
            lambda: answer(self._actor.finish_folder.remote(), NAME),
        )

    async def update(
        self, examples: Sequence[TrainingExample], learning_rate: float, seed: int, cycle: int, into: Path
    ) -> None:
        plan = replace(self._plan, learning_rate=learning_rate, seed=seed)
        call = self._actor.update.options(name=f"train · cycle {cycle}").remote(examples, plan)
        folder = await answer(call, NAME)
        await pull(self._actor.read_folder.options(num_returns="streaming").remote(folder), into)

    async def score(self, sequences: Sequence[TrainingExample], adapter: str) -> Scores:
        return await answer(self._actor.score.options(name="score").remote(sequences, adapter), NAME)

    async def close(self) -> None:
        await answer(self._actor.close.remote(), NAME)
