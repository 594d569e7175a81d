"""The SFT command without Ray: its folder, what a resume does, when a training ends, and what bad input gets.

FakeTrainer stands where the actor is (actors.sft.train_in_actor): it hands out rows and checkpoints as the actor does,
and can break off in the middle. Real training is in test_training.py, the whole command in test_sft_end_to_end.py.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from haloforge import config as schema
from haloforge import paths
from haloforge.config import SftConfig
from haloforge.config.blocks import Block
from haloforge.errors import BadInput, RunStopped
from haloforge.output_folder import OutputFolder
from haloforge.training import checkpoints
from haloforge.training.measuring import Cadence, Measurements, due
from haloforge.training.plan import StepPlan

# ── when something is due, and when a training ends ─────────────────────────────────────────────────────────────────


def plan(steps: int, epochs: int) -> StepPlan:
    return StepPlan(batch_size=1, accumulation=1, epochs=epochs, steps=steps, warmup_steps=0)


@pytest.mark.parametrize(
    ("every", "steps", "epochs", "wanted"),
    [
        (None, 12, 3, [4, 8, 12]),
        (None, 10, 3, [4, 7, 10]),  # the first step that is past a third, two thirds
        (None, 2, 3, [1, 2]),
        (5, 12, 3, [5, 10, 12]),
        (100, 12, 3, [12]),
        (1, 3, 1, [1, 2, 3]),
    ],
)
def test_things_are_due_at_each_epochs_end_or_every_so_many_steps_and_after_the_last(every, steps, epochs, wanted):
    assert [n for n in range(1, steps + 1) if due(n, every, plan(steps, epochs))] == wanted


def test_the_best_is_the_lowest_the_earlier_of_equals_and_never_the_start_point():
    found = Measurements()
    assert [found.add(*row) for row in [(0, 0.1), (5, 2.0), (10, 1.5), (15, 1.5), (20, 1.6)]] == [
        *(False, True, True, False, False)
    ]
    assert (found.start, found.best) == (0.1, (10, 1.5))
    assert Measurements().best is None


@pytest.mark.parametrize(
    ("losses", "stops_after"),
    [
        ([3, 2, 1, 0.5, 0.4, 0.3], None),
        ([3, 2, 2, 2, 2], 4),  # two without progress
        ([3, 2.94, 2.88, 2.82, 2.76], None),  # each fall is too small, two together are progress
        ([3, 2.95, 2.95, 2], 3),
        ([3, 4, 2, 5, 6, 1], 5),
    ],
)
def test_a_training_ends_after_so_many_measurements_without_progress(losses, stops_after):
    cadence = Cadence(patience=2, min_delta=0.1)
    found = Measurements([(0, 0.0)])  # the start point has no say
    ended = None
    for n, loss in enumerate(losses, 1):
        found.add(n, loss)
        if found.exhausted(cadence):
            ended = n
            break
    assert ended == stops_after
    assert not found.exhausted(Cadence(patience=None))


def test_the_newest_checkpoints_and_the_best_are_kept(tmp_path):
    paths_ = [tmp_path / f"checkpoint-{n}" for n in (100, 20, 3, 40)]
    random.Random(1).shuffle(paths_)
    gone = checkpoints.superfluous(paths_, 2, best_step=3)
    assert [path.name for path in gone] == ["checkpoint-20"]
    assert checkpoints.superfluous(paths_, None, best_step=None) == []
    assert len(checkpoints.superfluous(paths_, 1, best_step=None)) == 3


# ── a checkpoint as the trainer leaves it ───────────────────────────────────────────────────────────────────────────


def write_adapter(folder: Path, content: int, base: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    config = {"peft_type": "LORA", "base_model_name_or_path": str(base)}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    header = json.dumps({"t": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    (folder / "adapter_model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes([content]))


def write_checkpoint(folder: Path, step: int, measured: list[tuple[int, float]], base: Path) -> Path:
    path = folder / f"checkpoint-{step}"
    write_adapter(path, step, base)
    for name in checkpoints.STATE:
        (path / name).write_text("{}")
    checkpoints.write_progress(path, Measurements(measured))
    return path


BREAKS: dict[str, Callable[[Path], Any]] = {
    "optimizer.pt missing or empty": lambda p: (p / "optimizer.pt").unlink(),
    "rng_state.pth missing or empty": lambda p: (p / "rng_state.pth").write_text(""),
    "weights are missing or cut short": lambda p: (p / "adapter_model.safetensors").write_bytes(b"\0" * 9),
    "progress.json cannot be read": lambda p: (p / "progress.json").write_text("{"),
    "written after step 9": lambda p: (p / "progress.json").write_text('{"step": 9, "measured": []}'),
    "no such folder": shutil.rmtree,
}


@pytest.mark.parametrize("why", BREAKS)
def test_a_checkpoint_with_anything_amiss_is_none(tmp_path, why):
    good = write_checkpoint(tmp_path, 4, [(0, 3.0), (4, 2.0)], tmp_path)
    path = write_checkpoint(tmp_path, 8, [(0, 3.0), (4, 2.0), (8, 1.0)], tmp_path)
    assert checkpoints.whole(tmp_path) == [good, path]
    BREAKS[why](path)
    assert checkpoints.whole(tmp_path) == [good]
    with pytest.raises(BadInput, match=why) as error:
        checkpoints.require_whole(path)
    assert "whole checkpoints in" in str(error.value)
    assert "checkpoint-4" in str(error.value)


# ── the command, with a fake trainer ────────────────────────────────────────────────────────────────────────────────


class FakeTrainer:
    """Stands for the actor: six steps, measured and saved at every second, with these eval losses."""

    losses = ((2, 2.0), (4, 1.0), (6, 1.5))

    def __init__(self) -> None:
        self.calls: list[SimpleNamespace] = []
        self.break_after: int | None = None
        """The step whose rows are handed out, but not its checkpoint, before the connection is lost."""

    async def __call__(self, cluster, place, job, into, on_log, *, resume, best, on_checkpoint):
        from haloforge.training.learner import UpdateReport
        from haloforge.training.sft import SftReport

        self.calls.append(SimpleNamespace(job=job, place=place, resume=resume, best=best))
        done = (checkpoints.step_of(resume) or 0) if resume else 0
        measured = checkpoints.read_measurements(resume).rows if resume else [(0, 3.0)]
        if not resume:
            on_log({"step": 0, "epoch": 0.0, "eval_loss": 3.0})
        for step, loss in self.losses:
            if step <= done:
                continue
            on_log({"step": step, "epoch": step / 2, "eval_loss": loss})
            on_log({"step": step, "epoch": step / 2, "train_loss": loss / 2, "learning_rate": 1e-4})
            if self.break_after == step:
                raise RunStopped("sft-0 died")
            measured = [*measured, (step, loss)]
            on_checkpoint(write_checkpoint(into.parent, step, measured, Path(job.settings.model_dir)))
        write_adapter(into, 4, Path(job.settings.model_dir))
        update = UpdateReport(6, 3, 3.0, 1.0, 1.0, 0.1, 9, 90, 1.0, 1e-4, ())
        return SftReport(str(into), update, 9, 1, 0, 1.0, start_eval_loss=3.0, best_step=4)


@pytest.fixture
def trainer(monkeypatch):
    import actors.cluster
    import actors.sft

    fake = FakeTrainer()
    node = actors.cluster.Node("id", "10.0.0.1", "here", 2, 2)

    def connect(run, settings):
        assert settings.address is None
        assert settings.dashboard_port is None
        return contextlib.nullcontext(actors.cluster.Cluster(run, "", None, (node,)))

    monkeypatch.setattr(actors.cluster, "connect", connect)
    monkeypatch.setattr(actors.sft, "train_in_actor", fake)
    return fake


@pytest.fixture
def place(tmp_path, monkeypatch, home):
    """A working directory with data and a folder that looks like a model."""
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": f"p{i}", "completion": "c"} for i in range(10)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text(json.dumps({"model_type": "qwen2", "max_position_embeddings": 64}))
    header = json.dumps({"t": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    (tmp_path / "model/model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    write_adapter(tmp_path / "adapter", 1, tmp_path / "model")
    return tmp_path


def sft(*arguments: str) -> int:
    from haloforge import sft as command

    try:
        command.app([str(a) for a in arguments], standalone_mode=False)
    except SystemExit as e:
        return int(e.code or 0)
    return 0


GOOD = ("--model", "model", "--data", "data.jsonl", "--output", "out")


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows of a folder: by its own reader."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder)).Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_a_training_leaves_what_is_promised(place, trainer, capsys):
    assert sft(*GOOD) == 0
    out = place / "out"
    assert {path.name for path in out.iterdir()} == {
        *("final_model", "checkpoint-2", "checkpoint-4", "checkpoint-6", "metrics.jsonl", "logs", ".lock"),
        *("resolved_config.yaml", "versions.json", "sft_statistics.json", "sft.log"),
    }
    rows = metrics(out)
    assert all(set(row) == {"step", "epoch", "train_loss", "eval_loss", "learning_rate"} for row in rows)
    assert [row["eval_loss"] for row in rows if row["eval_loss"] is not None] == [3.0, 2.0, 1.0, 1.5]
    assert scalars(out / "logs")["eval_loss"] == [(0, 3.0), (2, 2.0), (4, 1.0), (6, 1.5)]
    assert [step for step, _ in scalars(out / "logs")["learning_rate"]] == [2, 4, 6]
    said = capsys.readouterr().out
    assert "eval_loss: 3.0000 before training → 1.0000 (step 4 of 6)" in said
    assert f"haloforge raft train --checkpoint {out / 'final_model'} --prompts" in said.replace("\n", "")


def test_a_config_alone_is_enough_and_only_what_is_typed_beats_it(place, trainer):
    (place / "sft.yaml").write_text(
        "model: {name: model}\ndata: {train_file: data.jsonl}\nlora: {r: 4}\n"
        "training: {output_dir: out, num_train_epochs: 5, learning_rate: 3e-4}\n"
    )
    assert sft("--config", "sft.yaml") == 0
    assert sft("--config", "sft.yaml", "--output", "other", "--epochs", "2", "--set", "lora.r=2") == 0
    alone, typed = (call.job for call in trainer.calls)
    assert (alone.plan.epochs, alone.plan.learning_rate, alone.settings.lora_r) == (5, 3e-4, 4)
    assert (typed.plan.epochs, typed.plan.learning_rate, typed.settings.lora_r) == (2, 3e-4, 2)
    assert alone.plan.gradient_accumulation_steps == 16, "the documented default, where nobody says otherwise"


def test_the_same_command_goes_on_from_the_newest_whole_checkpoint_and_repeats_no_row(place, trainer, caplog):
    assert sft(*GOOD) == 0
    whole = metrics(place / "out")
    shutil.rmtree(place / "out")
    trainer.calls.clear()

    trainer.break_after = 6
    assert sft(*GOOD) == 3
    (place / "out/checkpoint-6.part").mkdir()
    (place / "out/final_model.part").mkdir()
    with (place / "out/metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "ep')  # killed while it wrote
    trainer.break_after = None
    assert sft(*GOOD) == 0
    assert [call.resume and call.resume.name for call in trainer.calls] == [None, "checkpoint-4"]
    assert "going on from" in caplog.text
    assert metrics(place / "out") == whole
    assert scalars(place / "out/logs")["eval_loss"] == [(0, 3.0), (2, 2.0), (4, 1.0), (6, 1.5)]
    assert not list((place / "out").glob("*.part"))

    assert sft(*GOOD) == 0
    assert len(trainer.calls) == 2, "a finished run trained again"
    assert "is complete" in caplog.text


def test_a_broken_newest_checkpoint_is_passed_over(place, trainer):
    trainer.break_after = 6
    assert sft(*GOOD) == 3
    (place / "out/checkpoint-4/optimizer.pt").write_text("")
    trainer.break_after = None
    assert sft(*GOOD) == 0
    assert trainer.calls[-1].resume == place / "out/checkpoint-2"
    assert [row["step"] for row in metrics(place / "out")] == [0, 2, 2, 4, 4, 6, 6]


def test_resume_alone_knows_its_data_and_model_and_takes_later_steps_back(place, trainer, caplog):
    trainer.break_after = 6
    assert sft(*GOOD) == 3
    trainer.break_after = None
    assert sft("--resume", "out/checkpoint-2") == 0
    assert trainer.calls[-1].resume == place / "out/checkpoint-2"
    assert trainer.calls[-1].best == place / "out/checkpoint-2"
    assert "checkpoint-4 is removed: the training goes on from step 2" in caplog.text
    assert [row["step"] for row in metrics(place / "out")] == [0, 2, 2, 4, 4, 6, 6]


def test_the_best_checkpoint_outlives_the_limit_and_is_handed_on(place, trainer):
    trainer.losses = ((2, 1.0), (4, 2.0), (6, 2.5), (8, 2.6))
    trainer.break_after = 8
    assert sft(*GOOD, "--set", "training.save_total_limit=1") == 3
    assert sorted(p.name for p in (place / "out").glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-6"]
    trainer.break_after = None
    assert sft(*GOOD) == 0, "save_total_limit may change"
    assert (trainer.calls[-1].resume.name, trainer.calls[-1].best.name) == ("checkpoint-6", "checkpoint-2")


def test_other_settings_are_refused_with_the_difference_and_fresh_moves_the_folder_aside(place, trainer, capsys):
    trainer.break_after = 4
    assert sft(*GOOD) == 3
    assert sft(*GOOD, "--epochs", "5") == 2
    said = capsys.readouterr().err
    assert "training.num_train_epochs: 3 → 5" in said
    assert "--fresh" in said
    with (place / "data.jsonl").open("a") as file:
        file.write('{"text": "more"}\n')
    assert sft(*GOOD) == 2
    assert "data_digest" in capsys.readouterr().err
    assert sft(*GOOD, "--set", "placement=cpu", "--set", "training.logging_steps=1") == 2, "still other data"
    trainer.break_after = None
    assert sft(*GOOD, "--fresh", "--epochs", "5") == 0
    assert len(list(place.glob("out.before-*/checkpoint-2"))) == 1
    assert trainer.calls[-1].resume is None


def test_an_adapter_is_continued_on_its_own_base(place, trainer):
    assert sft(*GOOD[2:], "--model", "adapter") == 0
    job = trainer.calls[-1].job
    assert (Path(job.settings.model_dir), Path(job.adapter_dir)) == (place / "model", place / "adapter")


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(place, trainer, capsys):
    assert sft(*GOOD, "--dry-run", "--set", "data.validation_split=0.2") == 0
    said = capsys.readouterr().out
    assert "8 to train on, 2 held out" in said
    assert not (place / "out").exists()
    assert trainer.calls == []
    trainer.break_after = 4
    assert sft(*GOOD) == 3
    assert sft(*GOOD, "--dry-run") == 0
    assert "from checkpoint-2" in capsys.readouterr().out


def test_quiet_leaves_only_the_result(place, trainer, capsys):
    assert sft(*GOOD, "--quiet") == 0
    said = capsys.readouterr()
    assert "step 2" not in said.err
    assert "final_model" in said.out


# ── bad input ───────────────────────────────────────────────────────────────────────────────────────────────────────

TABLE = [
    ([], ["model.name (--model)", "data.train_file (--data)", "output models/sft"]),
    (["--model", "model"], ["data.train_file (--data) missing"]),
    (["--model", "model", "--data", "nowhere.jsonl"], ["'nowhere.jsonl' not found", "looked at"]),
    (["--model", "model", "--data", "model"], ["cannot read", "Is a directory"]),
    (["--model", "model", "--data", "none.jsonl"], ["none.jsonl has no rows"]),
    (["--model", "model", "--data", "torn.jsonl"], ["torn.jsonl, line 2 is not JSON"]),
    (["--model", "model", "--data", "number.jsonl"], ['number.jsonl, line 1: "completion" is a number']),
    (["--model", "model", "--data", "chat.jsonl"], ['chat.jsonl, line 1: "prompt" is a list']),
    (["--model", "model", "--data", "half.jsonl"], ['line 1 is not a row: it has "prompt", "tests"', '"completion"']),
    (["--model", "model", "--data", "latin.jsonl"], ["latin.jsonl is not UTF-8 at byte"]),
    (["--model", "nomodel", "--data", "data.jsonl"], ["'nomodel' not found"]),
    (["--model", "empty", "--data", "data.jsonl"], ["empty is not a model folder", "config.json"]),
    (["--model", "cut", "--data", "data.jsonl"], ["cut is not a complete adapter"]),
    (["--model", "adapter", "--data", "data.jsonl", "--set", "method=full"], ["adapter", "method full"]),
    ([*GOOD, "--set", "training.learning_rate=fast"], ["training.learning_rate", "'fast'"]),
    ([*GOOD, "--set", "training.epochs=2"], ["unknown key 'training.epochs'", "num_train_epochs"]),
    ([*GOOD, "--epochs", "0"], ["training.num_train_epochs", "greater than or equal to 1"]),
    ([*GOOD, "--set", "placement=split"], ["placement.mode", "'auto' or 'cpu'"]),
    ([*GOOD, "--config", "no.yaml"], ["no.yaml", "sft_example.yaml"]),
    ([*GOOD, "--resume", "out/checkpoint-5"], ["out/checkpoint-5", "not found"]),
    ([*GOOD, "--resume", "other/checkpoint-2", "--output", "out"], ["not in the output folder", "--output"]),
    ([*GOOD[:4], "--resume", "other/checkpoint-2", "--fresh"], ["--fresh", "--resume"]),
    ([*GOOD[:4], "--resume", "other/checkpoint-4"], ["not a checkpoint", "optimizer.pt", "checkpoint-2"]),
    ([*GOOD[:4], "--resume", "other/checkpoint-2", "--set", "seed=9"], ["other settings", "seed: 0 → 9"]),
    ([*GOOD[:4], "--output", "data.jsonl/out"], ["cannot write 16 MiB to the output folder", "Not a directory"]),
    ([*GOOD[:4], "--output", "stranger"], ["stranger holds a model or checkpoints", "sft_statistics.json"]),
    ([*GOOD[:4], "--output", "locked"], ["locked is being written by pid"]),
]


@pytest.fixture
def spoiled(place, trainer, monkeypatch, capsys):
    """Everything that the table names, and no Ray."""
    import actors.cluster

    for name, text in {
        "none.jsonl": "\n",
        "torn.jsonl": '{"text": "a"}\n{"text": \n',
        "number.jsonl": '{"prompt": "a", "completion": 5}\n',
        "chat.jsonl": '{"prompt": [{"role": "user"}], "completion": "a"}\n',
        "half.jsonl": '{"prompt": "a", "tests": []}\n',
    }.items():
        (place / name).write_text(text)
    (place / "latin.jsonl").write_bytes('{"text": "ä"}\n'.encode("latin-1"))
    (place / "empty").mkdir()
    shutil.copytree(place / "adapter", place / "cut")
    (place / "cut/adapter_model.safetensors").write_bytes(b"\0")
    trainer.break_after = 6
    assert sft(*GOOD[:4], "--output", "other") == 3
    (place / "other/checkpoint-4/optimizer.pt").unlink()
    (place / "stranger/checkpoint-9").mkdir(parents=True)
    held = OutputFolder(place / "locked")
    held.open()

    def connect(run: str, settings: Any) -> Iterator[None]:
        raise AssertionError("Ray was started")

    monkeypatch.setattr(actors.cluster, "connect", connect)
    capsys.readouterr()
    yield place
    held.close()


@pytest.mark.parametrize(
    ("arguments", "named"), TABLE, ids=lambda v: " ".join(v)[:60] if v and v[0][:2] == "--" else ""
)
def test_bad_input_is_refused_by_name_before_ray_starts(spoiled, capsys, arguments, named):
    assert sft(*arguments) == 2
    said = capsys.readouterr().err
    for word in named:
        assert word in said
    assert "Traceback" not in said
    assert len(said.splitlines()) < 25


@pytest.mark.parametrize(("options", "named"), [("size=4k", "No space left"), ("size=64k,ro", "Read-only file system")])
def test_a_full_or_read_only_output_folder_is_refused(place, options, named):
    fill = "head -c 100000 /dev/zero >out/fill 2>/dev/null" if "ro" not in options else "true"
    command = f'mount -t tmpfs -o {options} none out; {fill}; exec "$@"'
    (place / "out").mkdir()
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command, "sh", sys.executable, "-m", "haloforge.sft", *GOOD],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert "out" in done.stderr
    assert "Ray" not in done.stderr


def test_a_disk_that_fills_up_in_the_middle_ends_the_training_in_order(place, trainer, monkeypatch, capsys):
    import errno

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "superfluous", full)
    assert sft(*GOOD) == 3
    said = capsys.readouterr().err
    assert "No space left on device; make room and run the same command again" in said


def test_a_node_is_chosen_by_name_by_its_gpu_or_because_the_driver_is_there(monkeypatch):
    import ray

    from actors.cluster import Cluster, Node
    from actors.sft import choose_place

    monkeypatch.setattr(ray, "available_resources", lambda: {"GPU": 1.0})
    here, bare = Node("1", "10.0.0.1", "head", 4, 4), Node("2", "10.0.0.2", "box", 8, 8)
    gpu = Node("3", "10.0.0.3", "card", 2, 2, gpus=1)

    def chosen(*nodes, use_gpu=True, asked=None):
        place = choose_place(Cluster("n", "10.0.0.1:1", None, nodes), use_gpu, asked, {})
        return place.node, place.gpus

    assert chosen(here, bare, gpu) == (gpu, 1)
    assert chosen(here, bare, gpu, use_gpu=False) == (here, 0)
    assert chosen(here, bare) == (here, 0)
    assert chosen(here, bare, gpu, asked="box") == (bare, 0)
    assert chosen(here, bare, gpu, asked="10.0.0.3", use_gpu=False) == (gpu, 0)
    with pytest.raises(BadInput, match=r"'nobody'.*no such node.*10\.0\.0\.2 \(box\)"):
        chosen(here, bare, gpu, asked="nobody")


# ── the schema ──────────────────────────────────────────────────────────────────────────────────────────────────────


def leaves(kind: type[Block], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """(class, key, dotted key) of every leaf."""
    for name, info in kind.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Block):
            yield from leaves(info.annotation, f"{prefix}{name}.")
        else:
            yield kind.__name__, name, prefix + name


def test_every_key_of_the_schema_is_read_where_the_command_acts(place, trainer, monkeypatch):
    read: set[tuple[str, str]] = set()
    inside = str(Path(schema.__file__).parent)
    real = Block.__getattribute__

    def recording(self: Block, name: str) -> Any:
        if not name.startswith("_"):
            caller = sys._getframe(1).f_code.co_filename
            if "/haloforge/" in caller and not caller.startswith(inside):
                read.add((type(self).__name__, name))
        return real(self, name)

    monkeypatch.setattr(Block, "__getattribute__", recording)
    import actors.cluster

    real_connect = actors.cluster.connect

    def connect(run: str, settings: Any) -> Any:
        read.update((type(settings).__name__, key) for key in ("address", "dashboard_port"))  # tests of cluster.py
        return real_connect(run, SftConfig().cluster)

    monkeypatch.setattr(actors.cluster, "connect", connect)
    assert sft(*GOOD) == 0
    unread = [dotted for owner, key, dotted in leaves(SftConfig) if (owner, key) not in read]
    assert unread == []


DOCUMENTED = {
    "model": {"name", "trust_remote_code", "attn_implementation"},
    "data": {"train_file", "validation_split", "max_seq_length"},
    "lora": {"r", "alpha", "dropout", "target_modules"},
    "training": {
        *("output_dir", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps"),
        *("learning_rate", "warmup_ratio", "gradient_checkpointing", "bf16"),
        *("dataloader_num_workers", "dataloader_pin_memory"),
    },
    "early_stopping": {"enabled", "patience", "min_delta"},
}


def test_the_example_has_exactly_the_documented_keys_and_defaults_where_they_are_documented():
    file = paths.shipped() / "sft_example.yaml"
    written = yaml.safe_load(file.read_text())
    assert {block: set(keys) for block, keys in written.items()} == DOCUMENTED
    loaded = schema.load(SftConfig, file)
    assert loaded.training.learning_rate == 2e-4
    defaults = SftConfig()
    for block in ("lora", "early_stopping"):
        assert getattr(loaded, block) == getattr(defaults, block)
    changed = {key for key in schema.changed(SftConfig, loaded.model_dump(mode="json"))}
    # Hardware choices of the documented example; everything else is the default.
    assert changed == {
        *("model.name", "model.trust_remote_code", "model.attn_implementation", "data.train_file"),
        "training.gradient_checkpointing",
    }
