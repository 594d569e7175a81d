"""Folders on disk: full model, adapter or neither, and the start point that they make."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from haloforge.errors import BadInput
from haloforge.models import (
    StartPoint,
    context_length,
    fingerprint,
    is_complete_adapter,
    is_model,
    resolve_start_point,
)


def tensors(file: Path, data: bytes = b"\0" * 8) -> Path:
    """A safetensors file of one tensor, written by the format's description."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [len(data) // 4], "data_offsets": [0, len(data)]}}).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return file


def model(folder: Path, **config) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen2", **config}))
    tensors(folder / "model.safetensors")
    return folder


def adapter(folder: Path, base: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": None if base is None else str(base)})
    )
    tensors(folder / "adapter_model.safetensors")
    return folder


def test_a_full_model_is_a_start_point_under_either_name(tmp_path):
    base = model(tmp_path / "base")
    expected = StartPoint(str(base), None)
    assert resolve_start_point(str(base), None) == expected
    assert resolve_start_point(None, base) == expected
    assert resolve_start_point(base, base) == expected


def test_an_adapter_brings_its_base_and_may_be_told_it_again(tmp_path):
    base = model(tmp_path / "base")
    lora = adapter(tmp_path / "lora", base)
    expected = StartPoint(str(base), str(lora))
    assert resolve_start_point(lora, None) == expected
    assert resolve_start_point(None, lora) == expected
    assert resolve_start_point(lora, tmp_path / "lora" / ".." / "base").adapter_dir == str(lora)


def test_a_base_beside_its_adapter_is_found(tmp_path):
    base = model(tmp_path / "lora" / "base")
    lora = adapter(tmp_path / "lora" / "adapter", "../base")
    found = resolve_start_point(lora, None)
    assert Path(found.base_dir).resolve() == base


def test_a_conflicting_model_is_refused_and_both_are_named(tmp_path):
    base, other = model(tmp_path / "base"), model(tmp_path / "other")
    lora = adapter(tmp_path / "lora", base)
    with pytest.raises(BadInput, match=f"belongs to base {base}, but model says {other}"):
        resolve_start_point(lora, other)
    with pytest.raises(BadInput, match="leave one of them out"):
        resolve_start_point(base, other)


def test_a_moved_base_is_known_by_its_folders_name(tmp_path):
    moved, stranger = model(tmp_path / "here" / "base"), model(tmp_path / "stranger")
    lora = adapter(tmp_path / "lora", "/gone/base")
    assert resolve_start_point(lora, moved) == StartPoint(str(moved), str(lora))
    with pytest.raises(BadInput, match="/gone/base"):
        resolve_start_point(lora, stranger)
    with pytest.raises(BadInput, match="give its folder as model"):
        resolve_start_point(lora, None)


def test_an_adapter_without_a_recorded_base_needs_model(tmp_path):
    base, lora = model(tmp_path / "base"), adapter(tmp_path / "lora", None)
    assert resolve_start_point(lora, base) == StartPoint(str(base), str(lora))
    with pytest.raises(BadInput, match="names base nothing"):
        resolve_start_point(lora, None)


def test_what_a_folder_lacks_is_said(tmp_path):
    with pytest.raises(BadInput, match="no model is given"):
        resolve_start_point(None, None)
    with pytest.raises(BadInput, match="is not a model folder: it does not exist"):
        resolve_start_point(tmp_path / "none", None)
    with pytest.raises(BadInput, match=r"is not a model folder: it has no config\.json"):
        resolve_start_point(tmp_path, None)
    file = tensors(tmp_path / "file")
    with pytest.raises(BadInput, match="it is a file"):
        resolve_start_point(file, None)
    folder = model(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadInput, match="its weights"):
        resolve_start_point(folder, None)
    (folder / "config.json").write_text("[1]")
    with pytest.raises(BadInput, match="not a JSON object"):
        resolve_start_point(folder, None)


def test_every_cut_of_an_adapters_weights_makes_it_incomplete(tmp_path):
    lora = adapter(tmp_path / "lora", "base")
    weights = lora / "adapter_model.safetensors"
    whole = weights.read_bytes()
    assert is_complete_adapter(lora)
    for size in range(len(whole)):
        weights.write_bytes(whole[:size])
        assert not is_complete_adapter(lora), size
    weights.write_bytes(whole + b"\0")
    assert not is_complete_adapter(lora)
    with pytest.raises(BadInput, match="not a complete adapter"):
        resolve_start_point(lora, None)


def test_empty_and_half_written_folders_are_no_adapters(tmp_path):
    assert not is_complete_adapter(tmp_path / "none")
    assert not is_complete_adapter(tmp_path)
    lora = adapter(tmp_path / "lora", "base")
    (lora / "adapter_config.json").write_text('{"peft_type": "LORA", "base')
    assert not is_complete_adapter(lora)
    assert not is_complete_adapter(model(tmp_path / "base"))


def test_a_sharded_model_needs_every_shard(tmp_path):
    folder = model(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    tensors(folder / "one.safetensors")
    assert not is_model(folder)
    tensors(folder / "two.safetensors")
    assert is_model(folder)


def test_the_context_length_is_read_where_families_keep_it(tmp_path):
    assert context_length(model(tmp_path / "a", max_position_embeddings=512)) == 512
    assert context_length(model(tmp_path / "b", n_positions=1024)) == 1024
    assert context_length(model(tmp_path / "c", text_config={"max_position_embeddings": 64})) == 64
    assert context_length(model(tmp_path / "d")) is None


def test_a_fingerprint_changes_with_config_and_with_the_size_of_weights(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"1234")
    first = fingerprint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"12345")
    second = fingerprint(tmp_path)
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert len({first, second, fingerprint(tmp_path)}) == 3


def shaped(file: Path, shapes: dict[str, list[int]]) -> None:
    """A safetensors file with tensors of these shapes, all zero bytes of one per number."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = shape[0] * shape[1]
        header[name] = {"dtype": "U8", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(at))


@pytest.mark.parametrize(
    ("module", "a", "b", "told"),
    [
        ("layers.0.q_proj", [4, 64], [96, 4], None),
        (
            "layers.0.q_proj",
            [4, 32],
            [96, 4],
            "layers.0.q_proj is 96 × 64 in the base, and the adapter wants a side of 32",
        ),
        ("layers.0.q_proj", [4, 64], [48, 4], "the adapter wants a side of 48"),
        ("layers.7.q_proj", [4, 64], [96, 4], "the base has no layers.7.q_proj"),
    ],
)
def test_an_adapter_of_another_shape_is_refused_before_anything_loads(tmp_path, module, a, b, told):
    base = model(tmp_path / "base")
    shaped(base / "model.safetensors", {"layers.0.q_proj.weight": [96, 64]})
    folder = adapter(tmp_path / "adapter", base)
    prefix = f"base_model.model.{module}"
    shaped(folder / "adapter_model.safetensors", {f"{prefix}.lora_A.weight": a, f"{prefix}.lora_B.weight": b})
    if told is None:
        assert resolve_start_point(folder).base_dir == str(base)
        return
    with pytest.raises(BadInput) as error:
        resolve_start_point(folder)
    assert told in str(error.value)
    assert "made for another base" in str(error.value)
