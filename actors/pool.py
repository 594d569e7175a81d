"""The verifiers of a run: who is free, who died, and what becomes of the samples that the dead one held."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import ray
from ray.exceptions import ActorUnschedulableError, RayActorError, RayTaskError

from actors.calls import WATCHING, answer, call_name
from actors.cluster import Node, check_code, is_alive, on_node
from actors.verifier import VerifierActor
from haloforge.errors import RunStopped
from haloforge.records import INFRA_ERROR, Prompt, Sample, VerifyResult
from haloforge.tasks.answers import Answer
from haloforge.verifiers.custom import carried

log = logging.getLogger("haloforge")

PIPELINED = 2
"""Samples that a verifier holds: one being verified, one waiting, so that it never waits for the driver."""
ATTEMPTS = 3
"""Verifiers that a sample is tried on before its verdict is `infra_error`."""


class VerifierPool:
    """The loop's Judge, on verifier actors spread over the cluster."""

    def __init__(self, places: Sequence[Node], kind: str, arguments: dict[str, Any]) -> None:
        """One verifier per entry of `places`, on that node."""
        self.slots = len(places) * PIPELINED
        self._kind, self._arguments, self._places = kind, arguments, places
        self._code = carried(kind, arguments)
        self._names = [f"verifier@{node.ip}-{n}" for n, node in enumerate(places)]
        self._lives = [0] * len(places)
        self._actors = [self._start(n) for n in range(len(places))]
        self._gone: set[int] = set()
        self._busy = dict.fromkeys(self._names, 0.0)
        self._free: asyncio.Queue[int] = asyncio.Queue()
        for n in list(range(len(places))) * PIPELINED:
            self._free.put_nowait(n)

    def _start(self, n: int) -> Any:
        # A name stays taken until Ray has seen its holder's end, so a replacement gets one of its own.
        name = self._names[n] + (f"-{self._lives[n]}" if self._lives[n] else "")
        self._lives[n] += 1
        options = {**on_node(self._places[n]), "name": name, "num_cpus": 1, "max_concurrency": 1}
        watched = ray.remote(concurrency_groups={WATCHING: 1})(VerifierActor)
        return watched.options(**options).remote(self._kind, self._arguments, n, name, self._code)

    async def start(self) -> list[dict[str, Any]]:
        """Wait until all have come up; returns what each says of itself."""
        described = await asyncio.gather(
            *(
                answer(a.describe.options(name="start verifier").remote(), n)
                for a, n in zip(self._actors, self._names, strict=True)
            )
        )
        for name, one in zip(self._names, described, strict=True):
            check_code(name, one)
        return described

    async def judge(self, sample: Sample, prompt: Prompt) -> VerifyResult:
        """A verdict; a fault of ours is tried again on another verifier, then it is `infra_error`."""
        return await self._judge(call_name("verify", sample.id, sample.cycle), sample.id, sample.text, prompt, False)

    async def judge_answer(self, answer: Answer) -> VerifyResult:
        """The same for an answer that no run has drawn."""
        return await self._judge("verify", answer.id, answer.text, answer.task, answer.as_it_stands)

    async def _judge(self, call: str, id: str, text: str, task: Prompt, as_it_stands: bool) -> VerifyResult:
        fault = ""
        for _ in range(ATTEMPTS):
            n = await self._next_free()
            actor, name = self._actors[n], self._names[n]
            try:
                result, seconds = await actor.verify.options(name=call).remote(id, text, task, as_it_stands)
                self._busy[name] += seconds
                if result.status != INFRA_ERROR:
                    return result
                fault = result.error or result.details
            except (RayActorError, ActorUnschedulableError) as e:
                fault = f"{name} died: {e}"
                self._replace(n, actor)
            except RayTaskError as e:
                fault = f"{name} failed: {e.cause!r}"
            finally:
                self._free.put_nowait(n)
            log.warning("verifying %s: %s; trying again", id, fault)
        return VerifyResult(
            success=False, reward=None, status=INFRA_ERROR, error=fault, details="lost to a fault of ours"
        )

    async def _next_free(self) -> int:
        while (n := await self._free.get()) in self._gone:
            pass
        return n

    def _replace(self, n: int, dead: Any) -> None:
        """A new verifier in place of a dead one; where its whole node is gone, the others go on without it.

        Raises RunStopped where none is left.
        """
        if self._actors[n] is not dead or n in self._gone:  # the other sample that it held comes here too
            return
        node = self._places[n]
        if is_alive(node):
            self._actors[n] = self._start(n)
            return
        self._gone |= {i for i, place in enumerate(self._places) if place.id == node.id}
        left = len(self._places) - len(self._gone)
        if not left:
            raise RunStopped(f"node {node} is gone and no verifier is left; mend it and run the same command again")
        log.warning("node %s is gone, and its verifiers with it; %d go on", node, left)

    def busy_seconds(self) -> dict[str, float]:
        return dict(self._busy)
