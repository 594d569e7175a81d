"""How busy this process's GPUs are, CUDA or ROCm, where there are any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def gpus() -> list[dict[str, Any]]:
    """{"gpu": number, "use": 0…1, "memory_bytes": in use by all processes} of each visible GPU; empty on a CPU.

    Asks pynvml (CUDA) or amdsmi (ROCm), which starts nothing on the device; a figure that they do not give is None.
    """
    import torch

    if not torch.cuda.is_available():
        return []
    return [
        {"gpu": n, "use": _share(_asked(torch.cuda.utilization, n)), "memory_bytes": _memory(n)}
        for n in range(torch.cuda.device_count())
    ]


def _memory(n: int) -> int | None:
    import torch

    if torch.cuda.is_initialized():  # what HIP says is right on an APU too, but asking it takes memory for a context
        free, total = torch.cuda.mem_get_info(n)
        return total - free
    return _asked(torch.cuda.device_memory_used, n)


def _share(percent: int | None) -> float | None:
    return None if percent is None else percent / 100


def _asked(question: Callable[[int], int], n: int) -> int | None:
    try:
        return question(n)
    except (ModuleNotFoundError, RuntimeError):  # no library; or it is there and the driver refuses
        return None
