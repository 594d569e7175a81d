"""What a user may set, in one schema: YAML, typed flags and `--set a.b=value` end up here.

A flag beats the YAML only when the user typed it. An unknown key is an error that names the nearest
known one. Every field says below it what it does, its unit and its special values.
Not here: whether files exist or tools are installed (haloforge.preflight looks).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from haloforge.errors import BadInput


class Block(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


def _number(value: Any) -> Any:
    """PyYAML follows YAML 1.1 and reads `2e-5` as text: the declared type of the field decides."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


Number = Annotated[float, BeforeValidator(_number)]
Share = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]


class ModelBlock(Block):
    name: str | None = None
    """A folder with a Hugging Face causal LM, or `builtin:practice/base`, the demo's own base."""
    trust_remote_code: bool = False
    """Runs code that comes with the model, in the generator and in the trainer."""
    attn_implementation: str | None = None
    """Attention of the trainer; unset: sdpa, else eager, said once. A typed value is obeyed."""


class RaftBlock(Block):
    num_cycles: Positive = 5
    samples_per_prompt: Positive = 8
    reward_threshold: Share = 0.5
    """A kept sample has at least this reward."""
    keep_top_percent: Annotated[float, BeforeValidator(_number), Field(gt=0, le=1)] = 0.5
    """Share of a prompt's eligible samples that is kept, best first; at least one."""
    max_kept_per_prompt: Positive = 4
    selection: Literal["per_prompt", "uniform"] = "per_prompt"
    """uniform: the control, which ignores the verdicts and keeps as many samples at random."""
    control_of: str | None = None
    """With `selection: uniform`: the run folder whose count of kept samples each cycle copies."""
    partial_credit: bool = False
    """Trains also on samples that passed only some of their tests (reward ≥ reward_threshold)."""
    lr_decay: Annotated[float, BeforeValidator(_number), Field(gt=0, le=1)] = 0.85
    """Learning rate of cycle N = learning_rate × lr_decay^(N−1), never below 1e-6."""

    @model_validator(mode="after")
    def _control_needs_uniform(self) -> RaftBlock:
        if self.control_of is not None and self.selection != "uniform":
            raise ValueError("control_of has an effect only with selection: uniform")
        return self


class GenerationBlock(Block):
    max_new_tokens: Positive = 1024
    temperature: Annotated[float, BeforeValidator(_number), Field(gt=0, le=5)] = 0.7
    """Sampling temperature of the training samples."""
    top_p: Annotated[float, BeforeValidator(_number), Field(gt=0, le=1)] = 1.0
    batch_size: Positive = 8
    """Prompts in flight per generator; times samples_per_prompt requests run in the engine at once."""
    system_prompt: str | None = None
    """Rendered wherever a prompt is; unset: nothing beyond the chat template's own."""
    max_model_len: Positive | None = None
    """Longest prompt plus completion in tokens; unset: the model's own context length."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Weights of the engine and of the trainer's frozen base."""
    threads: Positive | None = None
    """Threads of the engine on a CPU, each pinned to a core; unset: the CPUs less one verifier, at most 8."""
    gpu_memory_utilization: Annotated[float, BeforeValidator(_number), Field(gt=0, lt=1)] = 0.5
    """Share of a GPU's memory that the engine may take. No effect on a CPU, where kv_cache_gib counts."""
    kv_cache_gib: Annotated[float, BeforeValidator(_number), Field(gt=0)] = 1.0
    """GiB of main memory for the engine's cache of keys and values, on a CPU."""


class LoraBlock(Block):
    r: Positive = 16
    alpha: Positive = 32
    dropout: Share = 0.05
    target_modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class TrainingBlock(Block):
    epochs: Positive = 1
    batch_size: Positive = 2
    """Samples per step and device, packed or not."""
    gradient_accumulation_steps: Positive = 16
    learning_rate: Annotated[float, BeforeValidator(_number), Field(gt=0, lt=1)] = 5e-5
    min_steps: Positive = 8
    """Optimizer steps that a cycle takes at the least: less accumulation, then smaller batches, then more epochs."""
    warmup_ratio: Share = 0.03
    weight_decay: Annotated[float, BeforeValidator(_number), Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, BeforeValidator(_number), Field(gt=0)] = 1.0
    packing: Literal["auto"] | bool = "auto"
    """Several samples in one row, without attention across them; auto: not on a CPU, where it costs time."""
    dataloader_num_workers: Annotated[int, Field(ge=0)] = 0
    dataloader_pin_memory: bool = False


