"""The schema of `python -m haloforge.sft`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from haloforge.config.blocks import (
    AboveZero,
    Block,
    Count,
    LearningRate,
    LoraBlock,
    NotNegative,
    Positive,
    Root,
    Seed,
    Share,
    ShareBelowOne,
)


class DataBlock(Block):
    train_file: str | None = None
    """JSONL with `prompt` and `completion`, or `text`, per line."""
    validation_split: ShareBelowOne = 0.05
    """Share of the prompts held out to measure eval_loss."""
    max_seq_length: Positive = 2048
    """Tokens; a longer row is left out and counted, never cut."""


class SftTrainingBlock(Block):
    output_dir: str = "models/sft"
    """Relative to the working directory, in a submitted job to HALOFORGE_HOME."""
    num_train_epochs: Positive = 3
    """Passes over the data."""
    per_device_train_batch_size: Positive = 2
    """Rows per step and device."""
    gradient_accumulation_steps: Positive = 16
    """Batches per optimizer step."""
    learning_rate: LearningRate = 2e-4
    """The highest, after warm-up; then it falls along a cosine."""
    warmup_ratio: Share = 0.03
    """Share of the steps in which the learning rate rises; at most a tenth of them."""
    weight_decay: NotNegative = 0.0
    """Of AdamW."""
    max_grad_norm: AboveZero = 1.0
    """Longer gradients are scaled down to this norm."""
    gradient_checkpointing: bool | Literal["auto"] = "auto"
    """Recomputes activations to save memory; auto: on a GPU only."""
    bf16: bool = True
    """BF16 base and compute; false: float32."""
    dataloader_num_workers: Count = 0
    """Processes that prepare batches; 0: the trainer itself."""
    dataloader_pin_memory: bool = False
    """Has an effect with a GPU only."""


class SftEarlyStoppingBlock(Block):
    enabled: bool = True
    """Ends the training where eval_loss has stopped falling; without validation rows it has no effect."""
    patience: Positive = 3
    """Measurements without a new best before the training ends."""
    min_delta: Annotated[float, Field(ge=0)] = 0.01
    """What counts as a new best: an eval_loss lower by at least so much."""


class SftConfig(Root):
    """Settings of `haloforge sft train`, the same program as `python -m haloforge.sft`."""

    method: Literal["lora", "full"] = "lora"
    """lora: an adapter on the frozen base; full: every weight, float32 masters."""
    data: DataBlock = DataBlock()
    lora: LoraBlock = LoraBlock()
    training: SftTrainingBlock = SftTrainingBlock()
    early_stopping: SftEarlyStoppingBlock = SftEarlyStoppingBlock()
    seed: Seed = 0
    """Of the split, the order of the rows and a fresh adapter's weights."""
    system_prompt: str | None = None
    """Rendered in front of every prompt; unset: nothing beyond the chat template's own."""
