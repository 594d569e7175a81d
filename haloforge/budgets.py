"""How the memory of GPUs is shared between the engine and the trainer. Pure arithmetic, done before anything loads.

Sizes are estimates from the model's files and config; what a user types wins. A plan that cannot work is refused
with the figures and the way out. Not here: finding the GPUs (haloforge.hardware), CPUs (actors.placement).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from haloforge.config import PlacementBlock
from haloforge.errors import BadInput
from haloforge.hardware import GIB, Gpu
from haloforge.models import parameter_count

ENGINE_OVERHEAD = int(1.5 * GIB)
"""Runtime context, captured graphs and activations of an engine."""
TRAINER_OVERHEAD = 1 * GIB
"""Runtime context and allocator of the trainer."""
LOGITS_LIMIT = 2 * GIB
"""The trainer's logits and their gradient: more of them are computed in tiles."""
ALONE = 0.9
"""Share of a GPU that a process which has it to itself may take."""


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a model needs, in the engine and in the trainer."""

    weights: int
    """Of the engine."""
    kv_per_token: int
    """Keys and values of one token, all layers."""
    longest: int
    """Tokens of the longest sequence."""
    trainer: int
    """Weights, adapter with optimizer, activations, logits and overhead."""

    @property
    def engine_least(self) -> int:
        """Weights, overhead and the cache of one longest sequence: with less, nothing can be sampled."""
        return self.weights + ENGINE_OVERHEAD + self.kv_per_token * self.longest


@dataclass(frozen=True, slots=True)
class GpuPlan:
    """Who gets which part of which GPU."""

    mode: Literal["cpu", "shared", "split"]
    engine_gpus: float = 0.0
    """Ray's `num_gpus` of the generator."""
    trainer_gpus: float = 0.0
    engine_share: float | None = None
    """vLLM's gpu_memory_utilization; None without a GPU."""
    kv_cache_bytes: int | None = None
    """None: what the share leaves."""
    trainer_bytes: int | None = None
    """What the trainer is held to; None: not held."""

    def describe(self) -> str:
        if self.mode == "cpu":
            return "cpu"
        engine = f"engine {self.engine_share or 0:.0%} of a GPU"
        kv = f" (KV cache {self.kv_cache_bytes / GIB:.1f} GiB)" if self.kv_cache_bytes else ""
        trainer = f"trainer {self.trainer_bytes / GIB:.1f} GiB" if self.trainer_bytes else "trainer a GPU of its own"
        return f"{self.mode}: {engine}{kv}, {trainer}"


def plan_gpus(
    block: PlacementBlock,
    kv_cache_gib: float | None,
    engine_gpus: Sequence[Gpu],
    trainer_gpus: Sequence[Gpu] | None,
    need: Need,
) -> GpuPlan:
    """Share out the GPUs of the generator's node, and of the trainer's where that is another one (else None).

    Raises BadInput with the figures and the remedy.
    """
    here = len(engine_gpus)
    there = here if trainer_gpus is None else len(trainer_gpus)
    mode = block.mode
    if mode == "auto":
        both = here >= 2 if trainer_gpus is None else here and there
        mode = "split" if both else "shared" if here and trainer_gpus is None else "cpu"
    if mode == "cpu":
        return GpuPlan("cpu")
    if mode == "split":
        if trainer_gpus is None and here < 2:
            rest = "set placement: shared" if here else "set placement: cpu, or start Ray with --num-gpus"
            raise BadInput(
                f"placement split asks 1 GPU for the generator and 1 for the trainer; their node has {here}: {rest}"
            )
        if not here or not there:
            raise BadInput(
                f"placement split asks a GPU on both nodes; the generator's has {here}, the trainer's {there}: choose "
                "other nodes (placement.generator_node, placement.trainer_node), or set placement: cpu"
            )
        _require(need.engine_least, engine_gpus[0].free_bytes * ALONE, "engine", "a smaller generation.max_model_len")
        own = trainer_gpus[0] if trainer_gpus else engine_gpus[1]
        _require(need.trainer, own.free_bytes * ALONE, "trainer", "a smaller training.batch_size")
        typed = block.trainer_memory_gib
        return GpuPlan(
            "split",
            engine_gpus=1,
            trainer_gpus=1,
            engine_share=_share(block.engine_memory_gib, engine_gpus[0]),
            kv_cache_bytes=_bytes(kv_cache_gib),
            trainer_bytes=_bytes(typed),
        )
    if trainer_gpus is not None:
        raise BadInput(
            "placement shared means one GPU, so the trainer runs on the generator's node: name only one node"
        )
    if not here:
        raise BadInput(
            "placement shared needs a GPU, and the generator's node has none that Ray counts: start Ray there with "
            "--num-gpus=1, or set placement: cpu"
        )
    return _shared(block, kv_cache_gib, engine_gpus[0], need)


