"""GPUs as the kernel and nvidia-smi describe them, and the arithmetic of who gets how much. No GPU needed."""

from __future__ import annotations

import json
import math
import struct

import pytest

from haloforge.budgets import ENGINE_OVERHEAD, Need, need, plan_gpus
from haloforge.config import PlacementBlock
from haloforge.errors import BadInput
from haloforge.hardware import GIB, RESERVE_BYTES, Gpu, amd_gpus, parse_nvidia_smi
from haloforge.models import parameter_count


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(text))


def amd_machine(root, *, gfx, vram, vram_used=0, gtt=0, gtt_used=0, pages=0, available=100 * GIB, cpu_cores=0):
    """/sys and /proc of a machine with a CPU node and one AMD GPU, in the kernel's formats."""
    nodes = root / "sys/class/kfd/kfd/topology/nodes"
    write(nodes / "0/properties", "cpu_cores_count 32\nsimd_count 0\ngfx_target_version 0\n")
    write(
        nodes / "1/properties",
        f"cpu_cores_count {cpu_cores}\nsimd_count 80\ngfx_target_version {gfx}\ndrm_render_minor 128\n",
    )
    device = root / "sys/class/drm/renderD128/device"
    for name, value in {"vram_total": vram, "vram_used": vram_used, "gtt_total": gtt, "gtt_used": gtt_used}.items():
        write(device / f"mem_info_{name}", value)
    if pages:
        write(root / "sys/module/ttm/parameters/pages_limit", pages)
    write(root / "proc/meminfo", f"MemTotal: 131072000 kB\nMemAvailable: {available // 1024} kB\n")
    return root


def test_strix_halo_has_the_memory_that_the_kernel_lets_graphics_have(tmp_path):
    root = amd_machine(
        tmp_path,
        gfx=110501,
        vram=GIB // 2,
        gtt=120 * GIB,
        gtt_used=2 * GIB,
        pages=104 * GIB // 4096,
        available=90 * GIB,
    )
    (gpu,) = amd_gpus(root)
    assert gpu.name == "gfx1151 (Strix Halo)"
    assert gpu.unified
    assert gpu.total_bytes == 104 * GIB, "never the carve-out added"
    assert gpu.free_bytes == 90 * GIB - RESERVE_BYTES, "compilers and the system need their part"


