"""The actors of one run: sized, started together, checked, and closed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from actors.cluster import Cluster, on_node
from actors.generator import RaySampler
from actors.placement import CpuPlan, plan_cpus, spread
from actors.pool import VerifierPool
from actors.trainer import RayLearner
from haloforge import models
from haloforge.config import RaftConfig
from haloforge.generation.settings import EngineSettings
from haloforge.models import StartPoint
from haloforge.preparation import DEFAULT_CONTEXT, verifier_arguments
from haloforge.training.learner import LearnerSettings
from haloforge.training.plan import UpdatePlan

log = logging.getLogger("haloforge")


def plan(cluster: Cluster, config: RaftConfig) -> CpuPlan:
    """The run's share of the cluster's CPUs; raises BadInput where they do not suffice."""
    here = cluster.nodes[0].cpus
    cpus = plan_cpus(cluster.free_cpus, here, config.generation.threads, config.verifiers.count)
    log.info("CPUs: generator %d, verifiers %d", cpus.generator_threads, cpus.verifiers)
    return cpus


@asynccontextmanager
async def crew(
    cluster: Cluster, config: RaftConfig, start: StartPoint, cpus: CpuPlan
) -> AsyncIterator[tuple[RaySampler, VerifierPool, RayLearner]]:
    """Start generator, verifiers and trainer, wait until all are ready, and close them afterwards.

    Generator and trainer run on the driver's node, verifiers wherever a CPU is left.
    """
    here = on_node(cluster.nodes[0])
    sampler = RaySampler(engine_settings(config, start, cpus), cpus.generator_threads, here)
    learner = RayLearner(learner_settings(config, start.base_dir, cpus), update_plan(config), here)
    free = [n.cpus - (cpus.generator_threads if n is cluster.nodes[0] else 0) for n in cluster.nodes]
    places = [cluster.nodes[i] for i in spread(cpus.verifiers, free)]
    judge = VerifierPool(places, config.verifier.type, verifier_arguments(config))
    _, _, verifiers = await asyncio.gather(sampler.start(), learner.start(), judge.start())
    log.info("ready: engine, trainer, %d verifiers (sandbox level %s)", len(verifiers), verifiers[0]["level"])
    yield sampler, judge, learner
    await asyncio.gather(sampler.close(), learner.close())


def engine_settings(config: RaftConfig, start: StartPoint, cpus: CpuPlan) -> EngineSettings:
    """The adapter that the run starts from has its own rank and modules; `lora:` counts only without one."""
    generation = config.generation
    rank, modules = config.lora.r, config.lora.target_modules
    if start.adapter_dir:
        rank, modules = models.adapter_shape(start.adapter_dir)
    return EngineSettings(
        model_dir=start.base_dir,
        dtype=generation.dtype,
        max_model_len=generation.max_model_len or models.context_length(start.base_dir) or DEFAULT_CONTEXT,
        max_num_seqs=generation.batch_size * config.raft.samples_per_prompt,
        threads=cpus.generator_threads,
        max_lora_rank=rank,
        lora_modules=modules,
        kv_cache_memory_bytes=int(generation.kv_cache_gib * 2**30) if generation.kv_cache_gib else None,
        max_num_batched_tokens=generation.max_num_batched_tokens,
        attention_backend=generation.attention_backend,
        enforce_eager=generation.enforce_eager,
        safetensors_load_strategy=generation.safetensors_load_strategy,
        trust_remote_code=config.model.trust_remote_code,
        system_prompt=generation.system_prompt,
    )


def learner_settings(config: RaftConfig, base: str, cpus: CpuPlan) -> LearnerSettings:
    return LearnerSettings(
        model_dir=base,
        method="lora",
        lora_r=config.lora.r,
        lora_alpha=config.lora.alpha,
        lora_dropout=config.lora.dropout,
        lora_target_modules=config.lora.target_modules,
        dtype="bfloat16" if config.hardware.bf16 else "float32",
        served_dtype=config.generation.dtype,
        attn_implementation=config.attention,
        gradient_checkpointing=config.hardware.gradient_checkpointing,
        trust_remote_code=config.model.trust_remote_code,
        threads=cpus.trainer_threads,
        seed=config.seed,
    )


def update_plan(config: RaftConfig) -> UpdatePlan:
    training = config.training
    return UpdatePlan(
        learning_rate=training.learning_rate,
        epochs=training.epochs,
        batch_size=training.batch_size,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        min_steps=training.min_steps,
        warmup_ratio=training.warmup_ratio,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        packing=training.packing,
        dataloader_num_workers=training.dataloader_num_workers,
        dataloader_pin_memory=training.dataloader_pin_memory,
        seed=config.seed,
    )
