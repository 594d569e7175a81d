"""RAFT: generate → verify → select → train → swap → evaluate, cycle by cycle.

Reward-ranked fine-tuning after Dong et al. 2023 (arXiv:2304.06767), with a verifier as the reward.
The loop knows a Sampler, a Judge and a Learner; actors/ implements them with Ray. Everything that is
sampled or verified goes to the run folder at once, and every stage takes up what it finds there.
Not here: processes, devices, terminals.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from haloforge import metrics, seeds
from haloforge.config import RaftConfig
from haloforge.errors import RunStopped
from haloforge.ledger import RunFolder, sample_from, sample_row, verdict_from, verdict_row
from haloforge.models import is_complete_adapter
from haloforge.proof import ExactReport, judge_exact, judge_swap, rms_difference
from haloforge.records import INFRA_ERROR, Judged, Prompt, Sample, SampleRequest, TrainingExample, VerifyResult
from haloforge.selection import in_order, select, select_uniform
from haloforge.verdict_cache import VerdictCache

log = logging.getLogger("haloforge")

PROOF_TOKENS = 2000
"""Sampled tokens that the engine and the trainer both score after a swap."""
FEW_PROMPTS = 8
"""Below so many held-out prompts the last cycle is taken as the best."""
MIN_LEARNING_RATE = 1e-6
REPORT = "update_report.json"
"""In an adapter's folder: what its update did."""


class Sampler(Protocol):
    """Draws samples from the served model (the start point, or the adapter last loaded)."""

    async def sample(self, request: SampleRequest) -> Sample: ...
    async def score(self, sequences: Sequence[TrainingExample]) -> list[tuple[float, ...]]: ...
    async def load_adapter(self, folder: Path, cycle: int) -> None: ...
    async def inspect_adapter(self) -> ExactReport: ...
    async def drop_previous(self) -> None: ...


class Judge(Protocol):
    """Verifies samples, several at once."""

    slots: int

    async def judge(self, sample: Sample, prompt: Prompt) -> VerifyResult: ...
    def busy_seconds(self) -> dict[str, float]: ...


class Learner(Protocol):
    """Trains the adapter; holds the current and the previous one. An update's folder carries its report."""

    async def restore(self, current: Path | None, previous: Path | None) -> None: ...
    async def update(
        self, examples: Sequence[TrainingExample], learning_rate: float, seed: int, cycle: int, into: Path
    ) -> None: ...
    async def score(self, sequences: Sequence[TrainingExample], adapter: Literal["current", "previous"]) -> Scores: ...


class Scores(Protocol):
    @property
    def logprobs(self) -> Sequence[tuple[float, ...]]: ...
    @property
    def entropy(self) -> float: ...


@dataclass
class Run:
    """One run: what it is made of, and where it writes."""

    config: RaftConfig
    folder: RunFolder
    prompts: Mapping[str, Prompt]
    held_out: Mapping[str, Mapping[str, Prompt]]
    sampler: Sampler
    judge: Judge
    learner: Learner
    start_adapter: Path | None = None
    control_of: Path | None = None
    """The run folder that this run is the control of (`selection: uniform`)."""
    cache: VerdictCache = field(default_factory=VerdictCache)

    def adapter(self, cycle: int) -> Path | None:
        """The adapter that cycle `cycle` ended with; cycle 0: the one that the run starts from, or None."""
        return self.start_adapter if cycle == 0 else self.folder.final(cycle)


async def run_raft(run: Run) -> dict[str, Any]:
    """All cycles, from wherever the run folder stands; returns the statistics."""
    await bring_back(run)
    await evaluate(run, 0)
    for cycle in range(1, run.config.raft.num_cycles + 1):
        if not complete(run.folder, cycle):
            await run_cycle(run, cycle)
    return run.folder.statistics


def finished(folder: RunFolder, cycles: int) -> bool:
    """Whether a run folder already holds all that a run of so many cycles would make; says what is complete."""
    done = [cycle for cycle in range(1, cycles + 1) if complete(folder, cycle)]
    for cycle in done:
        log.info("Cycle %d already complete, skipping...", cycle)
    return len(done) == cycles


