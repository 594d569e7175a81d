"""docs/CONFIG.md, made from the schemas: `python -m haloforge.config.reference > docs/CONFIG.md`."""

from __future__ import annotations

import json
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from haloforge.config.raft import FREE, IDENTITY, RaftConfig
from haloforge.config.sft import SFT_FREE, SFT_FREE_BLOCKS, SftConfig

HEAD = """\
# Configuration

Made from the schemas by `python -m haloforge.config.reference`; a test keeps it so.

A config is a YAML file (`--config`). Any key can also be typed: `--set training.learning_rate=2e-5`. A typed value
beats the file, the file beats what the run folder was started with, and that beats the default. Unknown keys are
refused with the nearest known one. `haloforge config show --config FILE` prints every value and where it comes from,
`haloforge config validate FILE …` checks files, `haloforge config schema raft|sft` prints a JSON schema for editors.

"""
RAFT_HEAD = """\
## RAFT: `haloforge raft train`

`model`, `verifier` and `placement` may be plain texts, which mean `model.name`, `verifier.type` and `placement.mode`.

Keys marked * make a run the run it is: a run folder that was started with another value is refused (`--fresh` moves
it aside).

"""
SFT_HEAD = """
## SFT: `haloforge sft train`

Keys marked * make a training the one it is, as above; of the model and the data the content counts, not the path.

"""


def reference() -> str:
    """The whole page."""
    return HEAD + RAFT_HEAD + table(RaftConfig, starred) + SFT_HEAD + table(SftConfig, starred_in_sft)


def table(kind: type[BaseModel], star: Any) -> str:
    lines = ["| key | type | default | what it does |", "|---|---|---|---|", *rows(kind, "", star)]
    return "\n".join(lines) + "\n"


def rows(kind: type[BaseModel], prefix: str, star: Any) -> list[str]:
    lines = []
    for name, field in kind.model_fields.items():
        key, inside = prefix + name, field.annotation
        if isinstance(inside, type) and issubclass(inside, BaseModel):
            lines += rows(inside, f"{key}.", star)
        else:
            text = " ".join((field.description or "").split()).replace("|", "\\|")
            lines.append(f"| `{key}`{' *' if star(key) else ''} | {_type(field)} | {_default(field)} | {text} |")
    return lines


def starred(key: str) -> bool:
    block, _, leaf = key.partition(".")
    return block in IDENTITY and (block, leaf) not in FREE


def starred_in_sft(key: str) -> bool:
    block, _, leaf = key.partition(".")
    return block not in SFT_FREE_BLOCKS and (block, leaf) not in SFT_FREE


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    assert value is not PydanticUndefined, field
    return "unset" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def _type(field: FieldInfo) -> str:
    bounds = [f"{word} {getattr(m, name):g}" for m in field.metadata for name, word in _BOUNDS if hasattr(m, name)]
    return ", ".join([_name(field.annotation), *bounds]).replace("|", "\\|")


_BOUNDS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
_NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): ""}


def _name(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(map(str, inner))
    if origin in (Union, types.UnionType):
        return " | ".join(name for name in map(_name, inner) if name)
    if origin is Annotated:
        found = [(c, m) for m in inner[1:] for c in _constraints(m)]
        bounds = [f"{word} {getattr(c, name):g}" for c, _ in found for name, word in _BOUNDS if hasattr(c, name)]
        return ", ".join([_name(inner[0]), *bounds])
    if origin in (tuple, list):
        return f"list of {'blocks' if get_origin(inner[0]) is dict else _name(inner[0]) + 's'}"
    if origin is dict:
        return f"name → {_NAMES.get(inner[1], 'value')}"
    return _NAMES[annotation]


def _constraints(metadata: Any) -> list[Any]:
    return list(metadata.metadata) if isinstance(metadata, FieldInfo) else [metadata]


if __name__ == "__main__":
    print(reference(), end="")
