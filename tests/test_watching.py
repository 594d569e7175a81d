"""With a real Ray: the run's figures arrive at the node's metrics port, and actors answer while they work."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict
from pathlib import Path

import pytest
import ray

from actors.cluster import connect
from actors.metrics import COUNTERS, GAUGES, TAGS, RayMetrics
from actors.pool import VerifierPool
from haloforge.hardware import Gpu
from haloforge.records import PASSED, Case, Prompt, Sample
from haloforge.watching.stages import Stage

pytestmark = pytest.mark.sandbox

SLOW = '#include <stdio.h>\nint main(void) { for (volatile long i = 0; i < 1500000000L; i++); puts("1"); }\n'
TASK = Prompt("one", "print 1", "c", (Case("", "1\n"),))


def scraped() -> dict[str, list[tuple[dict[str, str], float]]]:
    """The haloforge_ metrics at all export ports of this Ray, found where Prometheus finds them: (tags, value)."""
    session = Path(ray._private.worker._global_node.get_temp_dir_path())
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for group in json.loads((session / "prom_metrics_service_discovery.json").read_text()):
        for target in group["targets"]:
            with urllib.request.urlopen(f"http://{target}/metrics", timeout=10) as answer:
                text = answer.read().decode()
            for name, tags, value in re.findall(r"^ray_haloforge_(\w+)\{(.*)\} (\S+)$", text, re.MULTILINE):
                found.setdefault(name, []).append((dict(re.findall(r'(\w+)="([^"]*)"', tags)), float(value)))
    return found


def test_the_figures_of_a_run_arrive_at_the_metrics_port(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with connect("test-metrics"):
        metrics = RayMetrics("test-metrics")
        stage = Stage("generate & verify", 2, 3, total=100, done=4, cached=4, drawn=10)
        stage.statuses.update(passed=4)
        with metrics.during(stage):
            stage.drawn, stage.done, stage.tokens, stage.in_flight, stage.waiting = 30, 14, 500, 8, 16
            stage.statuses.update(passed=7, wrong_answer=3)
            metrics.tick()
            stage.statuses.update(wrong_answer=2)
        train = Stage("train", 2, 3, unit="steps", total=9)
        with metrics.during(train):
            train.take_row({"step": 9, "train_loss": 0.25})
        metrics.cycle({"cycle": 2, "kept": 12, "pass_rate": 0.75})
        gpu = Gpu("card", "nvidia", 2**34, 2**34 - 2**30, used_bytes=2**30, busy=0.5)
        metrics.gpus("trainer-0", {"gpus": [asdict(gpu)]})
        expected = {
            ("samples_total", "generate & verify", None): 20,
            ("tokens_total", "generate & verify", None): 500,
            ("verdicts_total", "generate & verify", "passed"): 7,
            ("verdicts_total", "generate & verify", "wrong_answer"): 5,
            ("steps_total", None, None): 9,
            ("cycle", None, None): 2,
            ("kept", None, None): 12,
            ("pass_rate", None, None): 0.75,
            ("train_loss", None, None): 0.25,
            ("gpu_busy", None, None): 0.5,
            ("gpu_memory_bytes", None, None): 2**30,
        }
        deadline = time.monotonic() + 60
        while True:
            found = scraped()
            values = {
                (name, tags.get("stage"), tags.get("status")): value
                for name, rows in found.items()
                for tags, value in rows
            }
            if expected.items() <= values.items() or time.monotonic() > deadline:
                break
            time.sleep(1)
        assert {key: values.get(key) for key in expected} == expected
        assert set(found) == {f"{name}_total" for name in COUNTERS} | set(GAUGES)
        assert {tags["run"] for rows in found.values() for tags, _ in rows} == {"test-metrics"}
        ((tags, _),) = found["gpu_busy"]
        assert (tags["actor"], tags["gpu"]) == ("trainer-0", "0")


def test_the_documented_metrics_are_the_ones_there_are():
    text = (Path(__file__).parent.parent / "docs/WATCHING.md").read_text()
    documented = re.findall(r"^\| `ray_haloforge_(\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    expected = [
        (f"{name}_total" if kind == "counter" else name, kind, ", ".join(f"`{t}`" for t in TAGS.get(name, ())), what)
        for kind, family in (("counter", COUNTERS), ("gauge", GAUGES))
        for name, what in family.items()
    ]
    assert documented == expected


ASK = """
import json, sys
from actors.watching import statuses
print(json.dumps(statuses(*sys.argv[1:])))
"""


def test_a_verifier_says_what_it_is_doing_to_another_process_while_it_works(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    async def play() -> None:
        with connect("test-watching") as cluster:
            pool = VerifierPool([cluster.nodes[0]], "execution", {"cpu_s": 60.0})
            await pool.start()
            sample = Sample("1/one/0", "one", 1, 0, SLOW, (1,), (2,), "stop")
            first = await pool.judge(sample, TASK)
            asked = [asyncio.ensure_future(pool.judge(sample, TASK)) for _ in range(12)]
            ask = [sys.executable, "-c", ASK, cluster.address, cluster.namespace]
            answer = await asyncio.to_thread(subprocess.run, ask, capture_output=True, text=True, timeout=100)
            assert not all(a.done() for a in asked), "it was asked too late to be at work"
            ((name, told),) = json.loads(answer.stdout.splitlines()[-1]).items()
            assert re.fullmatch(r"verifier@[\d.]+-0", name)
            assert told["doing"] == "verify 1/one/0"
            assert 0 <= told["since_s"] < 60
            assert 1 <= told["verified"] < 13
            assert told["busy_s"] >= first.wall_s * 0.5
            assert first.status == PASSED
            for call in asked:
                call.cancel()

    asyncio.run(play())
