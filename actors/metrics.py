"""The run's figures as Ray metrics, for Prometheus; every name begins with haloforge_ (docs/WATCHING.md).

Emitted by the driver, which knows them all; the GPUs' figures come from the status of the actors that use them.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Counts
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ray.util.metrics import Counter, Gauge

from haloforge.watching.stages import Progress, Stage

ASK_EVERY_S = 10.0
"""How often the driver asks the actors for their GPUs' use and memory."""

COUNTERS = {
    "samples": "Samples drawn",
    "tokens": "Tokens drawn",
    "verdicts": "Verdicts, by status",
    "steps": "Optimizer steps",
}
GAUGES = {
    "cycle": "The cycle that goes on",
    "in_flight": "Requests that run in the engine",
    "waiting": "Finished samples that have no verdict yet",
    "tokens_per_s": "Tokens drawn per second, since the stage began",
    "stage_seconds": "Seconds that a stage has taken, the one that goes on included",
    "train_loss": "Loss per completion token of the last optimizer steps, in nats",
    "kept": "Samples that the last cycle was trained on",
    "pass_rate": "Share of the last cycle's verified samples that solve their prompt",
    "gpu_busy": "Share of the last moment in which a GPU of the actor's node computed",
    "gpu_memory_bytes": "Memory in use on a GPU of the actor's node, by all processes",
}
TAGS = {
    "samples": ("stage",),
    "tokens": ("stage",),
    "verdicts": ("stage", "status"),
    "stage_seconds": ("stage",),
    "gpu_busy": ("actor", "gpu"),
    "gpu_memory_bytes": ("actor", "gpu"),
}
"""Besides `run`, which all have."""


class RayMetrics(Progress):
    """The loop's Progress, told to the metrics agent of the driver's node."""

    def __init__(self, run: str) -> None:
        def made(kind: Any, name: str, description: str) -> Any:
            metric = kind(f"haloforge_{name}", description, tag_keys=("run", *TAGS.get(name, ())))
            metric.set_default_tags({"run": run})
            return metric

        self._counters = {name: made(Counter, name, text) for name, text in COUNTERS.items()}
        self._gauges = {name: made(Gauge, name, text) for name, text in GAUGES.items()}
        self._stage: Stage | None = None
        self._told: Counts[tuple[str, str]] = Counts()

    def begin(self, stage: Stage) -> None:
        self._stage = stage
        self._told = counted(stage)  # what was in the run folder was told by the driver that made it
        self.tick()

    def tick(self) -> None:
        stage = self._stage
        if stage is None:
            return
        now = counted(stage)
        for (name, status), more in (now - self._told).items():
            tags = {"stage": stage.name, "status": status}
            self._counters[name].inc(more, {tag: tags[tag] for tag in TAGS.get(name, ())})
        self._told = now
        if stage.cycle is not None:
            self._gauges["cycle"].set(stage.cycle)
        self._gauges["in_flight"].set(stage.in_flight)
        self._gauges["waiting"].set(stage.waiting)
        self._gauges["tokens_per_s"].set(stage.record()["tokens_per_s"] or 0.0)
        self._gauges["stage_seconds"].set(stage.seconds, {"stage": stage.name})
        if stage.loss is not None:
            self._gauges["train_loss"].set(stage.loss)

    def end(self, stage: Stage) -> None:
        self.tick()
        self._stage = None

    def cycle(self, entry: Mapping[str, Any]) -> None:
        for name in ("kept", "pass_rate"):
            if entry.get(name) is not None:
                self._gauges[name].set(entry[name])

    def gpus(self, actor: str, status: Mapping[str, Any]) -> None:
        """Take over the GPUs of an actor's node from its status()."""
        for n, gpu in enumerate(status.get("gpus", ())):
            tags = {"actor": actor, "gpu": str(n)}
            self._gauges["gpu_memory_bytes"].set(gpu["used_bytes"], tags)
            if gpu["busy"] is not None:
                self._gauges["gpu_busy"].set(gpu["busy"], tags)


def counted(stage: Stage) -> Counts[tuple[str, str]]:
    """What a stage has counted so far, by counter and status."""
    counts = Counts({("verdicts", status): n for status, n in stage.statuses.items()})
    counts[("samples", "")] = stage.drawn
    counts[("tokens", "")] = stage.tokens
    counts[("steps", "")] = stage.done if stage.unit == "steps" else 0
    return counts


@asynccontextmanager
async def gpus_watched(
    metrics: RayMetrics, actors: Mapping[str, Callable[[], Awaitable[Mapping[str, Any]]]]
) -> AsyncIterator[None]:
    """While the block runs, ask actors for their status now and then; those on a node without a GPU are asked once."""

    async def watch(name: str) -> None:
        while (status := await actors[name]()).get("gpus"):
            metrics.gpus(name, status)
            await asyncio.sleep(ASK_EVERY_S)

    tasks = [asyncio.create_task(watch(name)) for name in actors]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # an actor that is gone is told by who works with it
