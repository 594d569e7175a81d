"""Tokens per second of our engine, one request per sample, against plain `vllm.LLM.generate` on the same work.

Both sides get the same prompts, seeds, adapter, model length, threads and number of requests in flight, and both run
eagerly and unpinned. Rounds alternate in one run, so that a change in the machine's load meets both; the ratio is the
median of the rounds' ratios. The models are random, of the demo's size and of about 100M parameters: the speed of
sampling does not depend on what was learned, and no sample ends early. On a CPU the reference is measured twice: with
vLLM's own LoRA kernels ("plain") and with ours installed in it too ("dense"), so that our kernels hide no cost of
our engine.

    python -m benchmarks.bench_generator                  # both models
    python -m benchmarks.bench_generator --model demo --in-flight 64 --rounds 5

Not here: how to add a layer. A layer is one more entry of `contenders`, a function that samples many requests and
returns their samples; `compare` does the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from actors.cluster import connect, on_node
from actors.generator import RaySampler
from benchmarks.machine import machine
from haloforge.generation.engine import WORKER_EXTENSION, VllmEngine
from haloforge.generation.launch import cpu_settings, environment
from haloforge.generation.settings import EngineSettings
from haloforge.records import Prompt, Sample, SampleRequest
from tests.tiny_models import build_adapter, build_model

SampleMany = Callable[[Sequence[SampleRequest]], Sequence[tuple[int, ...]]]
"""Draws all requests, all in flight at once, and returns their token ids in the order of the requests."""

MODELS: dict[str, dict[str, Any]] = {
    "demo": {"hidden": 192, "layers": 4, "intermediate": 512, "heads": 6, "kv_heads": 6, "vocab_size": 1000},
    "100m": {"hidden": 768, "layers": 12, "intermediate": 2048, "heads": 12, "kv_heads": 4, "vocab_size": 32000},
}
PAUSE_S = 1.5
"""Before each measurement: the workers of the engine that ran last spin for a second."""
TARGETS = {"demo": 0.90, "100m": 0.97}


@dataclass(frozen=True)
class Row:
    """One contender's result: tokens per second (median of rounds) and its ratio to the reference in the same round."""

    name: str
    tokens_per_s: float
    ratio: float
    lowest: float
    highest: float
    same_samples: float
    """Share of the requests with exactly the reference's tokens."""


def compare(contenders: dict[str, SampleMany], requests: Sequence[SampleRequest], rounds: int) -> list[Row]:
    """Run every contender once per round after one warm-up; the first one is the reference of the ratios."""
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    drawn = {name: sample_many(requests) for name, sample_many in contenders.items()}
    for i in range(rounds):
        order = list(contenders) if i % 2 == 0 else list(reversed(contenders))
        for name in order:
            time.sleep(PAUSE_S)
            start = time.perf_counter()
            tokens = sum(map(len, contenders[name](requests)))
            speeds[name].append(tokens / (time.perf_counter() - start))
    reference = next(iter(contenders))
    rows = []
    for name, values in speeds.items():
        ratios = [v / r for v, r in zip(values, speeds[reference], strict=True)]
        same = sum(a == b for a, b in zip(drawn[name], drawn[reference], strict=True)) / len(requests)
        rows.append(Row(name, statistics.median(values), statistics.median(ratios), min(ratios), max(ratios), same))
    return rows


def make_requests(count: int, new_tokens: int, samples_per_prompt: int = 8) -> list[SampleRequest]:
    def request(i: int) -> SampleRequest:
        n = i // samples_per_prompt
        prompt = Prompt(f"p{n}", f"write a program that reads {n} int and prints sum, min and max of {n * 7} include")
        return SampleRequest(f"s{i}", prompt, 1, i % samples_per_prompt, 10_000 + i, 1.0, new_tokens)

    return [request(i) for i in range(count)]


