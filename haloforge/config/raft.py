"""The schema of `python -m haloforge.raft`, and which part of it makes a run the run it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from haloforge.config.blocks import (
    AboveZero,
    Block,
    Count,
    LearningRate,
    LoraBlock,
    Number,
    OptimizerBlock,
    Positive,
    Root,
    Seed,
    Share,
    ShareAboveZero,
    ShareBelowOne,
    Temperature,
)
from haloforge.records import COMPILE_CPU_S, CPU_S, MEMORY_MB, REFERENCE_FLOOR_S, REFERENCE_MULTIPLE


class RaftBlock(Block):
    num_cycles: Positive = 5
    """Turns of the loop; may grow when a run is continued."""
    samples_per_prompt: Positive = 8
    """Completions drawn for each prompt in each cycle."""
    reward_threshold: Share = 0.5
    """A kept sample has at least this reward."""
    keep_top_percent: ShareAboveZero = 0.5
    """Share (0…1) of the eligible samples that is kept, best first: of each prompt's, at least one; with
    `selection: global` of all."""
    max_kept_per_prompt: Positive = 4
    """Distinct samples of one prompt that are kept at most; no limit with `selection: global`."""
    selection: Literal["per_prompt", "global", "uniform"] = "per_prompt"
    """per_prompt: the best of each prompt. global: the best of all prompts together, the predecessor's rule.
    uniform: the control, which ignores the verdicts and keeps as many samples at random."""
    control_of: str | None = None
    """With `selection: uniform`: the run folder whose count of kept samples each cycle copies."""
    partial_credit: bool = False
    """Trains also on samples that passed only some of their tests (reward ≥ reward_threshold)."""
    min_samples: Count = 0
    """Where a cycle keeps fewer, further eligible samples are added until there are so many. What is not eligible
    is never trained on: with fewer eligible samples than this, all of them are kept and a warning says so."""
    restart_each_cycle: bool = False
    """Starts each cycle's adapter afresh from the start point (ReST-EM) instead of going on with the last one."""
    lr_decay: ShareAboveZero = 0.85
    """Learning rate of cycle N = learning_rate × lr_decay^(N−1), never below 1e-6."""

    @model_validator(mode="after")
    def _control_needs_uniform(self) -> RaftBlock:
        if self.control_of is not None and self.selection != "uniform":
            raise ValueError("control_of has an effect only with selection: uniform")
        return self


class GenerationBlock(Block):
    max_new_tokens: Positive = 1024
    """Longest completion in tokens; one that is cut off there is never trained on."""
    temperature: Temperature = 0.7
    """Sampling temperature of the training samples."""
    temperature_start: Temperature | None = None
    """With temperature_end: a linear schedule from the first cycle to the last, in place of `temperature`."""
    temperature_end: Temperature | None = None
    """Temperature of the last cycle."""
    top_p: ShareAboveZero = 1.0
    """Samples from the most likely tokens that together have this probability; 1 is untruncated."""
    batch_size: Positive = 8
    """Prompts in flight per generator; times samples_per_prompt requests run in the engine at once."""
    system_prompt: str | None = None
    """Rendered wherever a prompt is; unset: nothing beyond the chat template's own."""
    max_model_len: Positive | None = None
    """Longest prompt plus completion in tokens; unset: the model's own context length."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Weights of the engine."""
    threads: Positive | None = None
    """Threads of the engine on a CPU, each pinned to a core; unset: the CPUs less one verifier, at most 8.
    On a GPU its process counts as this many CPUs; unset: 1."""
    kv_cache_gib: AboveZero | None = None
    """GiB for the engine's cache of keys and values. Unset: on a CPU enough for all requests in flight, at most a
    quarter of the free memory; on a GPU what the engine's budget leaves."""
    max_num_batched_tokens: Positive | None = None
    """Tokens in one step of the engine; unset: vLLM's choice (on a CPU max_model_len, at least 4096)."""
    attention_backend: str | None = None
    """vLLM's attention, such as TRITON_ATTN; unset: vLLM's choice."""
    enforce_eager: bool | None = None
    """Without graph capture and compilation; unset: on a CPU yes, on a GPU no."""
    safetensors_load_strategy: Literal["lazy", "eager", "prefetch"] | None = None
    """How the engine reads weight files; eager avoids memory-mapped files. Unset: vLLM's choice."""

    @model_validator(mode="after")
    def _schedule_has_two_ends(self) -> GenerationBlock:
        if (self.temperature_start is None) != (self.temperature_end is None):
            raise ValueError("temperature_start and temperature_end belong together: set both or none")
        return self

    def temperature_at(self, cycle: int, cycles: int) -> float:
        """The temperature of cycle `cycle` (from 1) of `cycles`."""
        if self.temperature_start is None or self.temperature_end is None:
            return self.temperature
        way = (cycle - 1) / (cycles - 1) if cycles > 1 else 0.0
        return self.temperature_start + way * (self.temperature_end - self.temperature_start)


