"""Swap and proof: put an adapter into the sampler, and prove that it is what the sampler serves."""

from __future__ import annotations

import math
import time
from pathlib import Path

from haloforge.ledger import sample_from
from haloforge.loop.ports import Run, log
from haloforge.loop.sampling import EVALUATION_FILES, TRAINING_FILES, training_example
from haloforge.proof import judge_exact, judge_swap, rms_difference
from haloforge.records import TrainingExample

PROOF_TOKENS = 2000
"""Sampled tokens that the engine and the trainer both score after a swap."""


async def swap(run: Run, cycle: int) -> None:
    """Put the cycle's adapter into the sampler and prove that it is what the sampler serves."""
    folder = run.adapter(cycle)
    assert folder is not None
    with run.progress.during(run.stage("swap & prove", cycle)):
        await load_and_prove(run, cycle, folder)


async def load_and_prove(run: Run, cycle: int, folder: Path) -> None:
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
        served = await run.learner.score(sequences, "served")
        entry["entropy"] = new.entropy
        rounding = math.hypot(rms_difference(new.logprobs, served.logprobs), served.rounding)
        proof = judge_swap(exact, engine, new.logprobs, old.logprobs, noise, rounding).record()
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
    run.progress.cycle(run.folder.cycle(0))
