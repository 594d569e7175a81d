"""Verify answers: each once, as many at a time as the judge takes, each verdict handed on as it arrives.

In one process with threads here; with actors on a cluster it is the same loop (actors.verifying). Not here: files
and terminals (verdicts.rows, verify_cli).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from haloforge.errors import HaloforgeError, RunStopped
from haloforge.records import INFRA_ERROR, VerifyResult
from haloforge.tasks.answers import Answer
from haloforge.verdicts.cache import VerdictCache
from haloforge.verifiers import Verifier, verdict
from haloforge.watching.stages import Stage

log = logging.getLogger("haloforge")

FAULTS = 10
"""So many verdicts may be lost to faults of ours whatever their share is."""
FAULT_SHARE = 0.1


class AnswerJudge(Protocol):
    slots: int
    """Answers that it judges at the same time."""

    async def judge_answer(self, answer: Answer) -> VerifyResult: ...


class JudgeHere:
    """A verifier of this process, in as many threads as it has workers."""

    def __init__(self, verifier: Verifier) -> None:
        self.slots = verifier.max_workers
        self._verifier = verifier
        self._threads = ThreadPoolExecutor(self.slots)

    async def judge_answer(self, answer: Answer) -> VerifyResult:
        """A verdict; what goes wrong on our side is `infra_error`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._verify, answer)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, answer: Answer) -> VerifyResult:
        try:
            return verdict(self._verifier, answer.text, answer.task, answer.as_it_stands)
        except HaloforgeError:
            raise
        except Exception as e:  # an answer that nobody foresaw ends itself, not the other ten thousand
            log.debug("verifying %s failed", answer.id, exc_info=True)
            return VerifyResult(
                False, None, "not judged: our side failed", f"{type(e).__name__}: {e}", status=INFRA_ERROR
            )


async def verify_answers(
    answers: Iterable[Answer],
    judge: AnswerJudge,
    cache: VerdictCache,
    stage: Stage,
    take: Callable[[Answer, VerifyResult], None],
) -> None:
    """Counts in `stage` and hands every verdict to `take`, in the order in which they arrive.

    Raises RunStopped where too many verdicts, or all of them, are lost to faults of ours.
    """
    waiting = iter(answers)
    lost, reason = 0, ""

    async def work() -> None:
        nonlocal lost, reason
        for answer in waiting:
            result = await cache.judge(
                answer.text, answer.task, partial(judge.judge_answer, answer), answer.as_it_stands
            )
            stage.done += 1
            stage.statuses[result.status] += 1
            stage.solved += result.success
            take(answer, result)
            if result.status == INFRA_ERROR:
                lost, reason = lost + 1, ": ".join(filter(None, (result.details, result.error)))
            if lost > FAULTS and lost > FAULT_SHARE * (stage.done - stage.cached):
                raise RunStopped(
                    f"{lost} of {stage.done - stage.cached} verdicts were lost to faults of our side, the last: "
                    f"{reason}; mend that and run the same command again"
                )
            await asyncio.sleep(0)  # verdicts from the cache wait for nothing, and progress wants its turn

    async with asyncio.TaskGroup() as workers:
        for _ in range(judge.slots):
            workers.create_task(work())
    if lost and lost == stage.done - stage.cached:
        raise RunStopped(
            f"{'the verdict was' if lost == 1 else f'all {lost} verdicts were'} lost to a fault of our side: {reason}; "
            "mend that and run the same command again"
        )
