"""What a folder on disk is (a full model, an adapter, neither) and where a run starts from.

Reads JSON and the headers of weight files only, so a wrong path is found before anything heavy loads.
Not here: loading weights, or fetching models from a hub.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haloforge import paths
from haloforge.errors import BadInput

_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length")


@dataclass(frozen=True, slots=True)
class StartPoint:
    """Where training starts: a full model, and the adapter to continue (None: a fresh one)."""

    base_dir: str
    adapter_dir: str | None = None

    @property
    def digest(self) -> str:
        """Fingerprints of the folders; the same files give the same digest wherever they lie."""
        return " ".join(fingerprint(folder) for folder in (self.base_dir, self.adapter_dir) if folder)

    def lasting(self) -> StartPoint:
        """The same folders, or copies of them that stay (see `lasting`)."""
        return StartPoint(lasting(self.base_dir), lasting(self.adapter_dir) if self.adapter_dir else None)


def resolve_start_point(checkpoint: str | Path | None, model: str | Path | None = None) -> StartPoint:
    """The start point that `sft_checkpoint` (a full model or an adapter) and `model` name together.

    An adapter brings its base from its own config; `model` may then only repeat it. A base that was moved is
    recognised by its folder's name.

    Raises:
        BadInput: neither is given, a folder is no complete model or adapter, or the two contradict each other.
    """
    start = checkpoint or model
    if not start:
        raise BadInput("no model is given: set sft_checkpoint or model to a model or adapter folder")
    folder = Path(start)
    if not (folder / "adapter_config.json").is_file():
        require_model(folder)
        if checkpoint and model and not _same(folder, Path(model)):
            raise BadInput(f"sft_checkpoint {checkpoint} is a full model and model says {model}: leave one of them out")
        return StartPoint(str(start))

    if not is_complete_adapter(folder):
        raise BadInput(
            f"{start} is not a complete adapter: adapter_config.json or adapter_model.safetensors is missing, empty "
            "or cut short; copy or train it again"
        )
    recorded = str(_json(folder / "adapter_config.json").get("base_model_name_or_path") or "")
    base = next((p for p in (Path(recorded), folder / recorded) if recorded and is_model(p)), None)
    if checkpoint and model:
        moved_here = base is None and Path(recorded).name in ("", Path(model).name)
        if not moved_here and (base is None or not _same(base, Path(model))):
            raise BadInput(
                f"adapter {checkpoint} belongs to base {recorded}, but model says {model}: set model to that base "
                "or leave it out"
            )
        base = require_model(Path(model))
    if base is not None:
        require_fit(folder, base)
    if base is None:
        raise BadInput(
            f"adapter {start} names base {recorded or 'nothing'} (adapter_config.json, base_model_name_or_path), which "
            "is not a model folder here: put the base there, or give its folder as model"
        )
    return StartPoint(str(base), str(start))


def require_model(folder: Path) -> Path:
    """`folder`, where it holds a full model.

    Raises:
        BadInput: says what is missing in it.
    """
    if not folder.is_dir():
        lacks = "it does not exist" if not folder.exists() else "it is a file"
    elif not (folder / "config.json").is_file():
        lacks = "it has no config.json"
    elif not _json(folder / "config.json"):
        lacks = "its config.json is not a JSON object"
    elif not _has_weights(folder):
        lacks = "its weights (model.safetensors or shards with their index) are missing or cut short"
    else:
        return folder
    raise BadInput(f"{folder} is not a model folder: {lacks}; give the folder that save_pretrained wrote")


def is_model(folder: str | Path) -> bool:
    """Whether the folder holds a full model: config.json and complete weights."""
    try:
        return bool(require_model(Path(folder)))
    except BadInput:
        return False


def is_complete_adapter(folder: str | Path) -> bool:
    """Whether the folder holds a PEFT adapter whose weight file is whole; empty or half-written ones do not."""
    folder = Path(folder)
    config = _json(folder / "adapter_config.json")
    return bool(config.get("peft_type")) and _whole_safetensors(folder / "adapter_model.safetensors")


def adapter_shape(folder: str | Path) -> tuple[int, tuple[str, ...]]:
    """Rank and target modules of an adapter folder.

    Raises:
        BadInput: it is no LoRA adapter, or names its modules by a pattern.
    """
    config = _json(Path(folder) / "adapter_config.json")
    rank, modules = config.get("r"), config.get("target_modules")
    if not isinstance(rank, int) or not isinstance(modules, list):
        raise BadInput(f"{folder} is not a LoRA adapter with r and a list of target_modules in adapter_config.json")
    return rank, tuple(sorted(modules))


def require_fit(adapter: Path, base: Path) -> None:
    """Compare the adapter's matrices with the base's by their shapes, where both are plain safetensors.

    Raises:
        BadInput: names the first module that the base lacks or has in another size.
    """
    if "quantization_config" in _json(base / "config.json"):  # packed weights have shapes of their own
        return
    shapes = {name: shape for file in base.glob("*.safetensors") for name, shape in tensor_shapes(file).items()}
    for name, shape in sorted(tensor_shapes(adapter / "adapter_model.safetensors").items()):
        module, _, side = name.removeprefix("base_model.model.").partition(".lora_")
        if not shapes or side not in ("A.weight", "B.weight"):
            continue
        weight = shapes.get(f"{module}.weight")
        width = shape[-1] if side == "A.weight" else shape[0]  # A: (r, inputs), B: (outputs, r)
        if weight is None:
            what = f"the base has no {module}"
        elif width not in weight:
            what = f"{module} is {' × '.join(map(str, weight))} in the base, and the adapter wants a side of {width}"
        else:
            continue
        raise BadInput(
            f"adapter {adapter} was made for another base than {base}: {what}; give the base it was made for"
        )


def parameter_count(folder: str | Path) -> int:
    """Weights of a full model, from the headers of its safetensors files; without any, file size ÷ 2 (16 bit)."""
    folder = Path(folder)
    shapes = [shape for file in folder.glob("*.safetensors") for shape in tensor_shapes(file).values()]
    if shapes:
        return sum(math.prod(shape) for shape in shapes)
    return sum(file.stat().st_size for file in folder.glob("*.bin")) // 2


def tensor_shapes(file: Path) -> dict[str, list[int]]:
    """Shapes by tensor name, from the header of a safetensors file; empty where it cannot be read."""
    return {name: tensor["shape"] for name, tensor in (_header(file) or ({}, 0))[0].items()}


def fingerprint(folder: str | Path) -> str:
    """A digest of a model or adapter folder: its JSON files, and names and sizes of its weights (not read whole)."""
    digest = hashlib.sha256()
    for file in sorted(Path(folder).iterdir()):
        if file.suffix == ".json":
            digest.update(f"{file.name}\0".encode() + file.read_bytes())
        elif file.is_file():
            digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
    return digest.hexdigest()[:16]


def lasting(folder: str) -> str:
    """The folder itself; where it came with a job's temporary copy, a copy of it under HALOFORGE_HOME, made once.

    What is trained on a model names its folder, so that folder must stay.
    """
    if not paths.temporary(Path(folder)):
        return folder
    kept = paths.cached_model(fingerprint(folder))
    if not kept.is_dir():
        aside = kept.with_name(f".{kept.name}.{os.getpid()}")
        shutil.copytree(folder, aside)
        aside.rename(kept)
    return str(kept)


def context_length(model_dir: str | Path) -> int | None:
    """The longest sequence, in tokens, that the model's config.json allows; None where it names no limit."""
    config = _json(Path(model_dir) / "config.json")
    text = config.get("text_config")
    for source in (config, text if isinstance(text, dict) else {}):
        for key in _CONTEXT_KEYS:
            if isinstance(source.get(key), int):
                return int(source[key])
    return None


