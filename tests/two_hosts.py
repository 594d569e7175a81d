"""SFT and RAFT as Ray jobs on two network hosts: `python -m tests.two_hosts` plays it and prints what came out.

Both hosts share this machine's cores, so the second one shows that everything travels, not that it is faster.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.hosts import CHECKOUT, HALOFORGE_HOME, HOME, PYTHON, Host, hosts, why_not
from tests.tiny_models import build_model

PHRASES = [
    *("double n", "print n times two", "print twice n", "read n and print two n"),
    *("n plus n", "add n to itself", "print n and n summed", "twice the number n"),
]
PROGRAM = '#include <stdio.h>\nint main(void) {{\n  int n;\n  scanf("%d", &n);\n  printf("%d\\n", n * 2){end}\n}}\n'
CASES = [{"input": f"{n}\n", "output": f"{n + n}\n"} for n in (1, 10, 31)]
SFT = (
    *("python", "-m", "haloforge.sft", "--model", "tiny", "--data", "mine/data.jsonl", "--output", "sft"),
    *("--epochs", "160", "--set=method=full", "--set=training.bf16=false", "--set=data.validation_split=0"),
    *("--set=training.per_device_train_batch_size=8", "--set=training.gradient_accumulation_steps=1"),
    "--set=training.learning_rate=3e-3",
)
CONFIG = """
model: sft/final_model
prompts: mine/prompts.jsonl
seed: 3
raft: {num_cycles: 1, samples_per_prompt: 8, keep_top_percent: 1.0}
generation: {temperature: 1.0, max_new_tokens: 128, max_model_len: 256, batch_size: 4, dtype: float32, threads: 1}
lora: {r: 8, alpha: 16, dropout: 0.0}
training: {batch_size: 4, gradient_accumulation_steps: 1, learning_rate: 1e-3}
hardware: {bf16: false}
verifier: {type: execution}
evaluation: {prompts: mine/heldout.jsonl, samples: 2}
"""
RAFT = ("python", "-m", "haloforge.raft", "--config", "mine/run.yaml")
TIMINGS = {"cpu_s", "wall_s", "cached", "metadata"}


@dataclass
class Job:
    """A submitted command: what it printed, how long it took, and the run folder that it left on the head."""

    output: str
    seconds: float
    folder: Path

    @property
    def statistics(self) -> dict[str, Any]:
        return json.loads((self.folder / "raft_statistics.json").read_text())

    @property
    def versions(self) -> dict[str, Any]:
        return json.loads((self.folder / "versions.json").read_text())

    def rows(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for file in self.folder.glob(f"cycle_*_{name}.jsonl") for line in file.open()]

    def verdicts_by_node(self) -> dict[str, dict[str, int]]:
        """Node → status → verdicts that were found there, evaluation included."""
        found: dict[str, Counter[str]] = {}
        for row in self.rows("verified"):
            if not row["cached"]:
                found.setdefault(row["metadata"]["node"], Counter())[row["status"]] += 1
        return {node: dict(counts) for node, counts in sorted(found.items())}

    def results(self) -> dict[str, Any]:
        """All that must be equal where the same run was played: rows without timings, and the adapter's files."""
        found: dict[str, Any] = {}
        for file in sorted(self.folder.glob("cycle_*.jsonl")):
            rows = [{k: v for k, v in json.loads(line).items() if k not in TIMINGS} for line in file.open()]
            found[file.name] = sorted(json.dumps(row, sort_keys=True) for row in rows)
        for file in sorted(self.folder.glob("cycle_*_final/adapter_*")):
            found[str(file.relative_to(self.folder))] = file.read_bytes()
        return found