async def run_cycle(run: Run, cycle: int) -> None:
    """One turn of the loop; a cycle whose adapter is in the run folder (and so was brought back) is only measured."""
    if not is_complete_adapter(run.folder.final(cycle)):
        judged = await generate_and_verify_cycle(run, cycle)
        kept = keep(run, cycle, judged)
        await train(run, cycle, kept)
        await swap(run, cycle)
    await evaluate(run, cycle)
    choose_best(run)
    stop_where_nothing_is_kept(run, cycle)


def complete(folder: RunFolder, cycle: int) -> bool:
    measured = any(entry["cycle"] == cycle and entry.get("complete") for entry in folder.statistics["cycles"])
    return measured and is_complete_adapter(folder.final(cycle))


async def bring_back(run: Run) -> None:
    """Serve and prove what the last finished training left, so that nothing is sampled from anything else."""
    last = 0
    while is_complete_adapter(run.folder.final(last + 1)):
        last += 1
    for cycle in range(last + 2):
        for names in (TRAINING_FILES, EVALUATION_FILES):
            verdicts = {row["id"]: verdict_from(row) for row in run.folder.rows(cycle, names[1]).read()}
            for row in run.folder.rows(cycle, names[0]).read():
                if row["id"] in verdicts:
                    run.cache.remember(sample_from(row), verdicts[row["id"]])
    if last:
        record_update(run, last)
    await run.learner.restore(run.adapter(last), run.adapter(last - 1) if last else None)
    if last or run.start_adapter:
        await swap(run, last)


# ---------------------------------------------------------------------------------------------- generate and verify

TRAINING_FILES = ("samples", "verified")
EVALUATION_FILES = ("eval_samples", "eval_verified")


async def generate_and_verify_cycle(run: Run, cycle: int) -> list[Judged]:
    """Draw and verify the cycle's samples, and write its statistics."""
    judged, seconds = await generate_and_verify(run, cycle, training_requests(run, cycle), run.prompts, TRAINING_FILES)
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
    for prompt in run.prompts.values():
        for index in range(run.config.raft.samples_per_prompt):
            yield SampleRequest(
                id=f"{cycle}/{prompt.id}/{index}",
                prompt=prompt,
                cycle=cycle,
                index=index,
                seed=seeds.derive(run.config.seed, "sample", cycle, prompt.id, index),
                temperature=settings.temperature,
                max_new_tokens=settings.max_new_tokens,
                top_p=settings.top_p,
            )


