"""SFT and RAFT as Ray jobs on two network hosts: `python -m tests.two_hosts` plays it and prints what came out.

`--demo` submits the embedded demo instead, one cycle of it.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hosts import CHECKOUT, HALOFORGE_HOME, HOME, PYTHON, Host, hosts, why_not
from tests.tiny_models import build_model
from tests.whole_runs import CASES, PHRASES, PROGRAM, TIMINGS

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
verifiers: {cache: false}
evaluation: {prompts: mine/heldout.jsonl, samples: 2}
"""
RAFT = ("python", "-m", "haloforge.raft", "--config", "mine/run.yaml")


@dataclass
class Job:
    """A submitted command: what it printed, how long it took, and the files of the run folder that it left."""

    output: str
    seconds: float
    files: dict[str, bytes]

    def json(self, name: str) -> dict[str, Any]:
        return json.loads(self.files[name])

    @property
    def cycle(self) -> dict[str, Any]:
        """The statistics of cycle 1."""
        return self.json("raft_statistics.json")["cycles"][1]

    def rows(self, kind: str) -> list[dict[str, Any]]:
        texts = (text for name, text in self.files.items() if name.endswith(f"_{kind}.jsonl"))
        return [json.loads(line) for text in texts for line in text.splitlines()]

    def verdicts_by_node(self) -> dict[str, dict[str, int]]:
        """Node → status → verdicts that were found there, evaluation included."""
        found: dict[str, Counter[str]] = {}
        for row in self.rows("verified"):
            if not row["cached"]:
                found.setdefault(row["metadata"]["node"], Counter())[row["status"]] += 1
        return {node: dict(counts) for node, counts in sorted(found.items())}

    def results(self) -> dict[str, Any]:
        """All that must be equal where the same run was played: rows without timings, and the adapter's files."""
        found: dict[str, Any] = {name: text for name, text in self.files.items() if "_final/adapter_" in name}
        for name, text in self.files.items():
            if name.endswith(".jsonl"):
                rows = [{k: v for k, v in json.loads(row).items() if k not in TIMINGS} for row in text.splitlines()]
                found[name] = sorted(json.dumps(row, sort_keys=True) for row in rows)
        return found


@dataclass
class Cluster:
    head: Host
    second: Host

    def submit(self, *command: str, output: str, carry: bool = True, code: int = 0) -> Job:
        """Submit from the head's checkout; carry: with --working-dir, else the installed haloforge runs."""
        start = time.monotonic()
        if carry:
            said = self.head.run("cluster/submit.sh", *command, code=code)
        else:
            environment = {"RAY_AUTH_MODE": "token"}
            submit = ("-m", "ray.scripts.scripts", "job", "submit", "--address", f"http://{self.head.ip}:8265", "--")
            said = self.head.run(PYTHON, *submit, *command, env=environment, code=code)
        seconds, folder = time.monotonic() - start, self.head.path(HALOFORGE_HOME / output)
        files = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
        return Job(said, seconds, files)

    def start_head(self) -> str:
        options = (f"--node-ip-address={self.head.ip}", "--num-cpus=2")
        return self.head.run(CHECKOUT / "cluster/head.sh", *options, cwd=HOME)

    def join(self, token: str | None, code: int = 0) -> str:
        """Let the second host join with that token (None: without one)."""
        file = self.second.path(HOME) / ".ray/auth_token"
        file.parent.mkdir(exist_ok=True)
        file.unlink(missing_ok=True)
        if token is not None:
            file.write_text(token)
        return self.second.run("cluster/join.sh", self.head.ip, "--num-cpus=2", code=code)

    @property
    def token(self) -> str:
        return (self.head.path(HOME) / ".ray/auth_token").read_text()

    def stop(self) -> list[str]:
        """Stop Ray on both hosts with our script; returns what still runs there."""
        for host in (self.second, self.head):
            host.run("cluster/stop.sh")
        return [f"{host.name}: {line}" for host in (self.second, self.head) for line in host.processes()]


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
        made.start_head()
        yield made


def write_inputs(folder: Path) -> None:
    folder.mkdir(parents=True)
    rows = [{"prompt": text, "completion": PROGRAM.format(end=end)} for text in PHRASES for end in (";", "")]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [json.dumps({"prompt": text, "language": "c", "tests": CASES}) + "\n" for text in PHRASES]
    (folder / "prompts.jsonl").write_text("".join(lines[:-2]))
    (folder / "heldout.jsonl").write_text("".join(lines[-2:]))
    (folder / "run.yaml").write_text(CONFIG)


@dataclass
class Played:
    """What `play` saw, in its order."""

    sft: Job
    sft_weights: bytes
    one: Job
    two: Job
    there: Job
    """Generator and trainer on the second host, submitted without --working-dir."""
    refused: dict[str, str]
    """What was to be refused → what was said."""
    outside: str
    """Output of an SFT on the second host, by a driver that is no job and whose code differs from the installed one."""
    sft_again: Job
    sft_weights_again: bytes
    two_again: Job
    """With a second cycle, so that there is something to go on with."""
    left: list[str]
    """What ran on the hosts after each stop."""


