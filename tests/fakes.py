"""List-backed fakes at the loop's three ports, and small records to feed it."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from haloforge.loop import REPORT
from haloforge.proof import ExactReport
from haloforge.records import (
    COMPILED,
    PASSED,
    UNDECIDED,
    WRONG_ANSWER,
    Case,
    Judged,
    Prompt,
    Sample,
    SampleRequest,
    TrainingExample,
    VerifyResult,
)


def prompt(id: str, checks: bool = True) -> Prompt:
    return Prompt(id=id, text=f"task {id}", language="c", cases=(Case("1", "1"),) if checks else ())


def judged(
    prompt_id: str,
    index: int,
    status: str = PASSED,
    reward: float | None = None,
    code: str | None = None,
    finish_reason: str = "stop",
) -> Judged:
    """A sample of `prompt_id` with the verdict `status`; its program is its own unless `code` is given."""
    text = code if code is not None else f"program {prompt_id} {index}"
    if reward is None and status not in UNDECIDED:
        reward = {PASSED: 1.0, COMPILED: 0.5, WRONG_ANSWER: 0.7}.get(status, 0.0)
    sample = Sample(f"1/{prompt_id}/{index}", prompt_id, 1, index, text, (1, 2), (3, 4), finish_reason)
    return Judged(sample, VerifyResult(status in (PASSED, COMPILED), reward, status=status, code=text))


class CutOff(Exception):
    """Stands for whatever ends a run from outside."""


class FakeSampler:
    """Answers `good` for the share of requests that grows with each loaded adapter; counts what it is asked."""

    def __init__(self, answer: Callable[[SampleRequest, int], str] | None = None) -> None:
        self.answer = answer or (lambda request, served: "good" if request.seed % 4 <= served else "bad")
        self.requests: list[SampleRequest] = []
        self.loaded: list[int] = []
        self.fail_after: int | None = None

    async def sample(self, request: SampleRequest) -> Sample:
        if self.fail_after is not None and len(self.requests) >= self.fail_after:
            raise CutOff
        self.requests.append(request)
        text = f"{self.answer(request, self.served)} {request.index}"
        tokens = tuple(text.encode())
        return Sample(
            request.id,
            request.prompt.id,
            request.cycle,
            request.index,
            text,
            tuple(request.prompt.text.encode()),
            tokens,
            "stop",
            request.seed,
            request.temperature,
        )

    async def score(self, sequences: Sequence[TrainingExample]) -> list[tuple[float, ...]]:
        return [tuple(-0.5 - 0.1 * self.served for _ in s.token_ids) for s in sequences]

    @property
    def served(self) -> int:
        """The cycle whose adapter was loaded last; 0 is the start point."""
        return self.loaded[-1] if self.loaded else 0

    async def load_adapter(self, folder: Path, cycle: int) -> None:
        self.loaded.append(cycle)

    async def inspect_adapter(self) -> ExactReport:
        return ExactReport(adapter=f"cycle-{self.loaded[-1]}", matched=28)

    async def drop_previous(self) -> None:
        pass


class FakeJudge:
    """`good …` passes, all else is a wrong answer; counts what it is asked."""

    slots = 2

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def judge(self, sample: Sample, prompt: Prompt) -> VerifyResult:
        self.asked.append(sample.id)
        good = sample.text.startswith("good")
        status = PASSED if good else WRONG_ANSWER
        return VerifyResult(good, 1.0 if good else 0.7, status=status, code=sample.text, cpu_s=0.01)

    def busy_seconds(self) -> dict[str, float]:
        return {"verifier-0": 0.01 * len(self.asked)}


@dataclass
class FakeScores:
    logprobs: list[tuple[float, ...]]
    entropy: float = 0.5
    rounding: float = 0.0


class FakeLearner:
    """Writes adapter folders whose content tells what they were trained on."""

    def __init__(self) -> None:
        self.updates: list[tuple[int, list[str], float]] = []
        self.restored: tuple[Path | None, Path | None] | None = None
        self.cycle = 0

    async def restore(self, current: Path | None, previous: Path | None) -> None:
        self.restored = (current, previous)
        self.cycle = int(current.name.split("_")[1]) if current else 0

    async def update(
        self,
        examples: Sequence[TrainingExample],
        learning_rate: float,
        seed: int,
        cycle: int,
        into: Path,
        on_log: Callable[[Mapping[str, float]], None],
    ) -> None:
        self.cycle = cycle
        log = [
            {"step": n, "epoch": n / len(examples), "train_loss": 2 - n / len(examples), "learning_rate": learning_rate}
            for n in range(1, len(examples) + 1)
        ]
        for row in log:
            on_log(row)
        self.updates.append((cycle, [e.id for e in examples], learning_rate))
        shutil.rmtree(into, ignore_errors=True)
        write_adapter(into, zlib.crc32(repr([e.id for e in examples]).encode()))
        (into / REPORT).write_text(
            json.dumps(
                {
                    "trained": bool(examples),
                    "optimizer_steps": len(examples),
                    "loss_before": 2.0,
                    "loss_after": 1.0,
                    "log": log,
                }
            )
        )

    async def score(self, sequences: Sequence[TrainingExample], adapter: str) -> FakeScores:
        cycle = self.cycle - (adapter == "previous")
        return FakeScores([tuple(-0.5 - 0.1 * cycle - 0.001 for _ in s.token_ids) for s in sequences])


def write_adapter(folder: Path, content: int) -> None:
    """A complete adapter folder of one tensor, in the format of safetensors."""
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    header = json.dumps({"t": {"dtype": "U32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    body = len(header).to_bytes(8, "little") + header + content.to_bytes(4, "little")
    (folder / "adapter_model.safetensors").write_bytes(body)