def _has_weights(folder: Path) -> bool:
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return _whole(folder / name)
        index = _json(folder / f"{name}.index.json").get("weight_map")
        if isinstance(index, dict) and index:
            return all(_whole(folder / str(shard)) for shard in set(index.values()))
    return False


def _whole(file: Path) -> bool:
    if file.suffix == ".safetensors":
        return _whole_safetensors(file)
    return file.is_file() and file.stat().st_size > 0


def _whole_safetensors(file: Path) -> bool:
    tensors, start = _header(file) or ({}, 0)
    ends = [tensor["data_offsets"][1] for tensor in tensors.values()]
    return bool(ends) and start + max(ends) == file.stat().st_size


def _header(file: Path) -> tuple[dict[str, Any], int] | None:
    """(tensors by name, where their data begins) of a safetensors file; None where it is none.

    Format: 8 bytes of header length n (little endian), n bytes of JSON with shapes and offsets into the rest, the rest.
    """
    try:
        with file.open("rb") as f:
            n = int.from_bytes(f.read(8), "little")
            if not 2 <= n <= file.stat().st_size - 8:
                return None
            header = json.loads(f.read(n))
        tensors = {name: tensor for name, tensor in header.items() if name != "__metadata__"}
        if all(isinstance(t["data_offsets"][1], int) and isinstance(t["shape"], list) for t in tensors.values()):
            return tensors, 8 + n
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        pass
    return None


def _json(file: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is none to read."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _same(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve()
