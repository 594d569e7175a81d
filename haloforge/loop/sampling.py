"""Generate and verify: draw what is missing, verify it as it arrives, write both down at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from functools import partial

from haloforge import metrics, seeds
from haloforge.errors import RunStopped
from haloforge.ledger import sample_from, sample_row, verdict_from, verdict_row
from haloforge.loop.ports import Run, log
from haloforge.records import INFRA_ERROR, Judged, Prompt, Sample, SampleRequest, TrainingExample, VerifyResult
from haloforge.selection import in_order, solved
from haloforge.watching.stages import Stage

TRAINING_FILES = ("samples", "verified")
EVALUATION_FILES = ("eval_samples", "eval_verified")


async def generate_and_verify_cycle(run: Run, cycle: int) -> list[Judged]:
    """Draw and verify the cycle's samples, and write its statistics."""
    stage = run.stage("generate & verify", cycle, total=len(run.prompts) * run.config.raft.samples_per_prompt)
    requests = training_requests(run, cycle)
    judged, seconds = await generate_and_verify(run, stage, requests, run.prompts, TRAINING_FILES)
    entry = run.folder.cycle(cycle)
    entry |= metrics.summary(judged, run.prompts)
    entry.setdefault("seconds", {}).update(seconds)
    entry["overlap"] = metrics.ratio(seconds["generate_and_verify"], max(seconds["generate"], seconds["verify"]))
    entry["tokens_per_s"] = metrics.ratio(entry["seconds"].pop("tokens"), seconds["generate"])
    run.folder.save()
    log.info(
        "cycle %d: %d samples in %.1f s, pass rate %s, compile rate %s",
        cycle,
        len(judged),
        seconds["generate_and_verify"],
        *(f"{entry[rate]:.3f}" if entry[rate] is not None else "–" for rate in ("pass_rate", "compile_rate")),
    )
    return judged


def training_requests(run: Run, cycle: int) -> Iterator[SampleRequest]:
    settings = run.config.generation
    temperature = settings.temperature_at(cycle, run.config.raft.num_cycles)
    for prompt in run.prompts.values():
        for index in range(run.config.raft.samples_per_prompt):
            yield SampleRequest(
                id=f"{cycle}/{prompt.id}/{index}",
                prompt=prompt,
                cycle=cycle,
                index=index,
                seed=seeds.derive(run.config.seed, "sample", cycle, prompt.id, index),
                temperature=temperature,
                max_new_tokens=settings.max_new_tokens,
                top_p=settings.top_p,
            )


