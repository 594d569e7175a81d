"""The trainer: base and adapter in the memory of a Ray actor, and the driver's handle to it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import ray

from actors.calls import WATCHING, answer, describe_process, gpus_here
from actors.cluster import check_code
from actors.folders import Piece, Receiver, pull, read_folder, send
from actors.sft import environment
from haloforge.loop import REPORT
from haloforge.records import TrainingExample
from haloforge.training.learner import Learner, LearnerSettings, LogRow, Scores
from haloforge.training.plan import UpdatePlan, plan_steps

NAME = "trainer-0"
LOG_INTERVAL_S = 1.0

T = TypeVar("T")


class TrainerActor(Receiver):
    """Owns a Learner and node-local scratch; what it trains on is decided by the driver."""

    def __init__(self, settings: LearnerSettings) -> None:
        super().__init__("haloforge-trainer-")
        self._settings = settings
        self._updates = 0
        self._doing = "idle"
        self._log: list[LogRow] = []

    def __repr__(self) -> str:
        return NAME

    def start(self) -> dict[str, Any]:
        """Load the model; what goes wrong here reaches the driver as itself, unlike an error of a constructor."""
        self._learner = Learner(self._settings)
        return describe_process()

    def restore(self, current: str | None, previous: str | None) -> None:
        self._learner.restore(current, previous)

    def update(self, examples: Sequence[TrainingExample], plan: UpdatePlan, cycle: int) -> str:
        """Train, or with no examples leave the adapter as it is; returns the folder, with its report inside."""
        out = self._scratch / "update"
        self._log = []
        report: dict[str, Any] = {"trained": bool(examples), "optimizer_steps": 0}
        with self._at(f"train · cycle {cycle}"):
            if examples:
                report |= asdict(self._learner.update(examples, plan, out, self._log.append))
            else:
                self._learner.save(out)
        report["log"] = self._log
        (out / REPORT).write_text(json.dumps(report), encoding="utf-8")
        self._updates += 1
        return str(out)

    def read_folder(self, folder: str) -> Iterator[Piece]:
        yield from read_folder(Path(folder))

    def score(self, sequences: Sequence[TrainingExample], adapter: Literal["current", "served", "previous"]) -> Scores:
        with self._at(f"score {len(sequences)} sequences"):
            return self._learner.score(sequences, adapter)

    @contextmanager
    def _at(self, doing: str) -> Iterator[None]:
        self._doing = doing
        try:
            yield
        finally:
            self._doing = "idle"

    @ray.method(concurrency_group=WATCHING)
    def log(self, start: int) -> list[LogRow]:
        """Log rows of the update that goes on or was the last, from `start` on."""
        return self._log[start:]

    @ray.method(concurrency_group=WATCHING)
    def status(self) -> dict[str, Any]:
        """What it is doing now."""
        last = self._log[-1] if self._log else None
        return {"doing": self._doing, "updates": self._updates, "last": last, "gpus": gpus_here()}

    def close(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)


async def _followed(training: Awaitable[T], actor: Any, name: str, on_log: Callable[[LogRow], None]) -> T:
    """The answer to a call that trains; its log rows are handed on while it runs, all before it is answered."""
    going = asyncio.ensure_future(training)
    seen = 0
    while True:
        done, _ = await asyncio.wait([going], timeout=LOG_INTERVAL_S)
        for row in await answer(actor.log.options(name="read log").remote(seen), name):
            seen += 1
            on_log(row)
        if done:
            return going.result()


class RayLearner:
    """The loop's Learner, in a trainer actor. It takes no CPU of its own: it works while the generator rests."""

    def __init__(
        self, settings: LearnerSettings, plan: UpdatePlan, place: dict[str, Any], env: Mapping[str, str]
    ) -> None:
        """place: Ray's options for node and GPUs. env: variables that are set before torch is loaded."""
        self._plan = plan
        options = {
            **place,
            "name": NAME,
            "num_cpus": 0,
            "runtime_env": environment(settings, env),
        }
        watched = ray.remote(concurrency_groups={WATCHING: 1})(TrainerActor)
        self._actor = watched.options(**options).remote(settings)
        self._cycle = 0

    async def start(self) -> dict[str, Any]:
        described = await answer(self._actor.start.options(name="load model").remote(), NAME)
        check_code(NAME, described)
        return described

    async def restore(self, current: Path | None, previous: Path | None) -> None:
        there = [
            await send(folder, self._actor, NAME, name) if folder else None
            for folder, name in ((current, "current adapter"), (previous, "previous adapter"))
        ]
        await answer(self._actor.restore.options(name="restore adapters").remote(*there), NAME)

    async def update(
        self,
        examples: Sequence[TrainingExample],
        learning_rate: float,
        seed: int,
        cycle: int,
        into: Path,
        on_log: Callable[[Mapping[str, float]], None],
    ) -> None:
        """Rows handed to on_log also have `steps`, all that there will be."""
        plan = replace(self._plan, learning_rate=learning_rate, seed=seed)
        steps = plan_steps(len(examples), plan).steps if examples else 0
        self._cycle = cycle
        call = self._actor.update.options(name=f"train · cycle {cycle}").remote(examples, plan, cycle)
        folder = await _followed(answer(call, NAME), self._actor, NAME, lambda row: on_log({**row, "steps": steps}))
        fetch = self._actor.read_folder.options(num_returns="streaming", name=f"fetch adapter · cycle {cycle}")
        await pull(fetch.remote(folder), into)

    async def score(
        self, sequences: Sequence[TrainingExample], adapter: Literal["current", "served", "previous"]
    ) -> Scores:
        call = self._actor.score.options(name=f"score · cycle {self._cycle}")
        return await answer(call.remote(sequences, adapter), NAME)

    async def status(self) -> dict[str, Any]:
        return await answer(self._actor.status.options(name="status").remote(), NAME)

    async def close(self) -> None:
        await answer(self._actor.close.options(name="close").remote(), NAME)