class HardwareBlock(Block):
    bf16: bool = True
    """BF16 base and compute in the trainer; false: float32."""
    gradient_checkpointing: bool | Literal["auto"] = "auto"
    """Recomputes activations to save memory; auto: on a GPU only."""


class VerifierBlock(Block):
    type: str = "gcc"
    """gcc | execution."""
    args: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the verifier's constructor."""
    run_after_compile: bool = False
    """Also runs what has a main, where a prompt has no tests."""
    warnings: Literal["ignore", "penalise"] = "ignore"


class EvaluationBlock(Block):
    prompts: str | dict[str, str] | None = None
    """Held-out prompts: a file, or names with a file each; unset: a share of the run's prompts."""
    holdout: Share = 0.05
    """Share of the run's prompts held out where no evaluation prompts are given."""
    samples: Positive = 4
    """Samples per held-out prompt at T = 1.0, for pass@1."""
    every: Positive = 1
    """Measures after every so many cycles, and always after the last."""
    base_temperatures: tuple[Number, ...] = ()
    """Temperatures at which the start point is measured as well, before cycle 1."""


class VerifiersBlock(Block):
    count: Positive | None = None
    """Verifier actors; unset: one per CPU that generator and trainer leave free."""
    max_infra_errors: Share = 0.1
    """Share of a cycle's verdicts that may be lost to our own faults before the run stops."""


class LimitsBlock(Block):
    cpu_s: Annotated[float, BeforeValidator(_number), Field(gt=0)] = 2.0
    """CPU seconds per case where the prompt gives none."""
    compile_cpu_s: Annotated[float, BeforeValidator(_number), Field(gt=0)] = 10.0
    memory_mb: Positive = 512
    """Memory per program in MB where the prompt gives none."""


class Root(Block):
    model: ModelBlock = ModelBlock()
    """The base; a plain string means `model.name`."""

    @model_validator(mode="before")
    @classmethod
    def _plain_model_is_a_name(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("model"), str):
            data = {**data, "model": {"name": data["model"]}}
        return data


class RaftConfig(Root):
    """configs/*.yaml of `python -m haloforge.raft`."""

    sft_checkpoint: str | None = None
    """Where to start: a model folder, or an adapter folder whose base is read from its config."""
    prompts: str | None = None
    """JSONL with a prompt per line, or `builtin:practice/prompts.jsonl`."""
    output_dir: str = "models/raft"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    raft: RaftBlock = RaftBlock()
    generation: GenerationBlock = GenerationBlock()
    lora: LoraBlock = LoraBlock()
    training: TrainingBlock = TrainingBlock()
    hardware: HardwareBlock = HardwareBlock()
    verifier: VerifierBlock = VerifierBlock()
    evaluation: EvaluationBlock = EvaluationBlock()
    verifiers: VerifiersBlock = VerifiersBlock()
    limits: LimitsBlock = LimitsBlock()
    allow_weak: bool = False
    """Goes on where the full sandbox cannot be had; every verdict then names the weaker level."""

    @property
    def start_point(self) -> str | None:
        return self.sft_checkpoint or self.model.name


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
FREE = (
    ("raft", "num_cycles"),
    *(("generation", key) for key in ("batch_size", "threads", "gpu_memory_utilization", "kv_cache_gib")),
)
"""Keys inside those blocks that may change on a resume."""


def identity(config: RaftConfig) -> dict[str, Any]:
    """The part of a config that a resumed run must share with its run folder."""
    whole = config.model_dump(mode="json")
    part = {name: whole[name] for name in IDENTITY}
    for block, key in FREE:
        part[block].pop(key)
    return part


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