def _shared(block: PlacementBlock, kv_cache_gib: float | None, gpu: Gpu, need: Need) -> GpuPlan:
    """Both resident on one GPU: the trainer takes its estimate (or what is typed), the engine the rest."""
    trainer = _bytes(block.trainer_memory_gib) or need.trainer
    engine = _bytes(block.engine_memory_gib) or gpu.free_bytes - trainer
    kv = _bytes(kv_cache_gib) or engine - need.weights - ENGINE_OVERHEAD
    least = need.weights + ENGINE_OVERHEAD + max(kv if kv_cache_gib else 0, need.kv_per_token * need.longest)
    if engine + trainer > gpu.free_bytes or engine < least:
        cache = need.kv_per_token * need.longest
        raise BadInput(
            f"placement shared does not fit {gpu.name}: the engine needs {least / GIB:.1f} GiB at the least (weights "
            f"{need.weights / GIB:.1f}, KV cache for {need.longest} tokens {cache / GIB:.1f} or what is typed as "
            f"generation.kv_cache_gib), the trainer {trainer / GIB:.1f}, and {gpu.free_bytes / GIB:.1f} of "
            f"{gpu.total_bytes / GIB:.1f} GiB are free: lower generation.max_model_len, generation.kv_cache_gib, "
            "training.batch_size or placement.*_memory_gib, choose a smaller model, or placement: split on two GPUs"
        )
    return GpuPlan(
        "shared",
        engine_gpus=0.5,
        trainer_gpus=0.5,
        engine_share=math.floor(1000 * engine / gpu.total_bytes) / 1000,
        kv_cache_bytes=kv,
        trainer_bytes=trainer,
    )


def need(
    model_dir: str | Path,
    *,
    engine_bytes_per_weight: int,
    trainer_bytes_per_weight: int,
    max_model_len: int,
    batch_size: int,
    lora_r: int,
    checkpointing: bool,
) -> Need:
    """Estimate from config.json and the weight files.

    Adapter: 16 bytes per weight (float32 weight, gradient, two moments of AdamW) on all seven projections of a
    decoder. Activations: per token and layer about 34 × hidden bytes without checkpointing (Korthikanti et al. 2022,
    arXiv:2205.05198, equation 2, without the attention term); with it, 2 × hidden and one whole layer.
    """
    config = json.loads((Path(model_dir) / "config.json").read_text(encoding="utf-8"))
    config = {**config, **(config.get("text_config") or {})}
    weights = parameter_count(model_dir)
    hidden, layers, heads = (int(_first(config, *names)) for names in _SHAPE)
    kv_heads = int(config.get("num_key_value_heads") or heads)
    head_dim = int(config.get("head_dim") or hidden // heads)
    inner = int(config.get("intermediate_size") or 4 * hidden)
    adapter = lora_r * layers * (4 * hidden + 2 * (heads + kv_heads) * head_dim + 3 * (hidden + inner))
    tokens = batch_size * max_model_len
    layer = 34 * hidden * tokens
    activations = layer + 2 * hidden * tokens * layers if checkpointing else layer * layers
    logits = min(LOGITS_LIMIT, tokens * int(config.get("vocab_size") or 0) * 8)
    return Need(
        weights=weights * engine_bytes_per_weight,
        kv_per_token=2 * layers * kv_heads * head_dim * engine_bytes_per_weight,
        longest=max_model_len,
        trainer=weights * trainer_bytes_per_weight + 16 * adapter + activations + logits + TRAINER_OVERHEAD,
    )


_SHAPE = (("hidden_size", "n_embd", "d_model"), ("num_hidden_layers", "n_layer"), ("num_attention_heads", "n_head"))


def _first(config: dict[str, Any], *names: str) -> Any:
    for name in names:
        if config.get(name):
            return config[name]
    raise BadInput(f"the model's config.json has none of {', '.join(names)}, so its memory cannot be estimated")


def _require(wanted: int, free: float, who: str, remedy: str) -> None:
    if wanted > free:
        raise BadInput(
            f"placement split: the {who} needs about {wanted / GIB:.1f} GiB and its GPU has {free / GIB:.1f} for it: "
            f"choose a smaller model or {remedy}"
        )


def _share(typed_gib: float | None, gpu: Gpu) -> float:
    return min(ALONE, _bytes(typed_gib) / gpu.total_bytes) if typed_gib else ALONE


def _bytes(gib: float | None) -> Any:
    return int(gib * GIB) if gib else None
