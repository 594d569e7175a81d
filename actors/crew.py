"""The actors of one run: sized, started together, checked, and closed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from actors.base_models import bring
from actors.cluster import Cluster, Node, gpus_of, on_node
from actors.generator import RaySampler
from actors.placement import CpuPlan, plan_cpus
from actors.pool import VerifierPool
from actors.survey import check_packages, survey
from actors.trainer import RayLearner
from haloforge import budgets, models
from haloforge.budgets import ALONE, GpuPlan, Need, plan_gpus
from haloforge.config import RaftConfig
from haloforge.generation.settings import DTYPE_BYTES, EngineSettings
from haloforge.hardware import GIB
from haloforge.models import StartPoint
from haloforge.preparation import longest, verifier_arguments
from haloforge.records import Prompt
from haloforge.training.learner import LearnerSettings
from haloforge.training.plan import UpdatePlan
from haloforge.verifiers import languages_of

log = logging.getLogger("haloforge")

NO_GPU = {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""}
"""Environment in which torch and vLLM see no GPU."""


@dataclass(frozen=True)
class Plan:
    """A run's share of the cluster: which node each part is on, and with what."""

    generator: Node
    trainer: Node
    verifiers: tuple[Node, ...]
    cpus: CpuPlan
    gpus: GpuPlan
    nodes: dict[str, dict[str, Any]]
    """What each node said of itself, by address, for versions.json."""
    machines: tuple[dict[str, Any] | None, ...]
    """What the verifiers' nodes say of all that decides a verdict there (`Verifier.fingerprint`)."""


async def plan(cluster: Cluster, config: RaftConfig, model_dir: str, prompts: Iterable[Prompt]) -> Plan:
    """Ask every node what it has, and share out CPUs and GPUs.

    Raises BadInput where they do not suffice, or a node that the config names is absent or lacks a package.
    """
    placement = config.placement
    usual = cluster.here
    if placement.mode != "cpu" and not usual.gpus:
        usual = next((node for node in cluster.nodes if node.gpus), usual)
    generator = cluster.node(placement.generator_node, "placement.generator_node", usual)
    trainer = cluster.node(placement.trainer_node, "placement.trainer_node", generator)
    found = await survey(cluster, config.verifier.type, verifier_arguments(config), languages_of(prompts))
    for role, node in (("generator", generator), ("trainer", trainer)):
        check_packages(role, next(one for one in found if one.node is node))
    gpus = GpuPlan("cpu")
    if placement.mode != "cpu":
        engine_gpus, trainer_gpus = gpus_of(generator), None if trainer is generator else gpus_of(trainer)
        wanted = need(config, model_dir) if engine_gpus else Need(0, 0, 0, 0)
        gpus = plan_gpus(placement, config.generation.kv_cache_gib, engine_gpus, trainer_gpus, wanted)
    cpus = plan_cpus(
        [node.free for node in cluster.nodes],
        [not one.lacks for one in found],
        cluster.nodes.index(generator),
        trainer.cpus,
        config.generation.threads or (None if gpus.mode == "cpu" else 1),
        config.verifiers.count,
    )
    places = tuple(cluster.nodes[i] for i in cpus.places)
    log.info("placement: %s", gpus.describe())
    log.info("generator on %s with %d CPUs, trainer on %s", generator, cpus.generator_threads, trainer)
    for node in cluster.nodes:
        log.info("verifiers on %s: %d", node, places.count(node))
    said = {one.node.ip: {k: one.says[k] for k in ("host", "cpus", "tools", "versions")} for one in found if one.says}
    machines = tuple(found[i].says.get("fingerprint") for i in cpus.places)
    return Plan(generator, trainer, places, cpus, gpus, said, machines)


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


@asynccontextmanager
async def crew(
    cluster: Cluster, config: RaftConfig, start: StartPoint, plan: Plan
) -> AsyncIterator[tuple[RaySampler, VerifierPool, RayLearner]]:
    """Start generator, verifiers and trainer where they belong, wait until all are ready, and close them afterwards."""
    bases = {node: await bring(cluster, node, start.base_dir) for node in {plan.generator, plan.trainer}}
    env = environment(config)
    sampler = RaySampler(
        replace(engine_settings(config, start, plan), model_dir=bases[plan.generator]),
        plan.cpus.generator_threads,
        {**on_node(plan.generator), "num_gpus": plan.gpus.engine_gpus},
        env,
    )
    learner = RayLearner(
        replace(learner_settings(config, start.base_dir, plan), model_dir=bases[plan.trainer]),
        update_plan(config),
        {**on_node(plan.trainer), "num_gpus": plan.gpus.trainer_gpus},
        env,
    )
    judge = VerifierPool(plan.verifiers, config.verifier.type, verifier_arguments(config))
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
        base_name=base,
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
