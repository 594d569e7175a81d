"""The curves of a run, read back with TensorBoard's own reader: right values, and none twice after a resume."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from haloforge.watching.curves import Curves
from haloforge.watching.progress import told
from haloforge.watching.tensorboard_log import TensorBoardLog
from tests.fakes import CutOff, FakeJudge, FakeLearner, FakeSampler
from tests.test_loop import make_run, play

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and value of every scalar event, by tag, duplicates included."""
    events = accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0}, purge_orphaned_data=False)
    events.Reload()
    return {tag: sorted((e.step, e.value) for e in events.Scalars(tag)) for tag in events.Tags()["scalars"]}


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def run_with_curves(path: Path, sampler=None, learner=None, **raft):
    run = make_run(path, sampler, FakeJudge(), learner, **raft)
    run.progress = Curves(path)
    with told(run.progress):
        return play(run)


def check(path: Path, statistics: dict) -> None:
    """Every figure of the statistics is there once, and every step of every update."""
    cycles = [e["cycle"] for e in statistics["cycles"]]
    found = scalars(path / "logs")
    for name in ("pass_rate", "compile_rate", "kept", "distinct_solutions", "loss_after"):
        expected = [(e["cycle"], pytest.approx(e[name])) for e in statistics["cycles"] if e.get(name) is not None]
        assert found[name] == expected, name
        assert len(expected) == len(cycles) - 1
    assert found["entropy"] == [(c, 0.5) for c in cycles]
    for name in ("seen", "unseen"):
        for what in ("greedy", "pass_at_1"):
            assert found[f"eval/{name}/{what}"] == [
                (e["cycle"], pytest.approx(e["eval"][name][what])) for e in statistics["cycles"]
            ]
    assert [step for step, _ in found["seconds/train"]] == cycles[1:]
    for entry in statistics["cycles"][1:]:
        n, cycle, rate = entry["optimizer_steps"], entry["cycle"], 0.001 * 0.85 ** (entry["cycle"] - 1)
        steps = scalars(path / f"cycle_{cycle}/logs")
        assert steps["train_loss"] == [(i, pytest.approx(2 - i / n)) for i in range(1, n + 1)]
        assert steps["learning_rate"] == [(i, pytest.approx(rate)) for i in range(1, n + 1)]
        assert steps["entropy"] == [(n, 0.5)]
    assert rows(path) == [
        {
            "cycle": e["cycle"],
            "step": i,
            "epoch": pytest.approx(i / e["optimizer_steps"]),
            "train_loss": pytest.approx(2 - i / e["optimizer_steps"]),
            "eval_loss": None,
            "learning_rate": pytest.approx(0.001 * 0.85 ** (e["cycle"] - 1)),
        }
        for e in statistics["cycles"][1:]
        for i in range(1, e["optimizer_steps"] + 1)
    ]


def test_a_run_leaves_the_curves_of_its_figures(tmp_path):
    check(tmp_path / "run", run_with_curves(tmp_path / "run"))


class TornLearner(FakeLearner):
    """Is cut off in cycle 2 after some rows of the update, or after its adapter is written."""

    def __init__(self, after_rows: int | None) -> None:
        super().__init__()
        self.after_rows = after_rows

    async def update(self, examples, learning_rate, seed, cycle, into, on_log):
        told = 0

        def some(row):
            nonlocal told
            if cycle == 2 and told == self.after_rows:
                raise CutOff
            told += 1
            on_log(row)

        if cycle == 2 and self.after_rows is None:
            await super().update(examples, learning_rate, seed, cycle, into, lambda row: None)
            raise CutOff
        await super().update(examples, learning_rate, seed, cycle, into, some)


@pytest.mark.parametrize("after_rows", [0, 3, None])
def test_after_a_resume_nothing_is_there_twice_and_nothing_is_missing(tmp_path, after_rows):
    path = tmp_path / "run"
    with pytest.raises(CutOff):
        run_with_curves(path, learner=TornLearner(after_rows))
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"cycle": 2, "st')  # a driver that was killed while it wrote
    statistics = run_with_curves(path)
    check(path, statistics)
    check(path, run_with_curves(path))
    check(path, run_with_curves(path, FakeSampler(), num_cycles=4))


def test_an_event_file_that_was_not_flushed_is_made_up_for(tmp_path):
    path = tmp_path / "run"
    run_with_curves(path, num_cycles=2)
    shutil.rmtree(path / "cycle_2/logs")
    check(path, run_with_curves(path, num_cycles=3))


def test_a_run_without_curves_gets_those_of_its_finished_cycles(tmp_path):
    play(make_run(tmp_path / "run", num_cycles=2))
    run_with_curves(tmp_path / "run", num_cycles=3)
    assert [step for step, _ in scalars(tmp_path / "run/logs")["pass_rate"]] == [1, 2, 3]


def test_a_scalar_that_is_there_is_not_written_again(tmp_path):
    for value in (1.0, 2.0):
        log = TensorBoardLog(tmp_path)
        log.add(1, {"a": value})
        log.add(1, {"a": value, "b": value})
        log.close()
    assert scalars(tmp_path) == {"a": [(1, 1.0)], "b": [(1, 1.0)]}


def test_a_torn_event_file_is_read_up_to_the_tear_and_completed(tmp_path):
    log = TensorBoardLog(tmp_path)
    for step in range(1, 6):
        log.add(step, {"a": float(step)})
    log.close()
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    log = TensorBoardLog(tmp_path)
    for step in range(1, 6):
        log.add(step, {"a": float(step)})
    log.close()
    assert scalars(tmp_path)["a"] == [(step, float(step)) for step in range(1, 6)]


def test_nothing_is_made_where_nothing_is_written(tmp_path):
    TensorBoardLog(tmp_path / "logs").close()
    assert not (tmp_path / "logs").exists()
