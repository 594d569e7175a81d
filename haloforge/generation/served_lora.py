"""What our code does inside vLLM's worker processes: compare the served LoRA with a file, install the CPU LoRA kernels.

vLLM mixes `ServedLora` into its worker class (`worker_extension_cls`), and the engine calls its methods by name,
because callables are refused. Tensor-parallel workers, whose buffers are shards, are not covered: they raise.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PEFT_PREFIX = "base_model.model."


class ServedLora:
    """Mixed into vLLM's worker; `self.model_runner` and everything below it are vLLM's."""

    model_runner: Any

    def haloforge_compare_lora(self, adapter_id: int, folder: str) -> dict[str, Any]:
        """Compare every stacked LoRA buffer of the adapter's slot with the PEFT folder, element by element.

        The expectation is built from the file alone: cast to the engine's dtype, B scaled there by alpha/r (or
        alpha/sqrt(r) with rsLoRA) as vLLM folds it in, padded with zeros to the served rank, one entry per slice
        of a fused module. Returns `matched` (count), `missing`, `differing`, `extra` (sorted tensor names).

        Raises:
            ValueError: the folder uses something beyond plain LoRA weights, or this worker holds only a shard.
        """
        import torch

        manager = self.model_runner.lora_manager._adapter_manager
        slot = manager.lora_index_to_id.index(adapter_id) if adapter_id in manager.lora_index_to_id else None
        served: dict[str, torch.Tensor] = {}
        differing: set[str] = set()
        for name, module in manager.modules.items():
            if getattr(module, "tp_size", 1) != 1:
                raise ValueError(f"{name} is split over {module.tp_size} workers; only whole modules are compared")
            parts = manager.packed_modules.get(name, [name])
            for part, a, b in zip(parts, module.lora_a_stacked, module.lora_b_stacked, strict=True):
                if slot is not None:
                    served[f"{part}.lora_A"], served[f"{part}.lora_B"] = a[slot, 0], b[slot, 0]

        matched, missing = 0, set()
        expected = _expected(Path(folder), manager.lora_config.lora_dtype)
        for name, tensor in expected.items():
            have = served.get(name)
            if have is None or not have.any():
                if have is not None and not tensor.any():
                    matched += 1
                else:
                    missing.add(name)
            elif tensor.ndim != have.ndim or any(t > h for t, h in zip(tensor.shape, have.shape, strict=True)):
                differing.add(name)
            else:
                padded = torch.zeros_like(have)
                padded[tuple(slice(n) for n in tensor.shape)] = tensor
                if torch.equal(padded, have):
                    matched += 1
                else:
                    differing.add(name)
        extra = {name for name, tensor in served.items() if name not in expected and bool(tensor.any())}
        return {"matched": matched, "missing": sorted(missing), "differing": sorted(differing), "extra": sorted(extra)}

    def haloforge_use_dense_lora(self) -> int:
        """Serve LoRA through `cpu_lora.install`; returns the number of modules that it took over."""
        from haloforge.generation.cpu_lora import install

        return install(self.model_runner.lora_manager._adapter_manager)


def _expected(folder: Path, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """{module.lora_A | module.lora_B: tensor (r, in) | (out, r)} as the engine must hold them."""
    from safetensors.torch import load_file

    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    for key in ("rank_pattern", "alpha_pattern", "modules_to_save", "use_dora", "lora_bias"):
        if config.get(key):
            raise ValueError(f"{folder}: {key} is set; only plain LoRA is compared")
    rank = config["r"]
    scaling = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
    expected = {}
    for key, tensor in load_file(folder / "adapter_model.safetensors").items():
        name = key.removeprefix(PEFT_PREFIX).removesuffix(".weight")
        if name.rpartition(".")[2] not in ("lora_A", "lora_B"):
            raise ValueError(f"{folder}: tensor {key} is not a plain LoRA weight")
        tensor = tensor.to(dtype)
        # vLLM scales B in the engine's dtype: the same rounding, in the same order.
        expected[name] = tensor * scaling if name.endswith("lora_B") else tensor
    return expected
