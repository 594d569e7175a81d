"""`haloforge sft train` for real, in a Ray of its own: killed in the middle and taken up again, and what it refuses."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.tiny_models import build_model
from tests.whole_runs import command, finish, lines, nothing_left, wait_until

pytestmark = pytest.mark.e2e

SETTINGS = (
    *("training.bf16=false", "training.gradient_accumulation_steps=2", "training.per_device_train_batch_size=4"),
    *("training.save_steps=10", "training.save_total_limit=2", "training.learning_rate=2e-3"),
    *("data.validation_split=0.1", "lora.r=8"),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("sft")
    build_model(place / "base")
    rows = [{"prompt": f"write sum {i}", "completion": f"int main return {i % 7}"} for i in range(60)]
    (place / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


def sft(place: Path, output: str, *more: str):
    settings = [f"--set={setting}" for setting in SETTINGS]
    arguments = ["--model", "base", "--data", "data.jsonl", "--epochs", "12", "--output", output, *settings, *more]
    return command(place, *arguments, module="haloforge.sft")


@pytest.fixture(scope="module")
def undisturbed(place):
    output = finish(sft(place, "undisturbed"))
    assert "next: haloforge raft train --checkpoint" in output
    return place / "undisturbed"


def result(folder: Path) -> dict[str, bytes]:
    names = ("final_model/adapter_model.safetensors", "final_model/adapter_config.json", "metrics.jsonl")
    return {name: (folder / name).read_bytes() for name in names}


def test_a_training_learns_and_keeps_its_best(undisturbed):
    found = json.loads((undisturbed / "sft_statistics.json").read_text())
    assert found["finished"]
    assert found["eval_loss"] < 0.6 * found["eval_loss_before"]
    rows = [json.loads(line) for line in (undisturbed / "metrics.jsonl").read_text().splitlines()]
    measured = {row["step"]: row["eval_loss"] for row in rows if row["eval_loss"] is not None}
    assert len(measured) >= 4
    assert found["eval_loss"] == min(measured.values()) == measured[found["best_step"]]
    assert (undisturbed / f"checkpoint-{found['best_step']}").is_dir()
    # The best checkpoint is the model, to the byte.
    best = (undisturbed / f"checkpoint-{found['best_step']}" / "adapter_model.safetensors").read_bytes()
    assert best == result(undisturbed)["final_model/adapter_model.safetensors"]


def test_a_training_killed_twice_goes_on_to_the_same_bytes(place, undisturbed):
    run = place / "killed"
    for after in (10, 30):
        process = sft(place, "killed")
        wait_until(lambda after=after: any(run.glob(f"checkpoint-{after}/progress.json")), process)
        time.sleep(0.2)  # past the checkpoint
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (run / "final_model").exists(), "it was killed too late for this test"
        assert nothing_left(place)
    output = finish(sft(place, "killed"))
    assert f"going on from {run}/checkpoint-" in output
    assert result(run) == result(undisturbed)
    assert "is complete: nothing is left to train" in finish(sft(place, "killed"))


def test_resume_goes_on_from_the_checkpoint_that_is_named(place, undisturbed):
    run = place / "resumed"
    process = sft(place, "resumed", "--set=training.save_total_limit=null")
    wait_until(lambda: (run / "checkpoint-20/progress.json").exists(), process)
    process.send_signal(signal.SIGTERM)
    assert "goes on from here" in finish(process, 143)
    assert nothing_left(place)
    output = finish(command(place, "--resume", "resumed/checkpoint-10", module="haloforge.sft"))
    assert f"going on from {run}/checkpoint-10" in output
    assert result(run) == result(undisturbed)
    assert lines(run / "metrics.jsonl") == lines(undisturbed / "metrics.jsonl")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (["data.max_seq_length=4"], ["longer than 4 tokens", "data.max_seq_length"]),
        (["placement.trainer_node=nobody"], ["placement.trainer_node is 'nobody'", "no such node", "it has "]),
        (["lora.target_modules=[no_such]"], ["no_such"]),
    ],
    ids=["too long", "node", "modules"],
)
def test_what_only_the_cluster_or_the_trainer_can_tell_is_bad_input_too(place, settings, named):
    output = finish(sft(place, f"bad-{settings[0].partition('=')[0]}", *(f"--set={s}" for s in settings)), 2)
    assert "haloforge: error: " in output
    for word in named:
        assert word in output
    assert "Traceback" not in output
    assert len(output.splitlines()) < 25


def test_an_adapter_is_continued_on_its_own_base(place, undisturbed):
    finish(sft(place, "more", "--model", "undisturbed/final_model"))
    config = json.loads((place / "more/final_model/adapter_config.json").read_text())
    assert Path(config["base_model_name_or_path"]).resolve() == (place / "base").resolve()
    before, after = (json.loads((place / name / "sft_statistics.json").read_text()) for name in ("undisturbed", "more"))
    assert after["eval_loss_before"] == pytest.approx(before["eval_loss"], abs=1e-4)
