"""The schema of `python -m haloforge.sft`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from haloforge.config.blocks import (
    Block,
    LearningRate,
    LoraBlock,
    OptimizerBlock,
    Positive,
    Root,
    Seed,
    ShareBelowOne,
)


class DataBlock(Block):
    train_file: str | None = None
    """JSONL with `prompt` and `completion`, or `text`, per line."""
    validation_split: ShareBelowOne = 0.05
    """Share of the prompts held out to measure eval_loss."""
    max_seq_length: Positive = 2048
    """Tokens; a longer row is left out and counted, never cut."""


class SftTrainingBlock(OptimizerBlock):
    output_dir: str = "models/sft"
    """Relative to the working directory, in a submitted job to HALOFORGE_HOME."""
    num_train_epochs: Positive = 3
    """Passes over the rows that are trained on."""
    per_device_train_batch_size: Positive = 2
    """Rows per forward pass."""
    gradient_accumulation_steps: Positive = 16
    """Forward passes per optimizer step, which so sees batch size × this many rows."""
    learning_rate: LearningRate = 2e-4
    """The highest, after warm-up; then it falls along a cosine."""
    eval_steps: Positive | None = None
    """Optimizer steps from one measurement of eval_loss to the next; unset: once per epoch."""
    save_steps: Positive | None = None
    """Optimizer steps from one checkpoint to the next; unset: once per epoch. A new best is saved besides."""
    save_total_limit: Positive | None = 3
    """Newest checkpoints that are kept, and the best one besides; null: all."""
    logging_steps: Positive = 10
    """Optimizer steps whose mean loss is one train_loss row; a checkpoint ends a row too."""
    gradient_checkpointing: bool | Literal["auto"] = "auto"
    """Recomputes activations to save memory; auto: on a GPU only."""
    bf16: bool = True
    """BF16 base and compute; false: float32."""


class SftEarlyStoppingBlock(Block):
    enabled: bool = True
    """Ends the training where eval_loss has stopped falling; without validation rows it has no effect."""
    patience: Positive = 3
    """Measurements without progress before the training ends."""
    min_delta: Annotated[float, Field(ge=0)] = 0.01
    """What counts as progress: an eval_loss lower by at least so much than at the last progress."""


class SftHardwareBlock(Block):
    env: dict[str, str] = Field(default_factory=dict)
    """Environment variables of the trainer, set before torch is loaded."""


class SftPlacementBlock(Block):
    mode: Literal["auto", "cpu"] = "auto"
    """auto: one GPU where the cluster has one, else all cores of a node. cpu: no GPU is used.
    A plain string for `placement` means this key."""
    trainer_node: str | None = None
    """Address or host name of the node that trains; unset: the driver's, or one with a GPU."""


class SftConfig(Root):
    """Settings of `haloforge sft train`, the same program as `python -m haloforge.sft`."""

    method: Literal["lora", "full"] = "lora"
    """lora: an adapter on the frozen base; full: every weight, float32 masters."""
    data: DataBlock = DataBlock()
    lora: LoraBlock = LoraBlock()
    training: SftTrainingBlock = SftTrainingBlock()
    early_stopping: SftEarlyStoppingBlock = SftEarlyStoppingBlock()
    hardware: SftHardwareBlock = SftHardwareBlock()
    placement: SftPlacementBlock = SftPlacementBlock()  # type: ignore[assignment]
    seed: Seed = 0
    """Of the split, the order of the rows and a fresh adapter's weights."""
    system_prompt: str | None = None
    """Rendered in front of every prompt; unset: nothing beyond the chat template's own."""


SFT_FREE = (
    *(("model", "name"), ("data", "train_file")),
    *(("training", key) for key in ("output_dir", "save_steps", "save_total_limit", "logging_steps")),
    *(("training", key) for key in ("dataloader_num_workers", "dataloader_pin_memory")),
)
SFT_FREE_BLOCKS = ("hardware", "placement", "cluster")
"""What may change when a training is taken up again; of model and data the content counts, not the path."""


def sft_identity(config: SftConfig) -> dict[str, Any]:
    """The part of a config that a training taken up again must share with its output folder."""
    whole = config.model_dump(mode="json", exclude=set(SFT_FREE_BLOCKS))
    for block, key in SFT_FREE:
        whole[block].pop(key)
    return whole
