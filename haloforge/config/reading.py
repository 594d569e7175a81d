"""From YAML, flags and `--set a.b=value` to a checked config, with every fault named by file, key and value."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from haloforge import paths
from haloforge.config.blocks import Block, unfolded
from haloforge.errors import BadInput

ConfigT = TypeVar("ConfigT", bound=Block)

MOVED = {
    "base_model": "model",
    "output": "output_dir",
    "threshold": "raft.reward_threshold",
    "reward_threshold": "raft.reward_threshold",
    "keep": "raft.keep_top_percent",
    "keep_percent": "raft.keep_top_percent",
    "cycles": "raft.num_cycles",
    "samples": "raft.samples_per_prompt",
    "samples_per_prompt": "raft.samples_per_prompt",
    "temperature": "generation.temperature",
    "max_new_tokens": "generation.max_new_tokens",
    "system_prompt": "generation.system_prompt",
    "learning_rate": "training.learning_rate",
    "train_file": "data.train_file",
    "raft.min_samples_per_cycle": "raft.min_samples",
    "training.num_epochs": "training.epochs",
}
"""Keys that other systems have elsewhere, and where they are here."""


@dataclass(frozen=True)
class Layer:
    """Values in dotted form (`a.b` → value), and where they come from, in words."""

    source: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Resolved(Generic[ConfigT]):
    """A checked config, and for every leaf that is not a default where its value comes from."""

    config: ConfigT
    sources: Mapping[str, str]


def resolve(kind: type[ConfigT], layers: Iterable[Layer]) -> Resolved[ConfigT]:
    """Lay the layers over the defaults, the last one on top, and validate.

    Raises BadInput with the source, the key, the value seen and what is wanted.
    """
    data: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for layer in layers:
        for path, value in layer.values.items():
            if path in ALSO_CALLED:
                path = ALSO_CALLED[path]
                if path in layer.values:
                    raise BadInput(f"{layer.source}: verifier has both type and class; leave one of them out")
            _place(data, path, value)
            sources = {key: from_ for key, from_ in sources.items() if not key.startswith(f"{path}.")}
            sources[path] = layer.source
    try:
        return Resolved(kind.model_validate(data), sources)
    except ValidationError as e:
        raise BadInput(_worded(kind, e, sources)) from e


ALSO_CALLED = {"verifier.class": "verifier.type"}
"""Keys that are another name of one."""


def load(kind: type[ConfigT], file: Path | None, typed: Mapping[str, Any] | None = None) -> ConfigT:
    """A YAML file (or none) with typed values over it, as a checked config."""
    layers = [read_file(file)] if file else []
    return resolve(kind, [*layers, Layer("typed", typed or {})]).config


def read_file(file: Path) -> Layer:
    """A YAML file as a layer. Raises BadInput where it cannot be read or is no mapping."""
    try:
        read = yaml.load(file.read_text(encoding="utf-8"), Loader=_Unique)
    except OSError as e:
        raise BadInput(f"cannot read config {file}: {e.strerror}") from e
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise BadInput(f"{file} is not valid YAML: {e}") from e
    if read is not None and not isinstance(read, dict):
        raise BadInput(f"{file} must hold keys and values, not a {type(read).__name__}")
    return Layer(str(file), _beside(file.parent, flat(read or {})))


def _beside(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    """`verifier.class: checks.py:Class` where checks.py lies beside the config: with the path to it from here."""

    def found(name: Any) -> Any:
        place, colon, kind = name.rpartition(":") if isinstance(name, str) else ("", "", "")
        there = place.endswith(".py") and not Path(place).is_absolute() and (folder / place).is_file()
        return f"{paths.shown((folder / place).absolute())}{colon}{kind}" if there else name

    def stage(one: Any) -> Any:
        return {k: found(v) if k in ("type", "class") else v for k, v in one.items()} if isinstance(one, dict) else one

    for key, value in values.items():
        if key in ("verifier.type", "verifier.class"):
            values[key] = found(value)
        elif key == "verifier.stages" and isinstance(value, list):
            values[key] = [stage(one) for one in value]
    return values


class _Unique(yaml.SafeLoader):
    """YAML where a key that stands twice is an error, and not the end of the first one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if key.value in lines:
                raise yaml.YAMLError(
                    f"key {key.value!r} stands twice, in line {lines[key.value]} and in line {key.start_mark.line + 1}"
                )
            lines[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


def flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested blocks as dotted keys; a block written as a plain text becomes the key that is meant."""
    found: dict[str, Any] = {}
    for name, value in data.items():
        value = unfolded(str(name), value) if not prefix else value
        inside = isinstance(value, dict) and value and f"{prefix}{name}" not in WHOLE
        found |= flat(value, f"{prefix}{name}.") if inside else {f"{prefix}{name}": value}
    return found


WHOLE = ("verifier.args", "hardware.env", "evaluation.prompts")
"""Values that are mappings themselves and are replaced as a whole."""


def changed(kind: type[Block], values: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves of a dumped config that are not the schema's defaults, in dotted form."""
    defaults = flat(kind().model_dump(mode="json"))
    return {key: value for key, value in flat(values).items() if key not in defaults or defaults[key] != value}


def described(found: Resolved[Any], defaults: bool = True) -> list[str]:
    """`key: value  # source` for every leaf: YAML that may be copied into a config."""
    values = flat(found.config.model_dump(mode="json"))
    lines = []
    for key, value in values.items():
        source = next((s for k, s in found.sources.items() if key == k or key.startswith(f"{k}.")), None)
        if source or defaults:
            shown = json.dumps(value, ensure_ascii=False)
            lines.append(f"{key}: {shown}  # {source or 'default'}")
    return lines


def parse_setting(text: str, option: str = "--set", example: str = "training.learning_rate=2e-5") -> tuple[str, Any]:
    """`a.b=value` as typed after `option`; the value is read as YAML."""
    path, found, value = text.partition("=")
    if not found or not path.strip():
        raise BadInput(f"{option} wants key=value, for example {option} {example}; got {text!r}")
    try:
        return path.strip(), yaml.safe_load(value)
    except yaml.YAMLError as e:
        raise BadInput(f"{option} {text}: the value is not valid YAML: {e}") from e


def _place(data: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        below = unfolded(name, data.get(name))
        data[name] = below = dict(below) if isinstance(below, dict) else {}
        data = below
    data[last] = value


def _worded(kind: type[BaseModel], error: ValidationError, sources: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        from_ = next((s for key, s in sources.items() if where == key or where.startswith(f"{key}.")), None)
        from_ = from_ or next((s for key, s in sources.items() if key.startswith(f"{where}.")), "the config")
        if problem["type"] == "extra_forbidden":
            near = MOVED.get(where) or next(iter(difflib.get_close_matches(where, known_keys(kind), 1, 0.5)), None)
            hint = f"; did you mean {near!r}?" if near else ""
            lines.append(f"{from_}: unknown key {where!r}{hint}")
        else:
            got = "" if isinstance(problem["input"], dict) else f" (got {problem['input']!r})"
            lines.append(f"{from_}: {where}: {problem['msg'].removeprefix('Value error, ')}{got}")
    return "\n  ".join(lines)


def known_keys(kind: type[BaseModel], prefix: str = "") -> list[str]:
    """Every key of a schema in dotted form, blocks included."""
    keys: list[str] = []
    for name, info in kind.model_fields.items():
        keys.append(prefix + name)
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            keys += known_keys(info.annotation, f"{prefix}{name}.")
    return keys