async def generate_and_verify(
    run: Run,
    cycle: int,
    requests: Iterator[SampleRequest],
    prompts: Mapping[str, Prompt],
    files: tuple[str, str],
) -> tuple[list[Judged], dict[str, float]]:
    """Sample what is missing and verify it as it arrives, with a bounded number in flight.

    A sample goes to a verifier the moment it is finished. When verification falls behind, the queue
    between the two fills and no new requests are sent. Returns every judged sample of the stage in
    order, and seconds: generate, verify, generate_and_verify (and the tokens drawn).
    """
    sample_rows, verdict_rows = run.folder.rows(cycle, files[0]), run.folder.rows(cycle, files[1])
    samples = {row["id"]: sample_from(row) for row in sample_rows.read()}
    results = {row["id"]: verdict_from(row) for row in verdict_rows.read() if row["status"] != INFRA_ERROR}
    if samples:
        log.info("Loading cached samples... (%d drawn, %d verified)", len(samples), len(results))
    waiting: asyncio.Queue[Sample | None] = asyncio.Queue(maxsize=4 * run.judge.slots)
    generating, tokens, busy_before, start = metrics.BusyClock(), 0, run.judge.busy_seconds(), time.monotonic()

    async def generate() -> None:
        nonlocal tokens
        for request in requests:
            sample = samples.get(request.id)
            if sample is None:
                with generating:
                    sample = await run.sampler.sample(request)
                samples[request.id] = sample
                tokens += len(sample.token_ids)
                sample_rows.append(sample_row(sample, request.prompt.text))
            if request.id not in results:
                await waiting.put(sample)

    async def verify() -> None:
        while (sample := await waiting.get()) is not None:
            prompt = prompts[sample.prompt_id]
            result = await run.cache.judge(sample, prompt, run.judge.judge)
            results[sample.id] = result
            verdict_rows.append(verdict_row(sample, prompt.text, result))
            if result.status == INFRA_ERROR:
                stop_where_verification_fails(run, results)

    in_flight = run.config.generation.batch_size * run.config.raft.samples_per_prompt
    try:
        async with asyncio.TaskGroup() as verifying:
            for _ in range(run.judge.slots):
                verifying.create_task(verify())
            async with asyncio.TaskGroup() as drawing:
                for _ in range(in_flight):
                    drawing.create_task(generate())
            for _ in range(run.judge.slots):
                await waiting.put(None)
    finally:
        sample_rows.close()
        verdict_rows.close()
    busy = run.judge.busy_seconds()
    seconds = {
        "generate": generating.seconds,
        "verify": max((busy[name] - busy_before.get(name, 0.0) for name in busy), default=0.0),
        "generate_and_verify": time.monotonic() - start,
        "tokens": float(tokens),
    }
    return in_order([Judged(samples[id_], result) for id_, result in results.items() if id_ in samples]), seconds


def stop_where_verification_fails(run: Run, results: Mapping[str, VerifyResult]) -> None:
    """Too many verdicts lost to our own faults end the run: its figures would mean nothing."""
    lost = [r for r in results.values() if r.status == INFRA_ERROR]
    if len(lost) > 10 and len(lost) > run.config.verifiers.max_infra_errors * len(results):
        raise RunStopped(
            f"{len(lost)} of {len(results)} verdicts were lost to faults of the verifiers, the last: {lost[-1].error}; "
            "mend that and run the same command again, or raise verifiers.max_infra_errors"
        )


# ---------------------------------------------------------------------------------------------- select and train


def keep(run: Run, cycle: int, judged: Sequence[Judged]) -> list[Judged]:
    """What the cycle trains on, written to cycle_N_kept.jsonl."""
    raft, seed = run.config.raft, seeds.derive(run.config.seed, "select", cycle)
    kept = select(judged, run.prompts, raft, seed)
    if raft.selection == "uniform":
        kept = select_uniform(judged, count_to_copy(run, cycle, len(kept)), seed)
    rows = [verdict_row(j.sample, run.prompts[j.sample.prompt_id].text, j.result) for j in kept]
    run.folder.write_rows(cycle, "kept", rows)
    distinct = len({(j.sample.prompt_id, j.result.code) for j in kept})
    run.folder.cycle(cycle).update(kept=len(kept), kept_distinct=distinct, selection=raft.selection)
    run.folder.save()
    return kept


def count_to_copy(run: Run, cycle: int, own: int) -> int:
    """How many samples the control keeps: as many as the run it is the control of, else as many as would pass."""
    if run.control_of is None:
        return own
    return sum(1 for _ in RunFolder(run.control_of).rows(cycle, "kept").read())


async def train(run: Run, cycle: int, kept: Sequence[Judged]) -> None:
    """The LoRA update on the kept samples' own tokens; with none, the cycle ends with its start adapter."""
    entry = run.folder.cycle(cycle)
    training = run.config.training
    rate = max(MIN_LEARNING_RATE, training.learning_rate * run.config.raft.lr_decay ** (cycle - 1))
    await measure_noise(run, cycle)
    if not kept:
        log.warning("Cycle %d: nothing was eligible, so nothing is trained", cycle)
    examples = [training_example(j.sample) for j in kept]
    start = time.monotonic()
    await run.learner.update(
        examples, rate, seeds.derive(run.config.seed, "train", cycle), cycle, run.folder.final(cycle)
    )
    entry.setdefault("seconds", {})["train"] = time.monotonic() - start
    record_update(run, cycle)
    if kept:
        log.info(
            "cycle %d: trained on %d samples, %d steps, loss %.4f → %.4f",
            *(cycle, len(kept), entry["optimizer_steps"], entry["loss_before"], entry["loss_after"]),
        )
    for notice in entry.get("notices", ()):
        log.info("cycle %d: %s", cycle, notice)


