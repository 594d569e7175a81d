"""What whole small runs need: a base that learned one task half right, commands in a process of their own, and a look
at what they leave.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from haloforge import leash
from tests.tiny_models import build_model

PHRASES = [
    *("double n", "print n times two", "print twice n", "read n and print two n"),
    *("n plus n", "add n to itself", "print n and n summed", "twice the number n"),
]
"""One task in several words: the small base need not learn to tell tasks apart."""
PROGRAM = '#include <stdio.h>\nint main(void) {{\n  int n;\n  scanf("%d", &n);\n  printf("%d\\n", n * 2){end}\n}}\n'
CASES = [{"input": f"{n}\n", "output": f"{n + n}\n"} for n in (1, 10, 31)]

CONFIG = """
model: base
prompts: prompts.jsonl
seed: 3
raft: {num_cycles: 2, samples_per_prompt: 4, keep_top_percent: 1.0}
generation: {temperature: 1.0, max_new_tokens: 128, max_model_len: 256, batch_size: 4, dtype: float32}
lora: {r: 8, alpha: 16, dropout: 0.0}
training: {batch_size: 4, gradient_accumulation_steps: 1, learning_rate: 1e-3}
hardware: {bf16: false}
verifier: {type: execution}
verifiers: {cache: false}
evaluation: {prompts: heldout.jsonl, samples: 2}
"""


def command(place: Path, *arguments: str, module: str = "haloforge.raft") -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    environment["HALOFORGE_HOME"] = str(place / "home")
    environment["TMPDIR"] = str(scratch(place))
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    output, _ = process.communicate(timeout=420)
    assert process.returncode == code, output[-4000:]
    return output


def make_place(place: Path) -> Path:
    """A folder with a base that was fine-tuned by our own command on programs of which half do not compile."""
    build_model(place / "random", vocab_size=384, hidden=64, layers=2, intermediate=160, spread=0.02)
    rows = [{"prompt": text, "completion": PROGRAM.format(end=end)} for text in PHRASES for end in (";", "")]
    (place / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    finish(
        command(
            place, "--model", "random", "--data", "data.jsonl", "--output", "sft", "--epochs", "160",
            *(f"--set={s}" for s in (
                "method=full", "training.bf16=false", "training.per_device_train_batch_size=8",
                "training.gradient_accumulation_steps=1", "training.learning_rate=3e-3", "data.validation_split=0",
            )),
            module="haloforge.sft",
        )
    )  # fmt: skip
    (place / "base").symlink_to(place / "sft/final_model")

    lines = [json.dumps({"prompt": text, "language": "c", "tests": CASES}) + "\n" for text in PHRASES]
    (place / "prompts.jsonl").write_text("".join(lines[:-2]))
    (place / "heldout.jsonl").write_text("".join(lines[-2:]))
    (place / "run.yaml").write_text(CONFIG)
    return place


def statistics(run: Path) -> dict:
    return json.loads((run / "raft_statistics.json").read_text())


TIMINGS = {"cpu_s", "wall_s", "cached", "metadata"}


def results(run: Path) -> dict[str, list[str] | bytes]:
    """Rows sorted by id without timings, and the adapters' weights."""
    found: dict[str, list[str] | bytes] = {}
    for file in sorted(run.glob("cycle_*.jsonl")):
        rows = map(json.loads, file.read_text().splitlines())
        found[file.name] = sorted(
            json.dumps({k: v for k, v in r.items() if k not in TIMINGS}, sort_keys=True) for r in rows
        )
    for file in sorted(run.glob("cycle_*_final/adapter_model.safetensors")):
        found[str(file.relative_to(run))] = file.read_bytes()
    return found


def scratch(place: Path) -> Path:
    """The temporary folder of this place's commands; short, because it is in the paths of sockets."""
    link = place / "tmp"
    if not link.exists():
        link.symlink_to(tempfile.mkdtemp(prefix="h"))
    return link.resolve()


def left(place: Path) -> list[str]:
    """What runs of this place left: living processes that carry the leash or hold Ray's files, and scratch folders."""
    found, mine = [], str(scratch(place))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environ = (entry / "environ").read_bytes()
                links = [os.readlink(fd) for fd in (entry / "fd").iterdir()]
                leashed = leash.PREFIX.encode() in environ and mine.encode() in environ
                if leashed or any(link.startswith(f"{mine}/haloforge-ray-") for link in links):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    began = (place / "tmp").lstat().st_mtime
    for folder in Path("/dev/shm").glob("haloforge-adapters-*"):
        with suppress(FileNotFoundError):  # it went while we looked
            found += [str(folder)] * (folder.stat().st_mtime > began)
    return found + [str(path) for path in Path(mine).glob("haloforge-*")]


def nothing_left(place: Path, within_s: float = 20.0) -> bool:
    deadline = time.monotonic() + within_s
    while left(place) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left(place), left(place)
    return True


def wait_until(condition, process, within_s=240.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert process.poll() is None, process.communicate()[0][-4000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0
