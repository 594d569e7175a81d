"""Whether verification hides behind generation, and what a swap costs: with the run's own actors, on the demo's base.

"Alone" is the same actors on the same cores while the other side rests: for generation a judge that answers at once,
for verification a sampler that hands out the samples drawn before. Medians of the rounds, ratios within one run.

    python -m benchmarks.bench_overlap --rounds 5

Builds the demo's base first where it is not there (minutes).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from haloforge import config as schema
from haloforge import paths
from haloforge.config import RaftConfig
from haloforge.ledger import RunFolder
from haloforge.loop import Run
from haloforge.loop.sampling import TRAINING_FILES, generate_and_verify, training_example, training_requests
from haloforge.records import PASSED, Prompt, Sample, SampleRequest, VerifyResult
from haloforge.verdicts.cache import VerdictCache
from haloforge.watching.stages import Progress, Stage

TARGET = 1.15


class AtOnce:
    """A judge without work, for generation alone."""

    slots = 4

    async def judge(self, sample: Sample, prompt: Prompt) -> VerifyResult:
        return VerifyResult(True, 1.0, status=PASSED)

    def busy_seconds(self) -> dict[str, float]:
        return {}


class Recorded:
    """A sampler without work, for verification alone: hands out samples that were drawn before."""

    def __init__(self, samples: dict[str, Sample], real: Any) -> None:
        self._samples, self._real = samples, real

    async def sample(self, request: SampleRequest) -> Sample:
        return self._samples[request.id]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


async def measure(rounds: int, prompts: int) -> None:
    from actors.cluster import connect
    from actors.crew import crew, plan
    from haloforge.preparation import prepare
    from haloforge.raft import practice_base

    config = schema.load(RaftConfig, paths.find_config("demo.yaml"))
    prepared = prepare(config)
    with tempfile.TemporaryDirectory() as scratch, connect("bench") as cluster:
        share = await plan(cluster, config, prepared.model_dir, prepared.every_prompt)
        start = await practice_base(prepared, cluster, share, Progress())
        async with crew(cluster, config, start, share) as (sampler, judge, learner):
            chosen = dict(islice(prepared.prompts.items(), prompts))
            times: dict[str, list[float]] = {"generate": [], "verify": [], "both": []}
            swaps: list[float] = []

            async def one(cycle: int, name: str, sampler: Any, judge: Any) -> dict[str, Sample]:
                run_folder = RunFolder(Path(scratch) / f"{name}-{cycle}")
                run_folder.open()
                run = Run(config, run_folder, chosen, {}, sampler, judge, learner, cache=VerdictCache())
                requests: Iterator[SampleRequest] = training_requests(run, cycle)
                began = time.monotonic()
                stage = Stage("generate & verify", cycle)
                judged, _ = await generate_and_verify(run, stage, requests, chosen, TRAINING_FILES)
                times[name].append(time.monotonic() - began)
                run_folder.close()
                return {j.sample.id: j.sample for j in judged}

            await learner.restore(None, None)
            first = await one(0, "both", sampler, judge)  # warms both up; not counted
            times["both"].clear()
            adapter = Path(scratch) / "adapter"
            examples = [training_example(sample) for sample in list(first.values())[:64]]
            await learner.update(examples, config.training.learning_rate, 0, 1, adapter, lambda row: None)
            for round_ in range(1, rounds + 1):
                began = time.monotonic()
                await sampler.load_adapter(adapter, round_)
                swaps.append(time.monotonic() - began)
                await sampler.drop_previous()
                samples = await one(round_, "generate", sampler, AtOnce())
                await one(round_, "verify", Recorded(samples, sampler), judge)
                await one(round_, "both", sampler, judge)

    medians = {name: statistics.median(values) for name, values in times.items()}
    ratios = [b / max(g, v) for g, v, b in zip(times["generate"], times["verify"], times["both"], strict=True)]
    print(f"overlap: {len(chosen)} prompts × {config.raft.samples_per_prompt} samples, median of {rounds} rounds")
    for name, seconds in medians.items():
        print(f"  {name:10} {seconds:7.2f} s")
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    print(f"  both ÷ max(alone) {middle:.3f}  ({low:.3f} … {high:.3f}), target ≤ {TARGET}")
    print(
        f"swap: {statistics.median(swaps):.3f} s  ({min(swaps):.3f} … {max(swaps):.3f}) without the proof, target < 1"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompts", type=int, default=120)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.rounds, arguments.prompts))


if __name__ == "__main__":
    main()
