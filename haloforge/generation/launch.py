"""What surrounds an engine's start: the environment of vLLM's processes, what its CPU build needs, what it leaves.

Not here: the settings that every device shares (haloforge/generation/engine.py).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from haloforge.errors import BadInput
from haloforge.generation.settings import DTYPE_BYTES, EngineSettings


def cpu_settings(settings: EngineSettings) -> tuple[dict[str, Any], dict[str, str]]:
    """What vLLM's CPU build needs besides: engine arguments and environment variables.

    Raises:
        BadInput: the model's heads have a size that the CPU attention lacks; vLLM would start and die at a request.
    """
    from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend

    config = json.loads((Path(settings.model_dir) / "config.json").read_text(encoding="utf-8"))
    head_dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    known = CPUAttentionBackend.get_supported_head_sizes()
    if head_dim not in known:
        sizes = ", ".join(map(str, known))
        raise BadInput(f"{settings.model_dir} has heads of {head_dim} numbers and vLLM's CPU attention knows {sizes}")
    kv_heads = config.get("num_key_value_heads") or config["num_attention_heads"]
    per_token = 2 * config["num_hidden_layers"] * kv_heads * head_dim * DTYPE_BYTES[settings.dtype]
    arguments = {
        # A partial prefill would rewind the request's generator, which a CPU generator cannot do.
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": settings.max_num_batched_tokens or max(settings.max_model_len, 4096),
        "kv_cache_memory_bytes": settings.kv_cache_memory_bytes or _kv_cache_bytes(settings, per_token),
    }
    if settings.enforce_eager is None:
        arguments["enforce_eager"] = True
    environ = {"OMP_NUM_THREADS": str(settings.threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    if settings.cores:
        environ["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(map(str, settings.cores))
    if settings.enforce_eager is not False:
        # Without this, scoring compiles a small kernel on first use: 18 s with g++, a dead engine without.
        environ["TORCHDYNAMO_DISABLE"] = "1"
    return arguments, environ


def attention_backend(name: str) -> Any:
    """vLLM's attention backend of that name. Raises BadInput with the names that there are."""
    from vllm.v1.attention.backends.registry import AttentionBackendEnum

    try:
        return AttentionBackendEnum[name]
    except (KeyError, ValueError):
        known = ", ".join(sorted(AttentionBackendEnum.__members__))
        raise BadInput(f"generation.attention_backend is {name!r}; this vLLM knows {known}") from None


def _kv_cache_bytes(settings: EngineSettings, per_token: int) -> int:
    """Keys and values of `max_num_seqs` full sequences in whole blocks, at most a quarter of the free memory."""
    tokens = (settings.max_num_seqs + 1) * (-(-settings.max_model_len // 128) * 128)
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(tokens * per_token, free // 4)


def shared_memory(scratch: str) -> list[Path]:
    """The named shared memory of the processes that were started with this scratch folder in their environment."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"VLLM_RPC_BASE_PATH={scratch}".encode() in (process / "environ").read_bytes().split(b"\0"):
                lines = (process / "maps").read_text().splitlines()
                found |= {line.split(maxsplit=5)[5] for line in lines if "/dev/shm/psm_" in line}
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return [Path(file) for file in sorted(found) if not file.endswith("(deleted)")]


@contextlib.contextmanager
def environment(scratch: str, debug: bool) -> Iterator[Any]:
    """The environment that vLLM's processes start with; ours is put back, also from what vLLM sets itself."""
    before = dict(os.environ)
    os.environ.update(
        VLLM_RPC_BASE_PATH=scratch,
        TMPDIR=scratch,
        VLLM_NO_USAGE_STATS="1",
        DO_NOT_TRACK="1",
        HF_HUB_OFFLINE="1",
        TOKENIZERS_PARALLELISM="false",
        VLLM_LOGGING_LEVEL="DEBUG" if debug else "ERROR",
    )
    if not debug:
        os.environ.setdefault("PYTHONWARNINGS", "ignore::FutureWarning")
    try:
        yield os.environ
    finally:
        os.environ.clear()
        os.environ.update(before)
