"""The verifiers of a run: who is free, who died, and what becomes of the samples that the dead one held."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from actors.calls import answer
from actors.cluster import check_code
from actors.verifier import VerifierActor
from haloforge.records import INFRA_ERROR, Prompt, Sample, VerifyResult

log = logging.getLogger("haloforge")

PIPELINED = 2
"""Samples that a verifier holds: one being verified, one waiting, so that it never waits for the driver."""
ATTEMPTS = 3
"""Verifiers that a sample is tried on before its verdict is `infra_error`."""


class VerifierPool:
    """The loop's Judge, on verifier actors spread over the cluster."""

    def __init__(self, count: int, kind: str, arguments: dict[str, Any]) -> None:
        self.slots = count * PIPELINED
        self._kind, self._arguments = kind, arguments
        self._free: asyncio.Queue[int] = asyncio.Queue()
        self._actors = [self._start(slot) for slot in range(count)]
        self._busy: dict[str, float] = defaultdict(float)
        for slot in list(range(count)) * PIPELINED:
            self._free.put_nowait(slot)

    def _start(self, slot: int) -> Any:
        options = {"num_cpus": 1, "scheduling_strategy": "SPREAD", "max_concurrency": 1}
        return ray.remote(VerifierActor).options(**options).remote(self._kind, self._arguments, slot)

    async def start(self) -> list[dict[str, Any]]:
        """Wait until all have come up; returns what each says of itself."""
        described = await asyncio.gather(
            *(answer(a.describe.remote(), f"verifier {i}") for i, a in enumerate(self._actors))
        )
        for i, one in enumerate(described):
            check_code(f"verifier {i}", one)
        return described

    async def judge(self, sample: Sample, prompt: Prompt) -> VerifyResult:
        """A verdict; a fault of ours is tried again on another verifier, then it is `infra_error`."""
        fault = ""
        for _ in range(ATTEMPTS):
            slot = await self._free.get()
            actor = self._actors[slot]
            try:
                call = actor.verify.options(name=f"verify · cycle {sample.cycle}")
                result, seconds = await call.remote(sample, prompt)
                self._busy[f"verifier-{slot}"] += seconds
                if result.status != INFRA_ERROR:
                    return result
                fault = result.error or result.details
            except RayActorError as e:
                fault = f"verifier {slot} died: {e}"
                self._replace(slot, actor)
            except RayTaskError as e:
                fault = f"verifier {slot} failed: {e.cause!r}"
            finally:
                self._free.put_nowait(slot)
            log.warning("verifying %s: %s; trying again", sample.id, fault)
        return VerifyResult(
            success=False, reward=None, status=INFRA_ERROR, error=fault, details="lost to a fault of ours"
        )

    def _replace(self, slot: int, dead: Any) -> None:
        if self._actors[slot] is dead:  # the other sample that it held comes here too
            self._actors[slot] = self._start(slot)

    def busy_seconds(self) -> dict[str, float]:
        return dict(self._busy)

    async def statuses(self) -> list[dict[str, Any]]:
        return await asyncio.gather(*(answer(a.status.remote(), f"verifier {i}") for i, a in enumerate(self._actors)))
