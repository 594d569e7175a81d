"""How one engine is started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class EngineSettings:
    """How one engine is started; the device is detected by vLLM."""

    model_dir: str
    """Folder of the base model with its tokenizer."""
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    """Of base and LoRA weights in the engine."""
    max_model_len: int = 2048
    """Tokens of prompt and answer together, plus one position that scoring needs."""
    max_num_seqs: int = 128
    """Requests that run at the same time; more wait inside the engine."""
    threads: int = 1
    """OpenMP threads of the worker on a CPU; without effect on a GPU."""
    cores: tuple[int, ...] | None = None
    """CPU only: logical CPUs that the worker's threads are pinned to, one thread each (`threads` is then unused).
    None: not pinned."""
    seed: int = 0
    """Of the engine itself; every sample has its own seed."""
    max_lora_rank: int = 16
    """Rank of the adapters, exactly where it can be: a larger one is multiplied out in full."""
    lora_modules: tuple[str, ...] = PROJECTIONS
    """Last names of the modules that adapters may adapt, as in PEFT's `target_modules`. The others get no LoRA
    layers at all: with them on the output layer, vLLM cannot score prompts. One forgotten here fails the proof."""
    lora: bool = True
    """False starts an engine that serves the base only."""
    gpu_memory_utilization: float = 0.9
    """Share of a GPU's memory for weights, activations and KV cache together; without effect on a CPU."""
    kv_cache_memory_bytes: int | None = None
    """Size of the KV cache. None: on a CPU enough for `max_num_seqs` full sequences, at most a quarter of the
    memory that is free; on a GPU what `gpu_memory_utilization` leaves."""
    max_num_batched_tokens: int | None = None
    """Tokens in one step; None: on a CPU `max_model_len`, at least 4096; on a GPU vLLM's choice."""
    attention_backend: str | None = None
    """vLLM's attention backend by its name; None: vLLM's choice."""
    safetensors_load_strategy: str | None = None
    """How weight files are read (lazy, eager, prefetch); None: vLLM's choice."""
    enforce_eager: bool | None = None
    """Without graph capture and compilation. None: on a CPU yes (else scoring needs a C++ compiler), on a GPU no."""
    trust_remote_code: bool = False
    """Run the Python code that a model folder brings along."""
    system_prompt: str | None = None
    """Rendered in front of every prompt."""
    scratch_dir: str | None = None
    """Where the folder for sockets is made; None: the system's temporary folder. Socket paths end at 107 characters."""
    debug: bool = False
    """Show vLLM's log; otherwise only its errors."""