def record_update(run: Run, cycle: int) -> None:
    """Copy the update's report, which lies with its adapter, into the statistics."""
    report = json.loads((run.folder.final(cycle) / REPORT).read_text(encoding="utf-8"))
    entry = run.folder.cycle(cycle)
    entry.setdefault("seconds", {}).setdefault("train", report.pop("seconds", 0.0))
    entry.update(report)
    run.folder.save()


def training_example(sample: Sample) -> TrainingExample:
    return TrainingExample(sample.id, sample.prompt_token_ids, sample.token_ids)


# ---------------------------------------------------------------------------------------------- swap and proof


async def swap(run: Run, cycle: int) -> None:
    """Put the cycle's adapter into the sampler and prove that it is what the sampler serves."""
    folder = run.adapter(cycle)
    assert folder is not None
    entry = run.folder.cycle(cycle)
    start = time.monotonic()
    await run.sampler.load_adapter(folder, cycle)
    swapped = time.monotonic()
    entry["swap"] = {"seconds": swapped - start, "proof": None}
    exact = await run.sampler.inspect_adapter()
    noise = run.folder.statistics["run"].get("noise")
    sequences = proof_sequences(run, cycle)
    if noise is None or not sequences:  # the adapter that the run starts from: nothing is trained yet
        proof = judge_exact(exact)
    else:
        engine = await run.sampler.score(sequences)
        new = await run.learner.score(sequences, "current")
        old = await run.learner.score(sequences, "previous")
        entry["entropy"] = new.entropy
        proof = judge_swap(exact, engine, new.logprobs, old.logprobs, noise).record()
    await run.sampler.drop_previous()
    entry["swap"]["proof"] = {**proof, "seconds": time.monotonic() - swapped}
    entry.setdefault("seconds", {})["swap"] = swapped - start
    run.folder.save()
    log.info("cycle %d: served and proved in %.2f s (%s)", cycle, time.monotonic() - start, proof["decided_by"])


def proof_sequences(run: Run, cycle: int) -> list[TrainingExample]:
    """Up to PROOF_TOKENS sampled tokens of a cycle: kept samples first, then the others."""
    kept = {row["id"] for row in run.folder.rows(cycle, "kept").read()}
    name = TRAINING_FILES[0] if cycle else EVALUATION_FILES[0]
    samples = [sample_from(row) for row in run.folder.rows(cycle, name).read()]
    chosen: list[TrainingExample] = []
    tokens = 0
    for sample in sorted(samples, key=lambda s: (s.id not in kept, s.prompt_id, s.index)):
        if sample.token_ids and tokens + len(sample.token_ids) <= PROOF_TOKENS:
            chosen.append(training_example(sample))
            tokens += len(sample.token_ids)
    return chosen


async def measure_noise(run: Run, cycle: int) -> None:
    """How far the engine's and the trainer's scores of the same tokens lie apart before anything is trained."""
    if cycle != 1 or run.folder.statistics["run"].get("noise") is not None:
        return
    sequences = proof_sequences(run, 0) or proof_sequences(run, 1)
    if not sequences:
        return
    engine = await run.sampler.score(sequences)
    trainer = await run.learner.score(sequences, "current")
    run.folder.statistics["run"]["noise"] = rms_difference(engine, trainer.logprobs)
    run.folder.cycle(0)["entropy"] = trainer.entropy
    run.folder.save()


# ---------------------------------------------------------------------------------------------- evaluate and decide


