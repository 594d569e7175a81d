"""A whole small run for real: vLLM, gcc in the sandbox, PEFT, Ray; killed at three moments and taken up again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from haloforge import leash
from tests.tiny_models import build_model

pytestmark = pytest.mark.e2e

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
evaluation: {prompts: heldout.jsonl, samples: 2}
"""


def command(place: Path, *arguments: str, module: str = "haloforge.raft") -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    environment["HALOFORGE_HOME"] = str(place / "home")
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


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a base that was fine-tuned by our own command on programs of which half do not compile."""
    place = tmp_path_factory.mktemp("end-to-end")
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
    (place / "started").touch()
    return place


@pytest.fixture(scope="module")
def undisturbed(place):
    finish(command(place, "--config", "run.yaml", "--output", "undisturbed"))
    return place / "undisturbed"


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


def left(place: Path) -> list[str]:
    """What runs of this folder left: living processes that carry the leash or hold Ray's files, and scratch folders."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environ = (entry / "environ").read_bytes()
                links = [os.readlink(fd) for fd in (entry / "fd").iterdir()]
                if leash.PREFIX.encode() in environ or any("/haloforge-ray-" in link for link in links):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    kinds = ("ray", "generator", "engine", "trainer", "sft", "adapters")
    folders = [p for kind in kinds for root in ("/tmp", "/dev/shm") for p in Path(root).glob(f"haloforge-{kind}-*")]
    started = (place / "started").stat().st_mtime
    for folder in folders:
        with suppress(FileNotFoundError):  # it went while we looked
            found += [str(folder)] * (folder.stat().st_mtime > started)
    return found


def nothing_left(place: Path, within_s: float = 20.0) -> bool:
    deadline = time.monotonic() + within_s
    while left(place) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left(place) == []
    return True


def wait_until(condition, process, within_s=240.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert process.poll() is None, process.communicate()[0][-4000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def test_a_run_improves_and_leaves_what_is_promised(undisturbed):
    found = statistics(undisturbed)
    assert [e["cycle"] for e in found["cycles"]] == [0, 1, 2]
    for entry in found["cycles"][1:]:
        assert entry["kept"] > 0
        assert entry["optimizer_steps"] >= 8
        assert entry["weight_change"] > 0
        assert entry["loss_after"] < entry["loss_before"]
        assert entry["swap"]["proof"]["tensors"] == 28
        assert set(entry["levels"]) == {"ns"}
        assert entry["entropy"] > 0
    assert found["cycles"][2]["pass_rate"] > found["cycles"][1]["pass_rate"]
    for name in ("resolved_config.yaml", "versions.json", "final_model/adapter_config.json"):
        assert (undisturbed / name).exists()
    statuses = Counter(json.loads(line)["status"] for line in (undisturbed / "cycle_1_verified.jsonl").open())
    assert statuses["passed"] > 0
    assert statuses["compile_error"] > 0


def test_a_run_killed_at_three_moments_goes_on_without_doing_anything_twice(place, undisturbed):
    run = place / "killed"
    moments = {
        "while the first samples are drawn": lambda: lines(run / "cycle_0_eval_samples.jsonl") >= 2,
        "while cycle 1 is verified": lambda: lines(run / "cycle_1_verified.jsonl") >= 5,
        "after cycle 1 was trained": lambda: (run / "cycle_1_final/adapter_config.json").exists(),
    }
    for moment, reached in moments.items():
        process = command(place, "--config", "run.yaml", "--output", "killed")
        wait_until(reached, process)
        if moment == "while cycle 1 is verified":
            process.send_signal(signal.SIGSTOP)  # so that the moment lasts until it has been looked at
            seen_from_another_terminal(place, process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert nothing_left(place), moment
    output = finish(command(place, "--config", "run.yaml", "--output", "killed"))
    assert "run folder" in output
    for file in run.glob("cycle_*_samples.jsonl"):
        ids = [json.loads(line)["id"] for line in file.open()]
        assert len(ids) == len(set(ids)), f"{file.name}: drawn twice"
    assert results(run) == results(undisturbed)
    assert curves(run) == curves(undisturbed)
    told = json.loads((run / "progress.json").read_text())
    assert (told["state"], told["stage"]["name"], told["stage"]["cycle"]) == ("finished", "evaluate", 2)
    assert (run / "raft.log").read_text().count("INFO run folder: ") == 4


def seen_from_another_terminal(place: Path, pid: int) -> None:
    output = finish(command(place, "status", "killed", "--actors", module="haloforge.cli"))
    assert re.search(rf"^killed: running \(pid {pid} on .*\)$", output, re.MULTILINE), output
    assert re.search(r"cycle 1 has \d+ samples, \d+ verified", output), output
    for actor in (r"generator-0: .*healthy True.*drawn \d+", r"trainer-0: idle", r"verifier@[\d.]+-0: .*verified \d+"):
        assert re.search(actor, output), output


def curves(run: Path) -> list[dict]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = {e["cycle"]: e["optimizer_steps"] for e in statistics(run)["cycles"][1:]}
    assert [(r["cycle"], r["step"]) for r in rows] == [(c, s) for c in steps for s in range(1, steps[c] + 1)]
    assert all(r["train_loss"] > 0 and r["learning_rate"] > 0 and 0 < r["epoch"] <= 4 for r in rows)
    return rows


def test_the_same_command_again_does_nothing(place, undisturbed):
    before = results(undisturbed)
    quiet = finish(command(place, "--config", "run.yaml", "--output", "undisturbed", "--quiet"))
    assert quiet.splitlines()[0].startswith("┏"), "with --quiet only warnings, errors and the table"
    output = finish(command(place, "--config", "run.yaml", "--output", "undisturbed"))
    assert "Cycle 1 already complete, skipping..." in output
    assert "Cycle 2 already complete, skipping..." in output
    assert results(undisturbed) == before


def test_a_run_continues_an_adapter_of_its_own_base(place, undisturbed):
    checkpoint = "undisturbed/cycle_2_final"
    finish(command(place, "--config", "run.yaml", "--checkpoint", checkpoint, "--cycles", "1", "--output", "more"))
    found = statistics(place / "more")
    assert found["cycles"][0]["swap"]["proof"]["tensors"] == 28, "the adapter is served and proved before cycle 1"
    assert found["cycles"][1]["swap"]["proof"]["decided_by"] == "exact and behaviour"
    assert found["cycles"][1]["pass_rate"] > statistics(undisturbed)["cycles"][1]["pass_rate"]
    config = json.loads((place / "more/cycle_1_final/adapter_config.json").read_text())
    assert Path(config["base_model_name_or_path"]).resolve() == (place / "base").resolve()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_within_seconds_and_leaves_nothing(place, number, code):
    run = place / f"signal-{code}"
    process = command(place, "--config", "run.yaml", "--output", run.name)
    wait_until(lambda: lines(run / "cycle_1_samples.jsonl") >= 3, process)
    start = time.monotonic()
    process.send_signal(number)
    output = finish(process, code)
    assert time.monotonic() - start < 10
    assert "goes on from here" in output
    assert nothing_left(place)
