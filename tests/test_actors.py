"""What Ray brings: folders that travel whole, verifiers that are replaced, code that is compared."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace

import pytest
import ray

from actors import folders
from actors.calls import answer
from actors.cluster import check_code, connect, on_node
from actors.folders import Arriving, read_folder
from actors.pool import VerifierPool
from actors.trainer import RayLearner
from haloforge.code_digest import code_digest
from haloforge.errors import BadInput, RunStopped
from haloforge.records import COMPILED, INFRA_ERROR, PASSED, Case, Prompt, Sample
from haloforge.training.learner import LearnerSettings
from haloforge.training.plan import UpdatePlan

DOUBLE = '#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); printf("%d\\n", 2 * n); }\n'
TASK = Prompt("double", "double n", "c", (Case("2\n", "4\n"), Case("5\n", "10\n")))


def sample(index: int, text: str = DOUBLE) -> Sample:
    return Sample(f"1/double/{index}", "double", 1, index, text, (1,), (2,), "stop")


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_a_folder_arrives_byte_for_byte_in_pieces_of_any_size(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(folders, "CHUNK_BYTES", chunk)
    content = {"a.bin": os.urandom(100), "deep/er/b.json": b"{}", "empty": b""}
    for name, data in content.items():
        (tmp_path / "there" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "there" / name).write_bytes(data)
    arriving = Arriving(tmp_path / "here")
    for piece in read_folder(tmp_path / "there"):
        assert len(piece[1]) <= chunk
        assert not (tmp_path / "here").exists(), "nothing is there before all of it is"
        arriving.add(piece)
    arriving.finish()
    found = {
        str(f.relative_to(tmp_path / "here")): f.read_bytes() for f in (tmp_path / "here").rglob("*") if f.is_file()
    }
    assert found == content


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil"])
def test_a_folder_cannot_write_outside_itself(tmp_path, name):
    with pytest.raises(ValueError, match="inside"):
        Arriving(tmp_path / "here").add((name, b"x"))


def test_an_actor_with_other_code_is_refused_by_name():
    described = {"host": "b", "node": "10.0.0.7", "code": code_digest()}
    check_code("generator-0", described)
    with pytest.raises(RunStopped, match=r"generator-0 on b \(10\.0\.0\.7\)"):
        check_code("generator-0", {**described, "code": "0" * 64})


@pytest.mark.sandbox
def test_verifiers_judge_report_and_are_replaced_when_they_die(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    async def play() -> None:
        with connect("test-actors") as cluster:
            pool = VerifierPool([cluster.nodes[0]], "execution", {"cpu_s": 2.0})
            (described,) = await pool.start()
            assert described["level"] == "ns"
            first = await pool.judge(sample(0), TASK)
            assert (first.status, first.passed, first.total) == (PASSED, 2, 2)
            assert sum(pool.busy_seconds().values()) > 0
            asked = [asyncio.ensure_future(pool.judge(sample(i), TASK)) for i in range(1, 5)]
            await asyncio.sleep(0.05)
            os.kill(described["pid"], signal.SIGKILL)
            assert [r.status for r in await asyncio.gather(*asked)] == [PASSED] * 4

    asyncio.run(play())


@pytest.mark.sandbox
def test_when_a_node_is_gone_the_verifiers_of_the_others_go_on(monkeypatch):
    """The second node is the first one under another id; it is taken for gone when its verifier is killed."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    async def play() -> None:
        with connect("test-gone") as cluster:
            here = cluster.here
            second = replace(here, id="second")
            monkeypatch.setattr("actors.pool.on_node", lambda node: on_node(here))
            pool = VerifierPool([second, here], "execution", {"cpu_s": 2.0})
            described = await asyncio.wait_for(pool.start(), 60)
            os.kill(described[0]["pid"], signal.SIGKILL)
            asked = [pool.judge(sample(i), TASK) for i in range(6)]
            assert [r.status for r in await asyncio.gather(*asked)] == [PASSED] * 6
            os.kill(described[1]["pid"], signal.SIGKILL)
            monkeypatch.setattr("actors.pool.is_alive", lambda node: False)
            with pytest.raises(RunStopped, match=r"is gone and no verifier is left"):
                await pool.judge(sample(7), TASK)

    asyncio.run(play())


@pytest.mark.sandbox
def test_a_class_of_a_users_judges_on_the_nodes_as_a_stage_of_a_chain(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_stage.py").write_text(
        "from haloforge.verifiers import Verifier, VerifyResult\n"
        "class NoScanf(Verifier):\n"
        "    def verify(self, code):\n"
        "        return VerifyResult('scanf' not in code, 0.25)\n"
    )
    stages = [{"type": "execution"}, {"class": "my_stage:NoScanf"}]

    async def play() -> None:
        with connect("test-custom") as cluster:
            pool = VerifierPool([cluster.nodes[0]], "chain", {"stages": stages, "weights": [0.8, 0.2], "cpu_s": 2.0})
            await pool.start()
            result = await pool.judge(sample(0), TASK)
            assert (result.status, result.reward) == ("tests_failed", 0.8 + 0.2 * 0.25)

    asyncio.run(play())


@pytest.mark.sandbox
def test_a_fault_of_ours_is_tried_again_and_then_told_as_ours(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    async def play() -> None:
        with connect("test-faults") as cluster:
            pool = VerifierPool([cluster.nodes[0]], "gcc", {})
            await pool.start()
            broken = Prompt("double", "double n", "c", cflags="'")  # a quote that does not close: our parsing fails
            result = await pool.judge(sample(0), broken)
            assert (result.status, result.reward) == (INFRA_ERROR, None)
            assert result.error
            assert (await pool.judge(sample(1), Prompt("double", "double n", "c"))).status == COMPILED

    asyncio.run(play())


def test_an_error_inside_an_actor_arrives_as_ours_named_by_actor_and_node(tmp_path, monkeypatch):
    """A base that breaks after it was checked: the trainer's BadInput, one line long, with exit code 2."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    settings = LearnerSettings(model_dir=str(tmp_path / "gone"))

    async def play() -> None:
        with connect("test-errors") as cluster:
            learner = RayLearner(settings, UpdatePlan(learning_rate=1e-3), on_node(cluster.nodes[0]), {})
            with pytest.raises(BadInput) as error:
                await learner.start()
            told = str(error.value)
            assert told.startswith(f"trainer-0 on node {cluster.nodes[0].ip}: ")
            assert "gone is not a model folder" in told
            assert "Traceback" not in told

    asyncio.run(play())


def test_an_error_that_nobody_foresaw_names_its_actor_too_and_stops_the_run(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    class Odd:
        def go(self) -> None:
            raise ZeroDivisionError("by zero")

    async def play() -> None:
        with connect("test-odd"):
            actor = ray.remote(Odd).options(num_cpus=0).remote()
            with pytest.raises(RunStopped, match=r"odd-0 on node [\d.]+: ZeroDivisionError\('by zero'\)"):
                await answer(actor.go.remote(), "odd-0")
            ray.kill(actor)
            told = "ZeroDivisionError"
            while "ZeroDivisionError" in told:  # a call may still get through
                with pytest.raises(RunStopped) as error:
                    await answer(actor.go.remote(), "odd-0")
                told = str(error.value)
            assert told.startswith("odd-0 died: ")
            assert "run the same command again" in told

    asyncio.run(play())
