"""The folders that training leaves: a plain PEFT adapter or a full model, whole or not there at all.

The same weights give the same bytes. Reading folders is haloforge.models' business.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_BASE_FILES = (".json", ".txt", ".jinja", ".model", ".py")


@contextmanager
def written_aside(out: Path) -> Iterator[Path]:
    """A path beside `out` to create a folder at; it is renamed to `out` at the end, replacing one that was there."""
    out.parent.mkdir(parents=True, exist_ok=True)
    aside, old = out.with_name(f".{out.name}.partial"), out.with_name(f".{out.name}.old")
    for leftover in (aside, old):
        shutil.rmtree(leftover, ignore_errors=True)
    yield aside
    if out.exists():
        out.rename(old)
    aside.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def write_adapter(model: Any, folder: Path, base_dir: str) -> None:
    """The PEFT model's adapter, float32 whatever the base's dtype, for plain `PeftModel.from_pretrained`."""
    model.peft_config["default"].base_model_name_or_path = base_dir
    model.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # a form for the hub, not filled in
    # PEFT writes sets in hash order; the same adapter shall be the same bytes.
    file = folder / "adapter_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    for name, value in config.items():
        if name.endswith("modules") and isinstance(value, list):
            config[name] = sorted(value)
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_model(model: Any, folder: Path, base_dir: str, dtype: str) -> None:
    """The whole model in `dtype`. Configuration, tokenizer and remote code are the base's own files: what a trainer
    does to a configuration in memory (use_cache off) must not reach those who use the model.
    """
    import torch

    cast: dict[tuple[int, torch.Size], torch.Tensor] = {}  # tied weights stay one tensor, which is written once
    state = {}
    for name, tensor in model.state_dict().items():
        key = (tensor.data_ptr(), tensor.shape)
        if key not in cast:
            cast[key] = tensor.to(getattr(torch, dtype))
        state[name] = cast[key]
    model.save_pretrained(str(folder), state_dict=state)
    for file in Path(base_dir).iterdir():
        if file.is_file() and file.suffix in _BASE_FILES and not file.name.endswith(".index.json"):
            shutil.copyfile(file, folder / file.name)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config.pop("torch_dtype", None)
    config["dtype"] = dtype
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
