"""LoRA on the CPU as two dense products per module instead of a gathered weight matrix per token.

vLLM's CPU kernels index the adapter's weights by token, which materialises a copy of A and B for every token of the
batch, and give tokens *without* adapter (index -1) the last slot's weights where a batch mixes both. These
multiply the tokens of each adapter at once, and leave tokens without adapter alone. The served buffers stay vLLM's
`lora_a_stacked`/`lora_b_stacked`: those of a fused module become views into one tensor each, so what an adapter load
writes and what is compared is what is multiplied. Linear modules only, on one worker; everything else stays vLLM's.
"""

from __future__ import annotations

from typing import Any

import torch
from vllm.lora.layers.base_linear import BaseLinearLayerWithLoRA
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU


class DenseLoraWrapper(PunicaWrapperCPU):
    """vLLM's CPU wrapper with `add_lora_linear` computed per adapter; everything else is inherited."""

    def __init__(self, original: PunicaWrapperCPU) -> None:
        self.__dict__.update(original.__dict__)
        self.fused: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        """id of a module's first A buffer -> A (slots, slices*rank, in), B (slots, out, slices*rank, block-diagonal)"""
        self.groups: list[tuple[int, torch.Tensor | None]] = []
        """Of the current batch: (slot, token rows), None for all rows; tokens without adapter are in no group."""

    def update_metadata(self, *args: Any, **kwargs: Any) -> None:
        super().update_metadata(*args, **kwargs)
        indices = self.token_lora_indices
        slots = torch.unique(indices).tolist()
        if len(slots) == 1:
            self.groups = [(slots[0], None)] if slots[0] >= 0 else []
        else:
            self.groups = [(slot, (indices == slot).nonzero().squeeze(1)) for slot in slots if slot >= 0]

    def add_lora_linear(
        self,
        y: torch.Tensor,
        x: torch.Tensor,
        lora_a_stacked: tuple[torch.Tensor, ...],
        lora_b_stacked: tuple[torch.Tensor, ...],
        scale: float,
        output_slices: tuple[int, ...],
        **kwargs: Any,
    ) -> None:
        """y (T, out) += scale * (x (T, in) @ A.T) @ B.T, for each token with its own adapter; in place."""
        fused = self.fused.get(id(lora_a_stacked[0]))
        if fused is None:
            super().add_lora_linear(y, x, lora_a_stacked, lora_b_stacked, scale, output_slices, **kwargs)
            return
        a, b = fused
        for slot, rows in self.groups:
            if rows is None:
                y.addmm_(x @ a[slot].t(), b[slot].t(), alpha=scale)
            else:
                y.index_add_(0, rows, (x[rows] @ a[slot].t()) @ b[slot].t(), alpha=scale)


def install(manager: Any) -> int:
    """Replace the wrapper and the buffers of every linear LoRA module of vLLM's adapter manager.

    Adapters that are loaded already keep their weights. Returns the number of modules taken over.
    """
    wrappers = {name: DenseLoraWrapper(old) for name, old in manager.punica_wrapper_mapping.items()}
    manager.punica_wrapper_mapping = wrappers
    count = 0
    for name, module in manager.modules.items():
        wrapper = manager._get_punica_wrapper(name)
        module.set_mapping(wrapper)
        if isinstance(module, BaseLinearLayerWithLoRA) and module.tp_size == 1:
            _fuse(module, wrapper)
            count += 1
    return count


def _fuse(module: Any, wrapper: DenseLoraWrapper) -> None:
    """Make the module's stacked buffers views into one A and one block-diagonal B, and register these."""
    old_a, old_b = module.lora_a_stacked, module.lora_b_stacked
    slots, _, rank, width = old_a[0].shape
    heights = [b.shape[2] for b in old_b]
    a = old_a[0].new_zeros(slots, len(old_a) * rank, width)
    b = old_b[0].new_zeros(slots, sum(heights), len(old_b) * rank)
    module.lora_a_stacked = tuple(a[:, None, i * rank : (i + 1) * rank] for i in range(len(old_a)))
    module.lora_b_stacked = tuple(
        b[:, None, sum(heights[:i]) : sum(heights[: i + 1]), i * rank : (i + 1) * rank] for i in range(len(old_b))
    )
    for new, old in zip(module.lora_a_stacked + module.lora_b_stacked, old_a + old_b, strict=True):
        new.copy_(old)
    wrapper.fused[id(module.lora_a_stacked[0])] = (a, b)
