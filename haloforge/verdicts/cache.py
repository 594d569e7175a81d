"""Each distinct answer to a task is verified once: in flight, across cycles, after a resume, and by another command.

In memory, filled from the run folder and from the store on disk (verdicts.store) where there is one. A verdict that is
not a property of the program (a wall-clock time-out, `unknown`, `infra_error`) is not remembered.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from haloforge.records import TIMEOUT, UNDECIDED, Prompt, VerifyResult

if TYPE_CHECKING:
    from haloforge.verdicts.store import VerdictStore

Key = tuple[int, str, bool]
"""Number of the task, the answer as given, and whether it is judged as it stands."""


class VerdictCache:
    """Looks up before anything is dispatched; compares whole answers and whole tasks, never their digests alone."""

    def __init__(self, store: VerdictStore | None = None) -> None:
        self._store = store
        self._known: dict[Key, asyncio.Future[VerifyResult] | VerifyResult] = {}
        self._numbers: dict[int, tuple[Prompt, int]] = {}
        self._alike: dict[int, list[tuple[Prompt, int]]] = {}

    def remember(self, answer: str, task: Prompt, result: VerifyResult, as_it_stands: bool = False) -> None:
        """Take over a verdict that the run folder has."""
        if self._lasting(result):
            self._known.setdefault((self._number(task), answer, as_it_stands), result)

    async def judge(
        self, answer: str, task: Prompt, ask: Callable[[], Awaitable[VerifyResult]], as_it_stands: bool = False
    ) -> VerifyResult:
        """The verdict, from memory or disk where there is one, else from `ask`; an answer like one in flight waits."""
        key = (self._number(task), answer, as_it_stands)
        known = self._known.get(key)
        if isinstance(known, asyncio.Future):
            known = await asyncio.shield(known)
            if not self._lasting(known):
                return await ask()
        elif known is None and self._store is not None:
            known = self._store.find(answer, as_it_stands, task)
            if known is not None:
                self._known[key] = known
        if known is not None:
            return dataclasses.replace(known, cached=True)
        self._known[key] = awaited = asyncio.get_running_loop().create_future()
        try:
            result = await ask()
        except BaseException as e:
            del self._known[key]
            awaited.set_exception(e) if isinstance(e, Exception) else awaited.cancel()
            if not awaited.cancelled():
                awaited.exception()  # whoever waits sees it; without a waiter it is ours alone
            raise
        awaited.set_result(result)
        if self._lasting(result):
            self._known[key] = result
            # A limit that was measured (by a reference solution) is in no key.
            if self._store is not None and not self._measured_limit_hit(result):
                self._store.add(answer, as_it_stands, task, result)
        else:
            del self._known[key]
        return result

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def _number(self, task: Prompt) -> int:
        """The same for tasks with the same checks, whatever they are called."""
        known = self._numbers.get(id(task))
        if known is None:
            plain = dataclasses.replace(task, id="", metadata={})
            alike = self._alike.setdefault(_digest(plain), [])
            number = next((n for other, n in alike if other == plain), None)
            if number is None:
                number = len(self._numbers)
                alike.append((plain, number))
            known = self._numbers[id(task)] = (task, number)  # holding it, so that nothing else gets its address
        return known[1]

    @staticmethod
    def _measured_limit_hit(result: VerifyResult) -> bool:
        hit = result.status == TIMEOUT or "timeout_s" in result.metadata
        return hit and "cpu_limit" in result.metadata

    @staticmethod
    def _lasting(result: VerifyResult) -> bool:
        return result.status not in UNDECIDED and result.metadata.get("ended_by") != "wall_limit"


def verdict_cache(
    kind: str, arguments: Mapping[str, Any], machines: Iterable[Mapping[str, Any] | None], on_disk: bool
) -> VerdictCache:
    """The cache of one command: with `on_disk` also that of every other one; see `store.circumstances`."""
    if not on_disk:
        return VerdictCache()
    from haloforge.verdicts import store

    decided_by = store.circumstances(kind, arguments, machines)
    return VerdictCache(store.VerdictStore(decided_by) if decided_by else None)


def _digest(task: Prompt) -> int:
    return hash((task.text, task.tests, task.cases))