class TrainingBlock(OptimizerBlock):
    epochs: Positive = 1
    """Passes over the kept samples in each cycle."""
    batch_size: Positive = 2
    """Samples per step and device, packed or not."""
    gradient_accumulation_steps: Positive = 16
    """Batches per optimizer step."""
    learning_rate: LearningRate = 5e-5
    """Of the first cycle; see raft.lr_decay."""
    min_steps: Positive = 8
    """Optimizer steps that a cycle takes at the least: less accumulation, then smaller batches, then more epochs."""
    packing: Literal["auto"] | bool = "auto"
    """Several samples in one row, without attention across them; auto: not on a CPU, where it costs time."""


class HardwareBlock(Block):
    bf16: bool = True
    """BF16 base and compute in the trainer; false: float32."""
    gradient_checkpointing: bool | Literal["auto"] = "auto"
    """Recomputes activations to save memory; auto: on a GPU only."""
    attn_implementation: str | None = None
    """The same as model.attn_implementation, under the name that RAFT configs have used; wins where both are set."""
    env: dict[str, str] = Field(default_factory=dict)
    """Environment variables of the generator and the trainer, set before torch is loaded."""


class VerifierBlock(Block):
    type: str = "gcc"
    """A name of `haloforge verifiers list`, or a class of yours as package.module:Class or file.py:Class, also under
    the key `class`. A plain string for `verifier` means this key."""
    args: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the verifier's constructor."""
    stages: list[dict[str, Any]] = Field(default_factory=list)
    """Of `type: chain`: {type, args} of each verifier, in their order."""
    weights: list[Number] | None = None
    """Of `type: chain`: one number per stage, 1.0 together; unset: equal."""
    mounts: list[str] = Field(default_factory=list)
    """Folders or files of every verifier's node that boxes also see, read-only, under the same absolute paths."""
    check_only: bool = False
    """Only checks types and builds nothing: quick, and nothing so judged is trained on."""
    run_after_compile: bool = False
    """Also runs what has a main, where a prompt has no tests."""
    warnings: Literal["ignore", "penalise"] = "ignore"
    """penalise: what only builds earns 0.3 instead of 0.5 where the compiler warns."""


class EvaluationBlock(Block):
    prompts: str | dict[str, str] | None = None
    """Held-out prompts: a file, or names with a file each (the first decides); unset: a share of the run's prompts."""
    holdout: ShareBelowOne = 0.05
    """Share of the run's prompts held out where no evaluation prompts are given."""
    samples: Positive = 4
    """Samples per held-out prompt at T = 1.0, for pass@1."""
    every: Positive = 1
    """Measures after every so many cycles, and always after the last."""
    base_temperatures: tuple[Number, ...] = ()
    """Temperatures at which the start point is measured as well, before cycle 1."""


class RaftEarlyStoppingBlock(Block):
    enabled: bool = False
    """Ends the run where the first held-out set's greedy rate has stopped rising."""
    patience: Positive = 3
    """Measured cycles without a new best before the run ends."""
    min_delta: Share = 0.01
    """What counts as a new best: at least so much more than the best so far."""


