"""The actors of one run: sized, started together, checked, and closed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from actors.cluster import Cluster, gpus_of, on_node
from actors.generator import RaySampler
from actors.placement import CpuPlan, plan_cpus, spread
from actors.pool import VerifierPool
from actors.trainer import RayLearner
from haloforge import budgets, models
from haloforge.budgets import ALONE, GpuPlan, Need, plan_gpus
from haloforge.config import RaftConfig
from haloforge.generation.settings import DTYPE_BYTES, EngineSettings
from haloforge.hardware import GIB
from haloforge.models import StartPoint
from haloforge.preparation import DEFAULT_CONTEXT, verifier_arguments
from haloforge.training.learner import LearnerSettings
from haloforge.training.plan import UpdatePlan

log = logging.getLogger("haloforge")

NO_GPU = {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""}
"""Environment in which torch and vLLM see no GPU."""


@dataclass(frozen=True)
class Plan:
    """A run's share of the cluster."""

    cpus: CpuPlan
    gpus: GpuPlan


def plan(cluster: Cluster, config: RaftConfig, model_dir: str) -> Plan:
    """The run's share of the cluster's CPUs and GPUs; raises BadInput where they do not suffice."""
    here = cluster.nodes[0]
    gpus = GpuPlan("cpu")
    if config.placement.mode != "cpu":
        found = gpus_of(here)
        wanted = need(config, model_dir) if found else Need(0, 0, 0, 0)
        gpus = plan_gpus(config.placement, config.generation.kv_cache_gib, found, None, wanted)
    threads = config.generation.threads or (None if gpus.mode == "cpu" else 1)
    cpus = plan_cpus(cluster.free_cpus, here.cpus, threads, config.verifiers.count)
    log.info("placement: %s; CPUs: generator %d, verifiers %d", gpus.describe(), cpus.generator_threads, cpus.verifiers)
    return Plan(cpus, gpus)


def need(config: RaftConfig, model_dir: str) -> Need:
    """What the model needs of a GPU's memory with these settings."""
    return budgets.need(
        model_dir,
        engine_bytes_per_weight=DTYPE_BYTES[config.generation.dtype],
        trainer_bytes_per_weight=2 if config.hardware.bf16 else 4,
        max_model_len=longest(config, model_dir),
        batch_size=config.training.batch_size,
        lora_r=config.lora.r,
        checkpointing=config.hardware.gradient_checkpointing is not False,
    )


def longest(config: RaftConfig, model_dir: str) -> int:
    """Tokens of the longest sequence."""
    return config.generation.max_model_len or models.context_length(model_dir) or DEFAULT_CONTEXT


@asynccontextmanager
async def crew(
    cluster: Cluster, config: RaftConfig, start: StartPoint, plan: Plan
) -> AsyncIterator[tuple[RaySampler, VerifierPool, RayLearner]]:
    """Start generator, verifiers and trainer, wait until all are ready, and close them afterwards.

    Generator and trainer run on the driver's node, verifiers wherever a CPU is left.
    """
    cpus, gpus = plan.cpus, plan.gpus
    here = on_node(cluster.nodes[0])
    env = environment(config)
    sampler = RaySampler(
        engine_settings(config, start, plan), cpus.generator_threads, {**here, "num_gpus": gpus.engine_gpus}, env
    )
    learner = RayLearner(
        learner_settings(config, start.base_dir, plan),
        update_plan(config),
        {**here, "num_gpus": gpus.trainer_gpus},
        env,
    )
    free = [n.cpus - (cpus.generator_threads if n is cluster.nodes[0] else 0) for n in cluster.nodes]
    places = [cluster.nodes[i] for i in spread(cpus.verifiers, free)]
    judge = VerifierPool(places, config.verifier.type, verifier_arguments(config))
    _, _, verifiers = await asyncio.gather(sampler.start(), learner.start(), judge.start())
    log.info("ready: engine, trainer, %d verifiers (sandbox level %s)", len(verifiers), verifiers[0]["level"])
    yield sampler, judge, learner
    await asyncio.gather(sampler.close(), learner.close())


def environment(config: RaftConfig) -> dict[str, str]:
    """Variables of the generator's and the trainer's processes."""
    return {**(NO_GPU if config.placement.mode == "cpu" else {}), **config.hardware.env}


def engine_settings(config: RaftConfig, start: StartPoint, plan: Plan) -> EngineSettings:
    """The adapter that the run starts from has its own rank and modules; `lora:` counts only without one."""
    generation, kv_cache = config.generation, config.generation.kv_cache_gib
    rank, modules = config.lora.r, config.lora.target_modules
    if start.adapter_dir:
        rank, modules = models.adapter_shape(start.adapter_dir)
    return EngineSettings(
        model_dir=start.base_dir,
        dtype=generation.dtype,
        max_model_len=longest(config, start.base_dir),
        max_num_seqs=generation.batch_size * config.raft.samples_per_prompt,
        threads=plan.cpus.generator_threads,
        max_lora_rank=rank,
        lora_modules=modules,
        gpu_memory_utilization=plan.gpus.engine_share or ALONE,
        kv_cache_memory_bytes=plan.gpus.kv_cache_bytes or (int(kv_cache * GIB) if kv_cache else None),
        max_num_batched_tokens=generation.max_num_batched_tokens,
        attention_backend=generation.attention_backend,
        enforce_eager=generation.enforce_eager,
        safetensors_load_strategy=generation.safetensors_load_strategy,
        trust_remote_code=config.model.trust_remote_code,
        system_prompt=generation.system_prompt,
    )


def learner_settings(config: RaftConfig, base: str, plan: Plan) -> LearnerSettings:
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
        gpu_memory_bytes=plan.gpus.trainer_bytes,
        threads=plan.cpus.trainer_threads,
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
        logging_steps=1,
        dataloader_num_workers=training.dataloader_num_workers,
        dataloader_pin_memory=training.dataloader_pin_memory,
        seed=config.seed,
    )
