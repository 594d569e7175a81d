"""The generator: one vLLM engine in a Ray actor, and the driver's handle to it."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray

from actors.calls import answer, call_name, describe_process, gpus_here
from actors.cluster import check_code
from actors.folders import Arriving, Piece, push
from haloforge import leash
from haloforge.generation.engine import VllmEngine
from haloforge.generation.settings import EngineSettings
from haloforge.metrics import BusyClock
from haloforge.records import Sample, SampleRequest, TrainingExample

NAME = "generator-0"


class GeneratorActor:
    """Owns an engine and the adapters it serves, in memory-backed scratch of its node; knows no rewards."""

    def __init__(self, settings: EngineSettings, leash_name: str) -> None:
        memory = Path("/dev/shm")
        self._scratch = Path(tempfile.mkdtemp(prefix="haloforge-adapters-", dir=memory if memory.is_dir() else None))
        self._sockets = Path(tempfile.mkdtemp(prefix="haloforge-generator-"))
        # The engine's processes stay behind when this one is killed, so something must end them.
        leash.hold(leash_name, folders=(str(self._scratch), str(self._sockets)))
        # Pinned, so that compilers on the other cores do not push its threads about.
        cores = tuple(sorted(os.sched_getaffinity(0)))[: settings.threads]
        self._engine = VllmEngine(replace(settings, cores=cores, scratch_dir=str(self._sockets)))
        self._arriving: Arriving | None = None
        self._drawn = self._tokens = self._running = 0
        self._clock = BusyClock()
        self._doing = "start engine"

    def __repr__(self) -> str:
        return NAME

    async def start(self) -> dict[str, Any]:
        await self._engine.start()
        self._doing = "idle"
        return describe_process()

    async def sample(self, request: SampleRequest) -> Sample:
        self._running += 1
        self._doing = call_name("generate", request.id, request.cycle)
        try:
            with self._clock:
                sample = await self._engine.sample(request)
        finally:
            self._running -= 1
            if not self._running:
                self._doing = "idle"
        self._drawn += 1
        self._tokens += len(sample.token_ids)
        return sample

    async def score(self, sequences: Sequence[TrainingExample]) -> list[tuple[float, ...]]:
        return await self._engine.score(sequences)

    async def expect_adapter(self, cycle: int) -> None:
        self._arriving = Arriving(self._scratch / f"cycle_{cycle}")

    async def receive(self, piece: Piece) -> None:
        assert self._arriving is not None
        self._arriving.add(piece)

    async def load_adapter(self, cycle: int) -> str:
        assert self._arriving is not None
        folder = self._arriving.finish()
        await self._engine.load_adapter(folder, cycle)
        return str(folder)

    async def inspect_adapter(self) -> Any:
        return await self._engine.inspect_adapter()

    async def drop_previous(self) -> None:
        await self._engine.drop_previous()
        for folder in self._scratch.iterdir():
            if self._arriving is None or folder != self._arriving.target:
                shutil.rmtree(folder, ignore_errors=True)

    async def status(self) -> dict[str, Any]:
        """What it is doing now; rates over the time in which requests ran."""
        seconds = self._clock.seconds
        return {
            "doing": self._doing,
            "healthy": await self._engine.healthy(),
            "running": self._running,
            "drawn": self._drawn,
            "tokens": self._tokens,
            "tokens_per_s": self._tokens / seconds if seconds else None,
            "gpus": await asyncio.to_thread(gpus_here),
        }

    async def close(self) -> None:
        await self._engine.close()
        for folder in (self._scratch, self._sockets):
            shutil.rmtree(folder, ignore_errors=True)


class RaySampler:
    """The loop's Sampler, in a generator actor."""

    def __init__(self, settings: EngineSettings, threads: int, place: dict[str, Any], env: Mapping[str, str]) -> None:
        """place: Ray's options for node and GPUs. env: variables that are set before torch is loaded."""
        name = leash.token()
        options = {
            **place,
            "name": NAME,
            "num_cpus": threads,
            "max_concurrency": 10_000,  # one call per request in flight; the driver bounds them
            "runtime_env": {"env_vars": {"OMP_NUM_THREADS": str(threads), **env, name: "1"}},
        }
        self._actor = ray.remote(GeneratorActor).options(**options).remote(settings, name)
        self._cycle = 0

    async def start(self) -> dict[str, Any]:
        described = await answer(self._actor.start.options(name="start engine").remote(), NAME)
        check_code(NAME, described)
        return described

    async def sample(self, request: SampleRequest) -> Sample:
        call = self._actor.sample.options(name=call_name("generate", request.id, request.cycle))
        return await answer(call.remote(request), NAME)

    async def score(self, sequences: Sequence[TrainingExample]) -> list[tuple[float, ...]]:
        return await answer(self._actor.score.options(name=f"score · cycle {self._cycle}").remote(sequences), NAME)

    async def load_adapter(self, folder: Path, cycle: int) -> None:
        self._cycle = cycle
        carry = f"send adapter · cycle {cycle}"
        await answer(self._actor.expect_adapter.options(name=carry).remote(cycle), NAME)
        await push(
            folder,
            lambda piece: answer(self._actor.receive.options(name=carry).remote(piece), NAME),
            lambda: answer(self._actor.load_adapter.options(name=f"swap · cycle {cycle}").remote(cycle), NAME),
        )

    async def inspect_adapter(self) -> Any:
        return await answer(
            self._actor.inspect_adapter.options(name=f"prove swap · cycle {self._cycle}").remote(), NAME
        )

    async def drop_previous(self) -> None:
        await answer(self._actor.drop_previous.options(name=f"drop adapter · cycle {self._cycle}").remote(), NAME)

    async def status(self) -> dict[str, Any]:
        return await answer(self._actor.status.options(name="status").remote(), NAME)

    async def close(self) -> None:
        await answer(self._actor.close.options(name="close").remote(), NAME)
