"""The trainer: base and adapter in the memory of a Ray actor, and the driver's handle to it."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import ray

from actors.calls import answer, describe_process
from actors.cluster import check_code
from actors.folders import Arriving, Piece, pull, push, read_folder
from haloforge import leash
from haloforge.loop import REPORT
from haloforge.records import TrainingExample
from haloforge.training.learner import Learner, LearnerSettings, LogRow, Scores
from haloforge.training.plan import UpdatePlan
from haloforge.training.sft import SftJob, SftReport

NAME = "trainer-0"
LOG_INTERVAL_S = 2.0


class TrainerActor:
    """Owns a Learner and node-local scratch; what it trains on is decided by the driver."""

    def __init__(self, settings: LearnerSettings) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="haloforge-trainer-"))
        leash.hold(leash.token(), folders=(str(self._scratch),))
        self._settings = settings
        self._arriving: Arriving | None = None
        self._updates = 0

    def start(self) -> dict[str, Any]:
        """Load the model; what goes wrong here reaches the driver as itself, unlike an error of a constructor."""
        self._learner = Learner(self._settings)
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
        self._learner.restore(current, previous)

    def update(self, examples: Sequence[TrainingExample], plan: UpdatePlan) -> str:
        """Train, or with no examples leave the adapter as it is; returns the folder, with its report inside."""
        out = self._scratch / "update"
        report: dict[str, Any] = {"trained": bool(examples), "optimizer_steps": 0}
        if examples:
            report |= asdict(self._learner.update(examples, plan, out))
        else:
            self._learner.save(out)
        (out / REPORT).write_text(json.dumps(report), encoding="utf-8")
        self._updates += 1
        return str(out)

    def read_folder(self, folder: str) -> Iterator[Piece]:
        yield from read_folder(Path(folder))

    def score(self, sequences: Sequence[TrainingExample], adapter: Literal["current", "served", "previous"]) -> Scores:
        return self._learner.score(sequences, adapter)

    def status(self) -> dict[str, Any]:
        return {"updates": self._updates}

    def close(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)


class SftActor:
    """Runs one SFT in a process of its own; its log can be read while it runs."""

    def __init__(self) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="haloforge-sft-"))
        leash.hold(leash.token(), folders=(str(self._scratch),))
        self._log: list[LogRow] = []

    def train(self, job: SftJob) -> SftReport:
        return job.run(self._scratch, self._log.append)

    def log(self, start: int) -> list[LogRow]:
        """Log rows from `start` on."""
        return self._log[start:]

    def status(self) -> dict[str, Any]:
        return {"rows": len(self._log), "last": self._log[-1] if self._log else None}

    def read_folder(self, folder: str) -> Iterator[Piece]:
        yield from read_folder(Path(folder))

    def close(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)


def _environment(settings: LearnerSettings, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    # Threads that wait by spinning take the cores from whoever has work; must be set before torch is loaded.
    variables = {"OMP_WAIT_POLICY": "PASSIVE"}
    if settings.threads:
        variables["OMP_NUM_THREADS"] = str(settings.threads)
    return {"env_vars": {**variables, **(env or {})}}


async def train_in_actor(job: SftJob, into: Path, on_log: Callable[[LogRow], None]) -> SftReport:
    """Run an SFT on a node of the cluster and bring its model to `into`; log rows arrive while it runs."""
    name = "sft-0"
    options = {"name": name, "num_cpus": 0, "max_concurrency": 2, "runtime_env": _environment(job.settings)}
    actor = ray.remote(SftActor).options(**options).remote()
    training = asyncio.ensure_future(answer(actor.train.options(name="sft").remote(job), name))
    seen = 0
    while True:
        done, _ = await asyncio.wait([training], timeout=LOG_INTERVAL_S)
        for row in await answer(actor.log.remote(seen), name):
            seen += 1
            on_log(row)
        if done:
            break
    report: SftReport = training.result()
    await pull(actor.read_folder.options(num_returns="streaming").remote(report.model_dir), into)
    await answer(actor.close.remote(), name)
    ray.kill(actor)
    return report


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
            "runtime_env": _environment(settings, env),
        }
        self._actor = ray.remote(TrainerActor).options(**options).remote(settings)

    async def start(self) -> dict[str, Any]:
        described = await answer(self._actor.start.options(name="load model").remote(), NAME)
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

    async def score(
        self, sequences: Sequence[TrainingExample], adapter: Literal["current", "served", "previous"]
    ) -> Scores:
        return await answer(self._actor.score.options(name="score").remote(sequences, adapter), NAME)

    async def close(self) -> None:
        await answer(self._actor.close.remote(), NAME)
