"""What a user may set, in one schema per command: YAML, typed flags and `--set a.b=value` end up here.

A flag beats the YAML, the YAML beats what the run folder holds, that beats the default. An unknown key is an error
that names the nearest known one. Every field says below it what it does, its unit and its special values.
Not here: whether files exist or tools are installed (haloforge.preparation looks).
"""

from haloforge.config.blocks import Block, ClusterBlock, LoraBlock, ModelBlock, PlacementBlock
from haloforge.config.raft import (
    RaftBlock,
    RaftConfig,
    RaftEarlyStoppingBlock,
    VerifierBlock,
    differences,
    identity,
    over_defaults,
)
from haloforge.config.reading import (
    Layer,
    Resolved,
    changed,
    described,
    flat,
    known_keys,
    load,
    parse_setting,
    read_file,
    resolve,
)
from haloforge.config.sft import SftConfig, sft_identity

__all__ = [
    "Block",
    "ClusterBlock",
    "Layer",
    "LoraBlock",
    "ModelBlock",
    "PlacementBlock",
    "RaftBlock",
    "RaftConfig",
    "RaftEarlyStoppingBlock",
    "Resolved",
    "SftConfig",
    "VerifierBlock",
    "changed",
    "described",
    "differences",
    "flat",
    "identity",
    "known_keys",
    "load",
    "over_defaults",
    "parse_setting",
    "read_file",
    "resolve",
    "sft_identity",
]