def play(made: Cluster) -> Played:
    """The whole story: SFT, RAFT on one host and on two, what is refused, an edit, a new head, and both again."""
    head, second = made.head, made.second
    weights = head.path(HALOFORGE_HOME / "sft/final_model/model.safetensors")
    sft = made.submit(*SFT, output="sft")
    sft_weights = weights.read_bytes()
    one = made.submit(*RAFT, "--output", "runs/one", output="runs/one")
    refused = {
        "no token": made.join(None, code=2),
        "wrong token": made.join("0" * 64, code=2),
    }
    made.join(made.token)
    two = made.submit(*RAFT, "--output", "runs/two", output="runs/two")
    on_second = f"--set=placement.generator_node={second.ip}"
    there = made.submit(*RAFT, "--output", "runs/there", on_second, output="runs/there", carry=False)

    gcc = second.run("sh", "-c", "command -v gcc").strip()
    second.run("mount", "--bind", "/dev/null", gcc)
    refused["a node without gcc"] = made.submit(
        *RAFT, "--output", "runs/no", "--set=verifiers.count=3", output="runs/no", code=1
    ).output
    second.run("umount", gcc)
    refused["no such node"] = made.submit(
        *RAFT, "--output", "runs/no", "--set=placement.trainer_node=box9", output="runs/no", code=1
    ).output
    installed = head.run(PYTHON, "-c", "import haloforge.seeds as m; print(m.__file__)", cwd=HOME).strip()
    edit(head.path(Path(installed)))
    other = made.submit(*RAFT, "--output", "runs/no", output="runs/no", carry=False, code=1)
    refused["other code on the second host"] = other.output

    edit(head.path(CHECKOUT / "haloforge/seeds.py"))
    outside = head.run(
        PYTHON, *SFT[1:], "--output", HOME / "outside", "--epochs", "2", f"--set=placement.trainer_node={second.name}",
        env={"RAY_ADDRESS": f"{head.ip}:6379"},
    )  # fmt: skip
    left = made.stop()
    made.start_head()
    sft_again = made.submit(*SFT, output="sft")
    two_again = made.submit(*RAFT, "--output", "runs/two", "--cycles", "2", output="runs/two")
    left += made.stop()
    return Played(
        sft, sft_weights, one, two, there, refused, outside, sft_again, weights.read_bytes(), two_again, left
    )  # fmt: skip


def edit(file: Path) -> None:
    with file.open("a") as text:
        text.write("# edited\n")


def play_demo(made: Cluster) -> tuple[Job, Job]:
    """One cycle of the embedded demo as a job, on the head alone and on both hosts; its base is built once."""
    start = ("python", "-m", "haloforge.raft", "--config", "configs/demo.yaml")
    demo = (*start, "--cycles", "1", "--no-cache", "--output")
    alone = made.submit(*demo, "runs/alone", output="runs/alone")
    made.join(made.token)
    both = made.submit(*demo, "runs/both", output="runs/both")
    made.stop()
    return alone, both


def main() -> int:
    if reason := why_not():
        print(f"two hosts cannot be made here: {reason}")
        return 2
    if sys.argv[1:] == ["--demo"]:
        with cluster() as made:
            alone, both = play_demo(made)
        show("the demo's first cycle on one host", alone)
        show("the demo's first cycle on two hosts", both)
        print("\nthe same rows and adapter in both:", alone.results() == both.results())
        return 0
    with cluster() as made:
        played = play(made)
    print(f"SFT as a job: {played.sft.seconds:.0f} s; again after an edit: {played.sft_again.seconds:.0f} s")
    show("RAFT on one host", played.one)
    show("RAFT on two hosts", played.two)
    show("generator and trainer on the second host, without --working-dir", played.there)
    print(
        "\nthe same rows and adapter in all three:",
        played.one.results() == played.two.results() == played.there.results(),
    )
    print(f"RAFT again after an edit and a new head: {played.two_again.seconds:.0f} s")
    for what, said in played.refused.items():
        print(
            f"\n{what}:",
            *(line for line in said.splitlines() if " verifier on " in line or "error:" in line),
            sep="\n  ",
        )
    print("\nleft running:", played.left or "nothing")
    return 0


def show(title: str, job: Job) -> None:
    print(f"\n{title}: {job.seconds:.0f} s; generate and verify {job.cycle['seconds']['generate_and_verify']:.1f} s")
    print("\n".join(line for line in job.output.splitlines() if " verifiers on " in line or " model " in line))
    print(f"  samples of cycle 1 verified by: {job.cycle['verified_by']}")
    for node, statuses in job.verdicts_by_node().items():
        print(f"  verdicts on {node}: {statuses}")


if __name__ == "__main__":
    sys.exit(main())
