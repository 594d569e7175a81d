"""SFT and RAFT as jobs on two network hosts, from a head that never ran Ray to an edit and a second head."""

from __future__ import annotations

import pytest

from tests import two_hosts
from tests.hosts import why_not

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(bool(why_not()), reason=f"no network hosts here: {why_not()}")]

HEAD, SECOND = "10.77.0.1", "10.77.0.2"


@pytest.fixture(scope="module")
def played():
    with two_hosts.cluster() as made:
        return two_hosts.play(made)


def test_verdicts_come_from_both_hosts_and_say_from_which(played):
    assert set(played.one.verdicts_by_node()) == {HEAD}
    for job in (played.two, played.there):
        assert set(job.verdicts_by_node()) == {HEAD, SECOND}
        fresh = [row for row in job.rows("verified") if not row["cached"] and row["id"].startswith("1/")]
        training = [row for row in fresh if "/eval/" not in row["id"]]
        assert sum(job.cycle["verified_by"].values()) == len(training)
        assert min(job.cycle["verified_by"].values()) > 0


def test_where_the_parts_run_makes_no_difference_to_what_comes_out(played):
    assert played.one.cycle["optimizer_steps"] >= 8
    assert played.one.results() == played.two.results() == played.there.results()


def test_generator_leaves_its_verifiers_only_the_cores_that_it_does_not_use(played):
    assert f"verifiers on {HEAD} (box1): 1" in played.two.output
    assert f"verifiers on {SECOND} (box2): 2" in played.two.output
    assert f"verifiers on {HEAD} (box1): 2" in played.there.output
    assert f"verifiers on {SECOND} (box2): 1" in played.there.output


def test_the_base_travels_once_and_only_where_it_is_not(played):
    assert "sending model" not in played.one.output + played.two.output
    assert played.there.output.count("sending model") == 1
    assert f"generator on {SECOND} (box2)" in played.there.output


def test_versions_name_every_nodes_code_and_tools(played):
    nodes = played.two.json("versions.json")["nodes"]
    assert {nodes[ip]["host"] for ip in (HEAD, SECOND)} == {"box1", "box2"}
    for ip in (HEAD, SECOND):
        assert nodes[ip]["versions"]["code"] == played.two.json("versions.json")["code"]
        assert nodes[ip]["tools"]["gcc"].startswith("gcc")
        assert nodes[ip]["tools"]["g++"].startswith("g++")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("no token", ["no token here", "auth_token"]),
        ("wrong token", ["refuses this machine's token", "auth_token"]),
        ("a node without gcc", [f"no verifier on {SECOND} (box2)", "needs gcc", "verifiers can run on 1 of 2 nodes"]),
        ("no such node", ["placement.trainer_node is 'box9'", f"{SECOND} (box2)"]),
        ("other code on the second host", [f"({SECOND}) runs haloforge code", "--working-dir"]),
    ],
)
def test_what_cannot_work_is_refused_with_the_remedy(played, what, words):
    said = played.refused[what]
    assert [word for word in words if word not in said] == []
    assert "Traceback" not in said


def test_a_driver_that_is_no_job_brings_its_own_code(played):
    assert "code that travels to the nodes" in played.outside
    assert "model: /root/outside/final_model" in played.outside


def test_the_same_commands_resume_after_an_edit_and_on_a_new_head(played):
    assert played.sft_weights_again == played.sft_weights
    assert "is complete: nothing is left to train" in played.sft_again.output
    assert [e["cycle"] for e in played.two_again.json("raft_statistics.json")["cycles"]] == [0, 1, 2]
    before, after = played.two.results(), played.two_again.results()
    assert set(before["metrics.jsonl"]) < set(after["metrics.jsonl"]), "the second cycle's rows follow the first's"
    finished = [name for name in before if name != "metrics.jsonl"]
    assert {name: after[name] for name in finished} == {name: before[name] for name in finished}
    drawn = [row["id"] for row in played.two_again.rows("samples")]
    assert len(drawn) == len(set(drawn)), "nothing is drawn twice"
    assert any(id.startswith("2/") for id in drawn)


def test_stopping_leaves_nothing_on_either_host(played):
    assert played.left == []