class PlainVllm:
    """`vllm.LLM` with the settings of ours, in this process's children; the reference."""

    def __init__(self, settings: EngineSettings, adapter: Path, dense: bool) -> None:
        from haloforge.rendering import load_tokenizer, render_prompt, stop_token_ids

        tokenizer = load_tokenizer(settings.model_dir)
        self.render = lambda text: render_prompt(tokenizer, text)
        self.stop = stop_token_ids(tokenizer, settings.model_dir)
        self.scratch = tempfile.TemporaryDirectory(prefix="haloforge-bench-")
        with environment(self.scratch.name, False) as environ:
            from vllm import LLM
            from vllm.lora.request import LoRARequest
            from vllm.platforms import current_platform

            arguments: dict[str, Any] = {"enforce_eager": bool(settings.enforce_eager)}
            if current_platform.is_cpu():
                cpu_arguments, cpu_environ = cpu_settings(settings)
                arguments |= cpu_arguments
                environ.update(cpu_environ)
            self.llm: Any = LLM(
                model=settings.model_dir,
                dtype=settings.dtype,
                max_model_len=settings.max_model_len,
                max_num_seqs=settings.max_num_seqs,
                generation_config="vllm",
                enable_lora=True,
                max_loras=1,
                max_cpu_loras=2,
                max_lora_rank=settings.max_lora_rank,
                worker_extension_cls=WORKER_EXTENSION,
                **arguments,
            )
            if dense and current_platform.is_cpu():
                self.llm.collective_rpc("haloforge_use_dense_lora")
        self.lora = LoRARequest("bench", 1, str(adapter))

    def sample_many(self, requests: Sequence[SampleRequest]) -> list[tuple[int, ...]]:
        from vllm import SamplingParams

        outputs = self.llm.generate(
            [{"prompt_token_ids": self.render(r.prompt.text)} for r in requests],
            [
                SamplingParams(
                    temperature=r.temperature, seed=r.seed, max_tokens=r.max_new_tokens, stop_token_ids=self.stop
                )
                for r in requests
            ],
            lora_request=self.lora,
            use_tqdm=False,
        )
        return [tuple(o.outputs[0].token_ids) for o in outputs]

    def close(self) -> None:
        self.llm.llm_engine.engine_core.shutdown()
        self.scratch.cleanup()


def bench(name: str, folder: Path, settings: EngineSettings, count: int, new_tokens: int, rounds: int) -> list[Row]:
    """Build the random model, start the contenders side by side, compare, close them."""
    model = build_model(folder / name, dtype=settings.dtype, spread=0.02, **MODELS[name])
    adapter = build_adapter(model, folder / f"{name}-adapter", rank=settings.max_lora_rank, spread=0.02)
    settings = replace(settings, model_dir=str(model))
    references = {
        "LLM.generate, dense LoRA": PlainVllm(settings, adapter, dense=True),
        "LLM.generate, plain vLLM": PlainVllm(settings, adapter, dense=False),
    }
    ours = VllmEngine(settings)
    with connect("bench-generator") as cluster, asyncio.Runner() as runner:
        actor = RaySampler(settings, settings.threads, on_node(cluster.nodes[0]), {})

        async def prepare() -> None:
            await ours.start()
            await ours.load_adapter(adapter, 1)
            await actor.start()
            await actor.load_adapter(adapter, 1)

        async def draw(sampler: Any, requests: Sequence[SampleRequest]) -> list[Sample]:
            return await asyncio.gather(*map(sampler.sample, requests))

        runner.run(prepare())
        contenders: dict[str, SampleMany] = {key: plain.sample_many for key, plain in references.items()}
        for key, sampler in (("haloforge engine", ours), ("haloforge generator actor", actor)):
            contenders[key] = lambda requests, sampler=sampler: [  # type: ignore[misc]
                s.token_ids for s in runner.run(draw(sampler, requests))
            ]
        try:
            return compare(contenders, make_requests(count, new_tokens), rounds)
        finally:
            runner.run(ours.close())
            runner.run(actor.close())
            for plain in references.values():
                plain.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=[*MODELS, "all"], default="all")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--in-flight", type=int, default=None, help="default: 128 for demo, 32 for 100m")
    parser.add_argument("--new-tokens", type=int, default=None, help="default: 100 for demo, 24 for 100m")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{machine()}; {options.dtype}, {options.threads} thread(s), LoRA rank 16, median of {options.rounds} rounds")
    for name in MODELS if options.model == "all" else [options.model]:
        in_flight = options.in_flight or (128 if name == "demo" else 32)
        new_tokens = options.new_tokens or (100 if name == "demo" else 24)
        settings = EngineSettings(
            "", dtype=options.dtype, max_model_len=256, max_num_seqs=in_flight, threads=options.threads
        )
        with tempfile.TemporaryDirectory(prefix="haloforge-bench-") as folder:
            rows = bench(name, Path(folder), settings, in_flight, new_tokens, options.rounds)
        print(f"\n{name}, {in_flight} in flight, {new_tokens} new tokens each, target ≥ {TARGETS[name]:.2f} of dense")
        print(f"{'':28}{'tok/s':>9}{'ratio':>8}{'low':>8}{'high':>8}{'same':>8}")
        for row in rows:
            print(
                f"{row.name:28}{row.tokens_per_s:9,.0f}{row.ratio:8.2f}{row.lowest:8.2f}{row.highest:8.2f}"
                f"{row.same_samples:8.0%}"
            )


if __name__ == "__main__":
    main()
