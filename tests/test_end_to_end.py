"""A whole small run for real: vLLM, gcc in the sandbox, PEFT, Ray; killed at three moments and taken up again."""

from __future__ import annotations

import json
import re
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.whole_runs import command, finish, lines, nothing_left, results, statistics, wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def place(small_base):
    return small_base


@pytest.fixture(scope="module")
def undisturbed(small_run):
    return small_run


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


def test_another_run_with_the_same_answers_takes_their_verdicts_from_the_cache(small_base):
    for output in ("first", "second"):
        finish(
            command(small_base, "--config", "run.yaml", "--output", output, "--cycles=1", "--set=verifiers.cache=true")
        )
    first, second = small_base / "first", small_base / "second"
    assert results(first) == results(second)
    rows = [json.loads(line) for line in (second / "cycle_1_verified.jsonl").read_text().splitlines()]
    kept = [row for row in rows if row["metadata"].get("ended_by") != "wall_limit"]
    assert kept
    assert all(row["cached"] for row in kept)
    fresh = [json.loads(line)["cached"] for line in (first / "cycle_1_verified.jsonl").read_text().splitlines()]
    assert not all(fresh)
