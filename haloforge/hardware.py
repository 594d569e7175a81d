"""What GPUs this node has and how much of their memory is free, read without torch.

NVIDIA through nvidia-smi; AMD through the kernel's own files (KFD topology, amdgpu's memory counters), so that it
works where amdsmi is missing or wrong. An APU's memory is the machine's: its size is the kernel's limit for graphics
(TTM), never that plus the BIOS carve-out. Run by us on machines without a GPU only; the files' formats are tested.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
CARVE_OUT_BYTES = 4 * GIB
"""Above this, memory that the BIOS gives to graphics is a device of its own; below, it only holds the boot screen."""
RESERVE_BYTES = 8 * GIB
"""Of a machine whose GPU shares its memory: left to compilers, the driver and the system."""
GFX = {110501: "gfx1151 (Strix Halo)"}
"""Names by the kernel's number: major × 10000 + minor × 100 + stepping."""


@dataclass(frozen=True, slots=True)
class Gpu:
    name: str
    vendor: str
    """nvidia | amd"""
    total_bytes: int
    free_bytes: int
    """What a new process can get; of unified memory, less RESERVE_BYTES."""
    unified: bool = False
    """Its memory is the machine's (an APU)."""
    used_bytes: int = 0
    """By all processes."""
    busy: float | None = None
    """Share of the last moment in which it computed, 0…1; None where the driver does not tell."""


def gpus(root: Path = Path("/")) -> tuple[Gpu, ...]:
    """The GPUs of this node, NVIDIA's first; `root` is for tests."""
    return (*_nvidia(), *amd_gpus(root))


def _nvidia() -> list[Gpu]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = ["--query-gpu=name,memory.total,memory.free,memory.used,utilization.gpu", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run([tool, *query], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_nvidia_smi(done.stdout)


def parse_nvidia_smi(text: str) -> list[Gpu]:
    """Rows of `name, total, free, used MiB, percent busy`; a row without memory ("[N/A]") is left out."""
    found = []
    for line in text.splitlines():
        name, *memory, percent = (part.strip() for part in line.rsplit(",", 4))
        if len(memory) == 3 and all(number.isdigit() for number in memory):
            total, free, used = (int(number) * 2**20 for number in memory)
            busy = int(percent) / 100 if percent.isdigit() else None
            found.append(Gpu(name, "nvidia", total, free, used_bytes=used, busy=busy))
    return found


def amd_gpus(root: Path) -> list[Gpu]:
    """AMD GPUs from /sys below `root`."""
    found = []
    for node in sorted((root / "sys/class/kfd/kfd/topology/nodes").glob("*"), key=lambda p: p.name.zfill(4)):
        properties = _pairs(node / "properties")
        if not properties.get("simd_count"):  # a CPU
            continue
        number = properties.get("gfx_target_version", 0)
        device = root / f"sys/class/drm/renderD{properties.get('drm_render_minor', 0)}/device"
        vram, vram_used = (_number(device / f"mem_info_vram_{what}") for what in ("total", "used"))
        name = GFX.get(number, f"gfx{number // 10000}{number // 100 % 100:x}{number % 100:x}")
        unified = properties.get("cpu_cores_count", 0) > 0 or vram <= CARVE_OUT_BYTES
        if unified and vram <= CARVE_OUT_BYTES:
            total, used = (_number(device / f"mem_info_gtt_{what}") for what in ("total", "used"))
            pages = _number(root / "sys/module/ttm/parameters/pages_limit")
            total = min(total, pages * 4096) if pages else total
            available = _memory_available(root) - RESERVE_BYTES
            free = max(0, min(total - used, available))
        else:
            total, used, free = vram, vram_used, vram - vram_used
        percent = device / "gpu_busy_percent"
        busy = _number(percent) / 100 if percent.exists() else None
        found.append(Gpu(name, "amd", total, free, unified, used, busy))
    return found


def _memory_available(root: Path) -> int:
    for line in (root / "proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _pairs(file: Path) -> dict[str, int]:
    try:
        rows = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return {}
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def _number(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0
