"""Each distinct answer to a prompt is verified once: in flight, across cycles, and after a resume.

In memory, filled from the run folder. A verdict that is not a property of the program (a wall-clock
time-out, `unknown`, `infra_error`) is not remembered.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

from haloforge.records import UNDECIDED, Prompt, Sample, VerifyResult

Judging = Callable[[Sample, Prompt], Awaitable[VerifyResult]]


class VerdictCache:
    """Looks up before anything is dispatched; the key is the whole (prompt id, answer), never a digest of it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], asyncio.Future[VerifyResult] | VerifyResult] = {}

    def remember(self, sample: Sample, result: VerifyResult) -> None:
        if self._lasting(result):
            self._known.setdefault((sample.prompt_id, sample.text), result)

    async def judge(self, sample: Sample, prompt: Prompt, ask: Judging) -> VerifyResult:
        """The verdict, from memory where there is one, else from `ask`; a sample like one in flight waits for it."""
        key = (sample.prompt_id, sample.text)
        known = self._known.get(key)
        if isinstance(known, asyncio.Future):
            known = await asyncio.shield(known)
            if not self._lasting(known):
                return await ask(sample, prompt)
        if known is not None:
            return dataclasses.replace(known, cached=True)
        self._known[key] = answer = asyncio.get_running_loop().create_future()
        try:
            result = await ask(sample, prompt)
        except BaseException as e:
            del self._known[key]
            answer.set_exception(e) if isinstance(e, Exception) else answer.cancel()
            if not answer.cancelled():
                answer.exception()  # whoever waits sees it; without a waiter it is ours alone
            raise
        answer.set_result(result)
        if self._lasting(result):
            self._known[key] = result
        else:
            del self._known[key]
        return result

    @staticmethod
    def _lasting(result: VerifyResult) -> bool:
        return result.status not in UNDECIDED and result.metadata.get("ended_by") != "wall_limit"