@dataclass
class Cluster:
    head: Host
    second: Host
    said: dict[str, str] = field(default_factory=dict)
    """What the scripts printed."""

    def submit(self, *command: str, output: str, carry: bool = True, code: int = 0) -> Job:
        """Submit from the head's checkout; carry: with --working-dir, else the installed haloforge runs."""
        start = time.monotonic()
        if carry:
            said = self.head.run("cluster/submit.sh", *command, code=code)
        else:
            environment = {"RAY_AUTH_MODE": "token"}
            submit = ("-m", "ray.scripts.scripts", "job", "submit", "--address", f"http://{self.head.ip}:8265", "--")
            said = self.head.run(PYTHON, *submit, *command, env=environment, code=code)
        return Job(said, time.monotonic() - start, self.head.path(HALOFORGE_HOME / output))

    def join(self) -> None:
        """Give the second host the token, and let it join."""
        (self.second.path(HOME) / ".ray").mkdir(exist_ok=True)
        shutil.copy(self.head.path(HOME / ".ray/auth_token"), self.second.path(HOME / ".ray/auth_token"))
        self.said["join"] = self.second.run("cluster/join.sh", self.head.ip, "--num-cpus=2")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Two hosts; the head runs and has a tiny model, data and prompts; the second has not joined yet."""
    with tempfile.TemporaryDirectory() as scratch, hosts(2) as (head, second):
        head.run(PYTHON, "-m", "pip", "install", "--quiet", ".")
        build_model(Path(scratch) / "tiny", vocab_size=384, hidden=64, layers=2, intermediate=160, spread=0.02)
        shutil.copytree(Path(scratch) / "tiny", head.path(HALOFORGE_HOME / "tiny"))
        for place in (CHECKOUT / "mine", HALOFORGE_HOME / "mine"):  # a job without --working-dir has no copy of ours
            write_inputs(head.path(place))
        made = Cluster(head, second)
        start = (CHECKOUT / "cluster/head.sh", f"--node-ip-address={head.ip}", "--num-cpus=2")
        made.said["head"] = head.run(*start, cwd=HOME)
        yield made


def write_inputs(folder: Path) -> None:
    folder.mkdir(parents=True)
    rows = [{"prompt": text, "completion": PROGRAM.format(end=end)} for text in PHRASES for end in (";", "")]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [json.dumps({"prompt": text, "language": "c", "tests": CASES}) + "\n" for text in PHRASES]
    (folder / "prompts.jsonl").write_text("".join(lines[:-2]))
    (folder / "heldout.jsonl").write_text("".join(lines[-2:]))
    (folder / "run.yaml").write_text(CONFIG)


def main() -> int:
    if reason := why_not():
        print(f"two hosts cannot be made here: {reason}")
        return 2
    with cluster() as made:
        print(made.said["head"])
        sft = made.submit(*SFT, output="sft")
        print(f"SFT as a job: {sft.seconds:.0f} s", flush=True)
        one = made.submit(*RAFT, "--output", "runs/one", output="runs/one")
        show("one host", one)
        made.join()
        print(made.said["join"])
        two = made.submit(*RAFT, "--output", "runs/two", output="runs/two")
        show("two hosts", two)
        there = made.submit(
            *RAFT, "--output", "runs/there", f"--set=placement.generator_node={made.second.ip}",
            output="runs/there", carry=False,
        )  # fmt: skip
        show("two hosts, generator and trainer on the second, without --working-dir", there)
        for host in (made.second, made.head):
            print(host.run("cluster/stop.sh").strip(), "; still running:", host.processes() or "nothing")
        print("the same results everywhere:", one.results() == two.results() == there.results())
    return 0


def show(title: str, job: Job) -> None:
    cycle = job.statistics["cycles"][1]
    print(f"\n{title}: {job.seconds:.0f} s, of which generate and verify {cycle['seconds']['generate_and_verify']:.1f} s")
    print("\n".join(line for line in job.output.splitlines() if " verifiers on " in line or "model " in line))
    print(f"  samples of cycle 1 verified by: {cycle['verified_by']}")
    for node, statuses in job.verdicts_by_node().items():
        print(f"  verdicts on {node}: {statuses}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