async def generate_and_verify(
    run: Run,
    stage: Stage,
    requests: Iterator[SampleRequest],
    prompts: Mapping[str, Prompt],
    files: tuple[str, str],
) -> tuple[list[Judged], dict[str, float]]:
    """Sample what is missing and verify it as it arrives, with a bounded number in flight.

    A sample goes to a verifier the moment it is finished. When verification falls behind, no new requests
    are sent until it has caught up (see Backlog). Counts in `stage`. Returns every judged sample of the
    stage in order, and seconds: generate, verify, generate_and_verify (and the tokens drawn).
    """
    cycle = stage.cycle
    assert cycle is not None
    sample_rows, verdict_rows = run.folder.rows(cycle, files[0]), run.folder.rows(cycle, files[1])
    samples = {row["id"]: sample_from(row) for row in sample_rows.read()}
    results = {row["id"]: verdict_from(row) for row in verdict_rows.read() if row["status"] != INFRA_ERROR}
    if samples:
        log.info("Loading cached samples... (%d drawn, %d verified)", len(samples), len(results))
    stage.drawn = len(samples)
    for id_, result in results.items():
        if id_ in samples:
            count(stage, samples[id_], result, prompts)
    stage.cached = stage.done
    in_flight = run.config.generation.batch_size * run.config.raft.samples_per_prompt
    waiting: asyncio.Queue[Sample | None] = asyncio.Queue()
    backlog = Backlog(high=in_flight, low=max(4 * run.judge.slots, in_flight // 4))
    generating, busy_before, start = metrics.BusyClock(), run.judge.busy_seconds(), time.monotonic()

    async def generate() -> None:
        for request in requests:
            sample = samples.get(request.id)
            if sample is None:
                await backlog.room()
                stage.in_flight += 1
                with generating:
                    sample = await run.sampler.sample(request)
                stage.in_flight -= 1
                stage.drawn += 1
                stage.tokens += len(sample.token_ids)
                samples[request.id] = sample
                sample_rows.append(sample_row(sample, request.prompt.text))
            if request.id not in results:
                stage.waiting = backlog.add()
                waiting.put_nowait(sample)

    async def verify() -> None:
        while (sample := await waiting.get()) is not None:
            prompt = prompts[sample.prompt_id]
            result = await run.cache.judge(sample.text, prompt, partial(run.judge.judge, sample, prompt))
            stage.waiting = backlog.take()
            results[sample.id] = result
            count(stage, sample, result, prompts)
            verdict_rows.append(verdict_row(sample, prompt.text, result))
            if result.status == INFRA_ERROR:
                stop_where_verification_fails(run, results)

    try:
        with run.progress.during(stage):
            async with asyncio.TaskGroup() as verifying:
                for _ in range(run.judge.slots):
                    verifying.create_task(verify())
                async with asyncio.TaskGroup() as drawing:
                    for _ in range(in_flight):
                        drawing.create_task(generate())
                for _ in range(run.judge.slots):
                    waiting.put_nowait(None)
    finally:
        sample_rows.close()
        verdict_rows.close()
    busy = run.judge.busy_seconds()
    seconds = {
        "generate": generating.seconds,
        "verify": max((busy[name] - busy_before.get(name, 0.0) for name in busy), default=0.0),
        "generate_and_verify": time.monotonic() - start,
        "tokens": float(stage.tokens),
    }
    return in_order([Judged(samples[id_], result) for id_, result in results.items() if id_ in samples]), seconds


class Backlog:
    """Back-pressure: how many finished samples wait for their verdict, and whether more may be drawn.

    Closes when `high` samples wait and opens again at `low`. So requests come in bursts that fill the
    engine's batches, and between them the engine is quiet and leaves its cores to the verifiers;
    letting one request through per verdict would keep it running on nearly empty batches.
    """

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high, self._waiting = low, high, 0
        self._open = asyncio.Event()
        self._open.set()

    def add(self) -> int:
        """One more waits; returns how many do."""
        self._waiting += 1
        if self._waiting >= self._high:
            self._open.clear()
        return self._waiting

    def take(self) -> int:
        """One less waits; returns how many do."""
        self._waiting -= 1
        if self._waiting <= self._low:
            self._open.set()
        return self._waiting

    async def room(self) -> None:
        await self._open.wait()


def count(stage: Stage, sample: Sample, result: VerifyResult, prompts: Mapping[str, Prompt]) -> None:
    stage.done += 1
    stage.statuses[result.status] += 1
    stage.solved += solved(Judged(sample, result), prompts[sample.prompt_id])


def stop_where_verification_fails(run: Run, results: Mapping[str, VerifyResult]) -> None:
    """Too many verdicts lost to our own faults end the run: its figures would mean nothing."""
    lost = [r for r in results.values() if r.status == INFRA_ERROR]
    if len(lost) > 10 and len(lost) > run.config.verifiers.max_infra_errors * len(results):
        raise RunStopped(
            f"{len(lost)} of {len(results)} verdicts were lost to faults of the verifiers, the last: {lost[-1].error}; "
            "mend that and run the same command again, or raise verifiers.max_infra_errors"
        )


def training_example(sample: Sample) -> TrainingExample:
    return TrainingExample(sample.id, sample.prompt_token_ids, sample.token_ids)