ConfigT = TypeVar("ConfigT", bound=Block)


def load(kind: type[ConfigT], file: Path | None, typed: Mapping[str, Any] | None = None) -> ConfigT:
    """Read a YAML file (or none), lay the typed values (`a.b` → value) over it, and validate.

    Raises BadInput with the file, the key, the value seen and what is wanted.
    """
    data: dict[str, Any] = {}
    if file is not None:
        try:
            read = yaml.safe_load(file.read_text(encoding="utf-8"))
        except OSError as e:
            raise BadInput(f"cannot read config {file}: {e.strerror}") from e
        except yaml.YAMLError as e:
            raise BadInput(f"{file} is not valid YAML: {e}") from e
        if read is not None and not isinstance(read, dict):
            raise BadInput(f"{file} must hold keys and values, not a {type(read).__name__}")
        data = read or {}
    for path, value in (typed or {}).items():
        _place(data, path, value)
    try:
        return kind.model_validate(data)
    except ValidationError as e:
        raise BadInput(_worded(kind, e, file)) from e


def parse_setting(text: str) -> tuple[str, Any]:
    """`a.b=value` as typed after --set; the value is read as YAML."""
    path, found, value = text.partition("=")
    if not found or not path.strip():
        raise BadInput(f"--set wants key=value, for example --set training.learning_rate=2e-5; got {text!r}")
    try:
        return path.strip(), yaml.safe_load(value)
    except yaml.YAMLError as e:
        raise BadInput(f"--set {text}: the value is not valid YAML: {e}") from e


def _place(data: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        below = data.get(name)
        if name == "model" and isinstance(below, str):
            below = {"name": below}
        data[name] = below = dict(below) if isinstance(below, dict) else {}
        data = below
    data[last] = value


def _worded(kind: type[BaseModel], error: ValidationError, file: Path | None) -> str:
    lines = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(where, known_keys(kind), n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            lines.append(f"unknown key {where!r}{hint}")
        else:
            lines.append(f"{where}: {problem['msg']} (got {problem['input']!r})")
    return f"{file or 'the config'}: " + "\n  ".join(lines)


def known_keys(kind: type[BaseModel], prefix: str = "") -> Iterable[str]:
    """Every key of a schema in dotted form."""
    keys: list[str] = []
    for name, info in kind.model_fields.items():
        keys.append(prefix + name)
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            keys += known_keys(info.annotation, f"{prefix}{name}.")
    return keys


class SftDataBlock(Block):
    train_file: str | None = None
    """JSONL with `prompt` and `completion`, or `text`, per line."""
    validation_split: Annotated[float, BeforeValidator(_number), Field(ge=0, lt=1)] = 0.05
    """Share of the prompts held out to measure eval_loss."""
    max_seq_length: Positive = 2048
    """Tokens; a longer row is refused, never cut."""


class SftTrainingBlock(Block):
    output_dir: str = "models/sft"
    num_train_epochs: Positive = 3
    per_device_train_batch_size: Positive = 2
    gradient_accumulation_steps: Positive = 16
    learning_rate: Annotated[float, BeforeValidator(_number), Field(gt=0, lt=1)] = 2e-4
    warmup_ratio: Share = 0.03
    weight_decay: Annotated[float, BeforeValidator(_number), Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, BeforeValidator(_number), Field(gt=0)] = 1.0
    gradient_checkpointing: bool | Literal["auto"] = "auto"
    bf16: bool = True
    dataloader_num_workers: Annotated[int, Field(ge=0)] = 0
    dataloader_pin_memory: bool = False


class SftConfig(Root):
    """Configuration of `python -m haloforge.sft`."""

    method: Literal["lora", "full"] = "lora"
    """lora: an adapter on the frozen base; full: every weight, float32 masters."""
    data: SftDataBlock = SftDataBlock()
    lora: LoraBlock = LoraBlock()
    training: SftTrainingBlock = SftTrainingBlock()
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    system_prompt: str | None = None