class VerifiersBlock(Block):
    """The pool of verifier actors."""

    count: Positive | None = None
    """Verifier actors; unset: one per CPU that generator and trainer leave free, on every node with the tools."""
    max_infra_errors: Share = 0.1
    """Share of a cycle's verdicts that may be lost to our own faults before the run stops."""
    cache: bool = True
    """Takes verdicts from the cache under HALOFORGE_HOME, where any command that judged the same answer to the same
    task in the same circumstances left them, and leaves its own there (docs/VERIFY.md)."""


class LimitsBlock(Block):
    """Limits of what is verified."""

    cpu_s: AboveZero = CPU_S
    """CPU seconds per case where the prompt gives none."""
    compile_cpu_s: AboveZero = COMPILE_CPU_S
    """CPU seconds of the compiler."""
    memory_mb: Positive = MEMORY_MB
    """Memory per program in MB where the prompt gives none."""
    reference_multiple: AboveZero = REFERENCE_MULTIPLE
    """Where a prompt has a reference solution and no limit: so many times the CPU seconds of its longest case."""
    reference_floor_s: AboveZero = REFERENCE_FLOOR_S
    """At least so many CPU seconds, whatever the reference solution takes."""


class RaftConfig(Root):
    """Settings of `haloforge raft train`, the same program as `python -m haloforge.raft`."""

    sft_checkpoint: str | None = None
    """Where to start: a model folder, or an adapter folder whose base is read from its config."""
    prompts: str | None = None
    """JSONL with a prompt per line, or `builtin:practice/prompts.jsonl`."""
    output_dir: str = "models/raft"
    """The run folder: relative to the working directory, in a submitted job to HALOFORGE_HOME."""
    seed: Seed = 0
    """Root of every sample's seed, of the order of training and of selection."""
    raft: RaftBlock = RaftBlock()
    generation: GenerationBlock = GenerationBlock()
    lora: LoraBlock = LoraBlock()
    training: TrainingBlock = TrainingBlock()
    hardware: HardwareBlock = HardwareBlock()
    verifier: VerifierBlock = VerifierBlock()
    evaluation: EvaluationBlock = EvaluationBlock()
    early_stopping: RaftEarlyStoppingBlock = RaftEarlyStoppingBlock()
    verifiers: VerifiersBlock = VerifiersBlock()
    limits: LimitsBlock = LimitsBlock()
    allow_weak: bool = False
    """Goes on where the full sandbox cannot be had; every verdict then names the weaker level."""

    @property
    def start_point(self) -> str | None:
        return self.sft_checkpoint or self.model.name

    @property
    def attention(self) -> str | None:
        return self.hardware.attn_implementation or self.model.attn_implementation


IDENTITY = (
    "model",
    "sft_checkpoint",
    "seed",
    "generation",
    "verifier",
    "limits",
    "raft",
    "lora",
    "training",
    "hardware",
)
"""Blocks that make a run what it is: one that differs from the run folder's is refused."""
ENGINE_ONLY = (
    *("batch_size", "threads", "kv_cache_gib", "max_num_batched_tokens"),
    *("attention_backend", "enforce_eager", "safetensors_load_strategy"),
)
FREE = (("raft", "num_cycles"), ("hardware", "env"), *(("generation", key) for key in ENGINE_ONLY))
"""Keys inside those blocks that may change on a resume."""


def identity(config: RaftConfig) -> dict[str, Any]:
    """The part of a config that a resumed run must share with its run folder."""
    whole = config.model_dump(mode="json")
    part = {name: whole[name] for name in IDENTITY}
    for block, key in FREE:
        part[block].pop(key)
    return part


def over_defaults(before: Mapping[str, Any]) -> dict[str, Any]:
    """An identity of an earlier version with the keys that it did not know yet, at their defaults."""
    whole = identity(RaftConfig())
    return {**before, **{b: {**whole[b], **before[b]} for b in whole if isinstance(before.get(b), Mapping)}}


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """`key: old → new` for every leaf that differs."""
    lines: list[str] = []
    for key in sorted({*old, *new}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            lines += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            lines.append(f"{prefix}{key}: {a!r} → {b!r}")
    return lines
