"""What the schemas of RAFT and SFT share: number types that read YAML as people write it, and common blocks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Block(BaseModel):
    """Keys that belong together; a key that no block knows is refused. Docstrings of fields are their documentation."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=(), use_attribute_docstrings=True)


def _number(value: Any) -> Any:
    """PyYAML follows YAML 1.1 and reads `2e-5` as text: the declared type of the field decides."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


Number = Annotated[float, BeforeValidator(_number)]
NotNegative = Annotated[float, BeforeValidator(_number), Field(ge=0)]
AboveZero = Annotated[float, BeforeValidator(_number), Field(gt=0)]
Share = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1)]
ShareAboveZero = Annotated[float, BeforeValidator(_number), Field(gt=0, le=1)]
ShareBelowOne = Annotated[float, BeforeValidator(_number), Field(ge=0, lt=1)]
LearningRate = Annotated[float, BeforeValidator(_number), Field(gt=0, lt=1)]
Temperature = Annotated[float, BeforeValidator(_number), Field(gt=0, le=5)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class ModelBlock(Block):
    name: str | None = None
    """A folder with a Hugging Face causal LM, or `builtin:practice/base`, the demo's own base."""
    trust_remote_code: bool = False
    """Runs Python code that comes with the model, in the generator and in the trainer."""
    attn_implementation: str | None = None
    """Attention of the trainer: sdpa, eager, flash_attention_2, …; unset: sdpa, else eager, said once."""


class LoraBlock(Block):
    """Counts where no adapter exists yet; one that is continued has its own shape."""

    r: Positive = 16
    """Rank."""
    alpha: Positive = 32
    """The adapter is scaled by alpha ÷ r."""
    dropout: Share = 0.05
    """Share of the adapter's inputs that a training step leaves out."""
    target_modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    """Last names of the modules that get an adapter."""


class OptimizerBlock(Block):
    """What an update of RAFT and an SFT set alike."""

    warmup_ratio: Share = 0.03
    """Share of the steps in which the learning rate rises; at most a tenth of them."""
    weight_decay: NotNegative = 0.0
    """Of AdamW."""
    max_grad_norm: AboveZero = 1.0
    """Longer gradients are scaled down to this norm."""
    dataloader_num_workers: Count = 0
    """Processes that prepare batches; 0: the trainer itself."""
    dataloader_pin_memory: bool = False
    """Has an effect with a GPU only."""


class PlacementBlock(Block):
    """Which devices and nodes the generator and the trainer use; checked against the cluster before anything loads."""

    mode: Literal["auto", "cpu", "shared", "split"] = "auto"
    """cpu: no GPU is used. shared: both stay resident on one GPU, each with a stated budget. split: a GPU each.
    auto: cpu without a GPU, split with two or more, else shared. A plain string for `placement` means this key."""
    engine_memory_gib: AboveZero | None = None
    """GPU memory of the engine (weights, KV cache, activations) in GiB; unset: what the trainer's share leaves."""
    trainer_memory_gib: AboveZero | None = None
    """GPU memory that the trainer may take, in GiB; it is held to it. Unset: estimated from model, LoRA and batch."""
    generator_node: str | None = None
    """Address or host name of the node that runs the generator; unset: the driver's, or one with a GPU."""
    trainer_node: str | None = None
    """The same for the trainer; unset: the generator's node."""


class ClusterBlock(Block):
    address: str | None = None
    """Ray cluster to join, as host:port; unset: RAY_ADDRESS, the job's own cluster, else a Ray is started here."""
    dashboard_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Port of the dashboard of a Ray that is started here; unset: 8265, or the next one that is free."""


class Root(Block):
    """What every schema has at its top."""

    model: ModelBlock = ModelBlock()
    """The base; a plain string means `model.name`."""
    placement: PlacementBlock = PlacementBlock()
    cluster: ClusterBlock = ClusterBlock()

    @model_validator(mode="before")
    @classmethod
    def _plain_text_for_a_block(cls, data: Any) -> Any:
        return {key: unfolded(key, value) for key, value in data.items()} if isinstance(data, dict) else data


SHORT = {"model": "name", "placement": "mode", "verifier": "type"}
"""Blocks that may be written as a plain text, and the key that is then meant."""


def unfolded(block: str, value: Any) -> Any:
    """`model: some/folder` as the block that it stands for; anything else as it is."""
    return {SHORT[block]: value} if block in SHORT and isinstance(value, str) else value