async def evaluate(run: Run, cycle: int) -> None:
    """Held-out greedy and pass@1 of what is served now; all sets in one pass."""
    entry = run.folder.cycle(cycle)
    last = cycle == run.config.raft.num_cycles
    due = cycle == 0 or last or cycle % run.config.evaluation.every == 0
    if due and run.held_out and "eval" not in entry:
        prompts = {p.id: p for prompts in run.held_out.values() for p in prompts.values()}
        start = time.monotonic()
        judged, _ = await generate_and_verify(run, cycle, evaluation_requests(run, cycle), prompts, EVALUATION_FILES)
        entry["eval"] = {
            name: metrics.evaluation([j for j in judged if j.sample.prompt_id in members], members)
            for name, members in run.held_out.items()
        }
        entry.setdefault("seconds", {})["evaluate"] = time.monotonic() - start
        log.info(
            "cycle %d held out: %s",
            cycle,
            "; ".join(f"{n} greedy {e['greedy']:.3f}, pass@1 {e['pass_at_1']:.3f}" for n, e in entry["eval"].items()),
        )
    entry["complete"] = True
    run.folder.save()


def evaluation_requests(run: Run, cycle: int) -> Iterator[SampleRequest]:
    """Per held-out prompt one greedy answer, then samples at T = 1.0 and, for the start point, at others."""
    settings = run.config.evaluation
    temperatures = [0.0] + [1.0] * settings.samples
    if cycle == 0:
        temperatures += [t for t in settings.base_temperatures for _ in range(settings.samples)]
    for prompts in run.held_out.values():
        for prompt in prompts.values():
            for index, temperature in enumerate(temperatures):
                yield SampleRequest(
                    id=f"{cycle}/eval/{prompt.id}/{index}",
                    prompt=prompt,
                    cycle=cycle,
                    index=index,
                    seed=seeds.derive(run.config.seed, "evaluate", cycle, prompt.id, index),
                    temperature=temperature,
                    max_new_tokens=run.config.generation.max_new_tokens,
                )


def choose_best(run: Run) -> None:
    """Record the best cycle by the first held-out set (greedy, then pass@1) and link final_model to it."""
    done = [e for e in run.folder.statistics["cycles"] if e["cycle"] == 0 or e.get("complete")]
    best = done[-1]["cycle"]
    first = next(iter(run.held_out), None)
    if first is not None and len(run.held_out[first]) >= FEW_PROMPTS:
        measured = [e for e in done if "eval" in e]
        score = {e["cycle"]: (e["eval"][first]["greedy"], e["eval"][first].get("pass_at_1", 0.0)) for e in measured}
        best = max(score, key=lambda c: (*score[c], -c))
    run.folder.statistics["best_cycle"] = best
    target = run.adapter(best)
    if target is None:
        log.warning("no cycle has beaten the start point on the held-out prompts, so final_model is the start point")
        target = Path(run.folder.statistics["run"]["base"])
    run.folder.link("final_model", target)
    run.folder.save()


def stop_where_nothing_is_kept(run: Run, cycle: int) -> None:
    """Two cycles running without anything to train on end the run, with the commonest reason."""
    both = [run.folder.cycle(c) for c in (cycle - 1, cycle)]
    if cycle < 2 or any(entry.get("trained", True) for entry in both):
        return
    judged = [sample_from(row) for row in run.folder.rows(cycle, TRAINING_FILES[0]).read()]
    reasons = Counter(both[1]["statuses"]) + Counter(
        {f"finish reason {s.finish_reason}": 1 for s in judged if s.finish_reason != "stop"}
    )
    reason, count = reasons.most_common(1)[0]
    raise RunStopped(
        f"nothing was kept in cycles {cycle - 1} and {cycle}; the commonest outcome was {reason} "
        f"({count} of {len(judged)} samples). Look at {run.folder.path}/cycle_{cycle}_verified.jsonl; a stronger "
        "start model, easier prompts, more raft.samples_per_prompt or more generation.max_new_tokens may help"
    )
