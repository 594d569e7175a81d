"""Every key of the schema is read where it acts: no key without effect.

A recorder notes each read of a config's field by code outside haloforge.config, while everything that turns a
config into a run is done for real, but for Ray and the engine.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import haloforge.config
from actors.cluster import connect
from actors.crew import engine_settings, environment, learner_settings, need, plan, update_plan
from haloforge.budgets import plan_gpus
from haloforge.config import Block, RaftConfig
from haloforge.hardware import GIB, Gpu
from haloforge.ledger import RunFolder
from haloforge.loop import Run, run_raft
from haloforge.preparation import cache_of, prepare
from haloforge.records import INFRA_ERROR, VerifyResult
from tests.fakes import FakeJudge, FakeLearner, FakeSampler
from tests.tiny_models import build_model

CONFIG_CODE = str(Path(haloforge.config.__file__).parent)


def fields(kind: type[BaseModel]) -> Iterator[tuple[type[BaseModel], str]]:
    """(class, field) of every leaf of a schema."""
    for name, info in kind.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from fields(info.annotation)
        else:
            yield kind, name


@pytest.fixture
def reads(monkeypatch) -> set[tuple[str, str]]:
    """(class, field) of what was read, by any code that is not the schema's own."""
    seen: set[tuple[str, str]] = set()
    plain = BaseModel.__getattribute__

    def recording(self: Any, name: str) -> Any:
        if not name.startswith("_") and name in type(self).model_fields:
            frame = sys._getframe(1)
            # A property or method of the schema hands on what its caller asked for.
            while frame.f_back is not None and frame.f_code.co_filename.startswith(CONFIG_CODE):
                if inspect.getmodule(frame.f_code) and frame.f_code.co_name in ("model_post_init", "<module>"):
                    break
                frame = frame.f_back
            if not frame.f_code.co_filename.startswith((CONFIG_CODE, str(Path(inspect.getfile(BaseModel)).parent))):
                seen.add((type(self).__name__, name))
        return plain(self, name)

    monkeypatch.setattr(Block, "__getattribute__", recording, raising=False)
    return seen


def test_every_key_of_the_raft_schema_is_read_where_it_acts(tmp_path, monkeypatch, home, reads):
    monkeypatch.chdir(tmp_path)
    build_model(tmp_path / "model")
    row = '{"id": "%d", "prompt": "print %d", "language": "c", "tests": [{"output": "%d"}]}\n'
    (tmp_path / "prompts.jsonl").write_text("".join(row % (n, n, n) for n in range(30)))
    (tmp_path / "other").mkdir()
    uniform = {"selection": "uniform", "control_of": "other"}
    for name, raft in (("a", {"num_cycles": 2}), ("b", {"selection": "global", "num_cycles": 1}), ("c", uniform)):
        config = RaftConfig.model_validate(
            {
                "model": "model",
                "prompts": "prompts.jsonl",
                "output_dir": name,
                "raft": {**raft, "min_samples": 2},
                "generation": {"max_new_tokens": 32, "temperature_start": 1.0, "temperature_end": 0.8}
                if name == "a"
                else {"max_new_tokens": 32},
                "early_stopping": {"enabled": True},
                "verifiers": {"max_infra_errors": 0.5},
            }
        )
        start_and_play(config)
    declared = {(kind.__name__, name) for kind, name in fields(RaftConfig)}
    assert declared - reads == set()


class Faulty(FakeJudge):
    """Loses one verdict in eight to a fault of ours."""

    async def judge(self, sample, prompt):
        if sample.index == 1:
            return VerifyResult(False, None, status=INFRA_ERROR, error="a node was lost")
        return await super().judge(sample, prompt)


def start_and_play(config: RaftConfig) -> None:
    """What `haloforge raft train` does with a config, on fakes at the loop's ports."""
    prepared = prepare(config)
    assert prepared.start is not None
    with connect("idle", config.cluster) as cluster:
        share = asyncio.run(plan(cluster, config, prepared.model_dir, prepared.every_prompt))
    card = Gpu("card", "nvidia", 24 * GIB, 24 * GIB)
    plan_gpus(config.placement, None, (card,), None, need(config, prepared.model_dir))
    environment(config)
    engine_settings(config, prepared.start, share)
    learner_settings(config, prepared.start.base_dir, share)
    update_plan(config)
    folder = RunFolder(prepared.output)
    folder.open()
    folder.statistics["run"]["base"] = prepared.start.base_dir
    ports = (FakeSampler(), Faulty(), FakeLearner())
    cache = cache_of(config, share.machines)
    run = Run(config, folder, prepared.prompts, prepared.held_out, *ports, None, None, cache=cache)
    try:
        asyncio.run(run_raft(run))
    finally:
        cache.close()
        folder.close()


def test_the_recorder_sees_a_key_that_nobody_reads(reads):
    class Idle(Block):
        used: int = 1
        idle: int = 2

    assert Idle().used == 1
    assert reads == {("Idle", "used")}