def test_of_unified_memory_no_more_is_free_than_the_limit_leaves(tmp_path):
    root = amd_machine(tmp_path, gfx=110501, vram=GIB // 2, gtt=62 * GIB, gtt_used=GIB, available=110 * GIB)
    assert amd_gpus(root)[0].free_bytes == 61 * GIB


def test_a_discrete_card_has_its_own_memory(tmp_path):
    (gpu,) = amd_gpus(amd_machine(tmp_path, gfx=110000, vram=24 * GIB, vram_used=GIB, gtt=60 * GIB))
    assert (gpu.name, gpu.total_bytes, gpu.free_bytes, gpu.unified) == ("gfx1100", 24 * GIB, 23 * GIB, False)


def test_amd_says_what_is_used_and_how_busy_it_is(tmp_path):
    apu = amd_machine(tmp_path / "apu", gfx=110501, vram=GIB // 2, gtt=62 * GIB, gtt_used=3 * GIB, available=40 * GIB)
    write(apu / "sys/class/drm/renderD128/device/gpu_busy_percent", "97\n")
    assert [(gpu.used_bytes, gpu.busy) for gpu in amd_gpus(apu)] == [(3 * GIB, 0.97)]
    card = amd_machine(tmp_path / "card", gfx=110000, vram=24 * GIB, vram_used=GIB)
    assert [(gpu.used_bytes, gpu.busy) for gpu in amd_gpus(card)] == [(GIB, None)]


def test_a_machine_without_the_kernel_driver_has_no_amd_gpu(tmp_path):
    assert amd_gpus(tmp_path) == []


def test_nvidia_smi_rows_are_read_and_a_row_without_numbers_is_left_out():
    text = "NVIDIA GeForce RTX 4090, 24564, 23000, 1187, 62\nNVIDIA GB10, [N/A], [N/A], [N/A], 3\n"
    (gpu,) = parse_nvidia_smi(text)
    assert (gpu.used_bytes, gpu.busy) == (1187 * 2**20, 0.62)
    assert parse_nvidia_smi("NVIDIA A2, 15356, 15000, 10, [N/A]")[0].busy is None
    assert (gpu.name, gpu.total_bytes, gpu.free_bytes) == ("NVIDIA GeForce RTX 4090", 24564 * 2**20, 23000 * 2**20)


SMALL = Need(weights=3 * GIB, kv_per_token=28 * 1024, longest=4096, trainer=6 * GIB)
CARD = Gpu("card", "nvidia", 24 * GIB, 23 * GIB)


def plan(mode, engine=(), trainer=None, kv=None, of=SMALL, **typed):
    return plan_gpus(PlacementBlock(mode=mode, **typed), kv, engine, trainer, of)


@pytest.mark.parametrize(
    ("engine", "trainer", "mode"),
    [((), None, "cpu"), ((CARD,), None, "shared"), ((CARD, CARD), None, "split"), ((CARD,), (CARD,), "split")],
)
def test_auto_takes_what_there_is(engine, trainer, mode):
    assert plan("auto", engine, trainer).mode == mode


def test_shared_gives_each_a_budget_and_their_sum_is_what_is_free():
    found = plan("shared", (CARD,))
    assert (found.engine_gpus, found.trainer_gpus) == (0.5, 0.5)
    assert found.trainer_bytes == 6 * GIB
    assert found.engine_share * CARD.total_bytes <= CARD.free_bytes - found.trainer_bytes
    assert found.engine_share * CARD.total_bytes > CARD.free_bytes - found.trainer_bytes - 0.001 * CARD.total_bytes
    assert found.kv_cache_bytes == 23 * GIB - 6 * GIB - 3 * GIB - ENGINE_OVERHEAD


def test_typed_budgets_win_and_are_refused_where_they_do_not_fit():
    found = plan("shared", (CARD,), engine_memory_gib=10, trainer_memory_gib=12, kv=4)
    assert (round(found.engine_share * 24, 1), found.trainer_bytes, found.kv_cache_bytes) == (10, 12 * GIB, 4 * GIB)
    with pytest.raises(BadInput, match=r"does not fit card.*trainer 14\.0.*23\.0 of 24\.0 GiB are free"):
        plan("shared", (CARD,), engine_memory_gib=10, trainer_memory_gib=14)
    with pytest.raises(BadInput, match=r"the engine needs 14\.5 GiB"):
        plan("shared", (CARD,), engine_memory_gib=12, kv=10)


def test_a_model_that_is_too_big_is_refused_with_its_figures():
    big = Need(weights=15 * GIB, kv_per_token=56 * 1024, longest=32768, trainer=20 * GIB)
    with pytest.raises(BadInput, match=r"weights 15\.0, KV cache for 32768 tokens 1\.8.*split on two GPUs"):
        plan("shared", (CARD,), of=big)
    with pytest.raises(BadInput, match=r"the trainer needs about 30\.0 GiB and its GPU has 20\.7"):
        plan("split", (CARD, CARD), of=Need(GIB, 1, 1, 30 * GIB))


def test_split_asks_a_gpu_each_and_says_what_to_do_with_fewer():
    found = plan("split", (CARD, CARD))
    assert (found.engine_gpus, found.trainer_gpus, found.engine_share) == (1, 1, 0.9)
    with pytest.raises(
        BadInput, match=r"1 GPU for the generator and 1 for the trainer; their node has 1: set placement: sh"
    ):
        plan("split", (CARD,))
    with pytest.raises(BadInput, match=r"their node has 0.*placement: cpu"):
        plan("split")
    with pytest.raises(BadInput, match="the generator's has 1, the trainer's 0"):
        plan("split", (CARD,), ())
    with pytest.raises(BadInput, match=r"none that Ray counts.*--num-gpus=1"):
        plan("shared")


def test_a_models_need_is_counted_from_its_files(tmp_path):
    shapes = {"a.weight": [1000, 64], "b.weight": [64]}
    header, at = {}, 0
    for name, shape in shapes.items():
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at := at + 2 * math.prod(shape)]}
    raw = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(at))
    config = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    (tmp_path / "config.json").write_text(json.dumps({**config, "intermediate_size": 128, "vocab_size": 1000}))
    assert parameter_count(tmp_path) == 64064

    def asked(**changed):
        given = {
            **{"engine_bytes_per_weight": 2, "trainer_bytes_per_weight": 2, "max_model_len": 100},
            **{"batch_size": 2, "lora_r": 8, "checkpointing": False},
        }
        return need(tmp_path, **{**given, **changed})

    found = asked()
    assert found.weights == 128128
    assert found.kv_per_token == 2 * 2 * 2 * 16 * 2  # keys and values, layers, heads, numbers, bytes
    adapter = 8 * 2 * ((64 + 64) + 2 * (64 + 32) + (64 + 64) + 3 * (64 + 128))  # q, k and v, o, gate up down
    activations = 34 * 64 * 200 * 2
    assert found.trainer == 128128 + 16 * adapter + activations + 200 * 1000 * 8 + GIB
    assert asked(checkpointing=True).trainer < found.trainer
    assert asked(batch_size=4).trainer > found.trainer
