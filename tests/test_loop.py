"""The loop on list-backed fakes: order, statistics, resumption, and what ends a run."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from haloforge.config import RaftConfig
from haloforge.errors import RunStopped, SwapNotProved
from haloforge.ledger import RunFolder
from haloforge.loop import Run, finished, run_raft
from haloforge.proof import ExactReport
from haloforge.records import INFRA_ERROR, VerifyResult
from haloforge.terminal import first_of
from tests.fakes import CutOff, FakeJudge, FakeLearner, FakeSampler, prompt

TRAINED = {id: prompt(id) for id in "abcdefghij"}
HELD_OUT = {"seen": {id: prompt(id) for id in ("s1", "s2", "s3")}, "unseen": {"u1": prompt("u1")}}


def make_run(path, sampler=None, judge=None, learner=None, held_out=HELD_OUT, **raft):
    config = RaftConfig.model_validate(
        {
            "raft": {"num_cycles": 3, "samples_per_prompt": 4, "keep_top_percent": 1.0, **raft},
            "training": {"learning_rate": 0.001},
            "evaluation": {"samples": 2},
        }
    )
    folder = RunFolder(path)
    folder.open()
    folder.statistics["run"]["base"] = str(path)
    return Run(
        config, folder, TRAINED, held_out, sampler or FakeSampler(), judge or FakeJudge(), learner or FakeLearner()
    )


def play(run):
    """Run to the end; an error inside task groups comes out as itself."""
    try:
        return asyncio.run(run_raft(run))
    except BaseExceptionGroup as e:
        raise first_of(e) from None
    finally:
        run.folder.close()


def results(path):
    """What a run leaves, rows sorted by id and timings left out."""
    found = {}
    for file in sorted(path.glob("*.jsonl")):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        found[file.name] = sorted(json.dumps(r, sort_keys=True) for r in rows)
    for file in sorted(path.glob("cycle_*_final/*")):
        found[str(file.relative_to(path))] = file.read_bytes()
    return found


def test_each_cycle_samples_verifies_keeps_trains_and_swaps(tmp_path):
    run = make_run(tmp_path / "run")
    statistics = play(run)
    assert [e["cycle"] for e in statistics["cycles"]] == [0, 1, 2, 3]
    assert run.sampler.loaded == [1, 2, 3]
    for cycle, trained_on, rate in run.learner.updates:
        passed = [
            json.loads(line)["id"]
            for line in (run.folder.path / f"cycle_{cycle}_verified.jsonl").read_text().splitlines()
            if json.loads(line)["status"] == "passed"
        ]
        assert sorted(trained_on) == sorted(passed), "with every sample distinct, all that passed are trained on"
        assert rate == pytest.approx(0.001 * 0.85 ** (cycle - 1))
    for entry in statistics["cycles"][1:]:
        n = len((run.folder.path / f"cycle_{entry['cycle']}_samples.jsonl").read_text().splitlines())
        assert entry["samples"] == n == 40
        assert entry["pass_rate"] == entry["kept"] / 40
        assert entry["swap"]["proof"]["tensors"] == 28
        assert set(entry["seconds"]) == {"generate", "verify", "generate_and_verify", "train", "swap", "evaluate"}
        assert set(entry["eval"]) == {"seen", "unseen"}
        assert entry["eval"]["seen"]["prompts"] == 3


def test_requests_have_seeds_of_their_own_and_evaluation_asks_one_greedy_answer(tmp_path):
    run = make_run(tmp_path / "run")
    play(run)
    training = [r for r in run.sampler.requests if "/eval/" not in r.id]
    assert len({r.seed for r in training}) == len(training) == 120
    evaluated = [r for r in run.sampler.requests if r.id.startswith("2/eval/")]
    assert Counter(r.temperature for r in evaluated) == {0.0: 4, 1.0: 8}


@pytest.mark.parametrize("drawn", [0, 5, 17, 41, 52, 60, 111])
def test_a_run_that_was_cut_off_draws_and_verifies_nothing_twice_and_ends_the_same(tmp_path, drawn):
    undisturbed = tmp_path / "undisturbed"
    whole = make_run(undisturbed)
    play(whole)

    path, sampler, judge, learner = tmp_path / "cut", FakeSampler(), FakeJudge(), FakeLearner()
    sampler.fail_after = drawn
    with pytest.raises(CutOff):
        play(make_run(path, sampler, judge, learner))
    sampler.fail_after = None
    sampler.loaded.clear()  # a fresh engine serves the start point
    play(make_run(path, sampler, judge, learner))

    assert Counter(r.id for r in sampler.requests).most_common(1)[0][1] == 1
    assert Counter(judge.asked).most_common(1)[0][1] == 1
    assert results(path) == results(undisturbed)


def test_a_finished_run_does_nothing_and_more_cycles_go_on(tmp_path, caplog):
    play(make_run(tmp_path / "run", num_cycles=2))
    sampler, learner = FakeSampler(), FakeLearner()
    caplog.set_level("INFO")
    statistics = play(make_run(tmp_path / "run", sampler, learner=learner, num_cycles=2))
    assert sampler.requests == []
    assert learner.updates == []
    folder = RunFolder(tmp_path / "run")
    folder.open()
    assert finished(folder, RaftConfig.model_validate({"raft": {"num_cycles": 2}}))
    assert not finished(folder, RaftConfig.model_validate({"raft": {"num_cycles": 3}}))
    folder.close()
    assert "Cycle 1 already complete, skipping..." in caplog.text
    assert len(statistics["cycles"]) == 3
    statistics = play(make_run(tmp_path / "run", sampler, learner=learner, num_cycles=3))
    assert {r.cycle for r in sampler.requests} == {3}
    assert learner.restored == (tmp_path / "run/cycle_2_final", tmp_path / "run/cycle_1_final")


def test_an_empty_or_half_written_final_folder_is_not_complete(tmp_path):
    play(make_run(tmp_path / "run", num_cycles=2))
    weights = tmp_path / "run/cycle_2_final/adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-2])
    learner, sampler = FakeLearner(), FakeSampler()
    play(make_run(tmp_path / "run", sampler, learner=learner, num_cycles=2))
    assert [u[0] for u in learner.updates] == [2]
    assert sampler.requests == [], "the samples of the cycle are all there"


def test_identical_answers_are_verified_once(tmp_path):
    judge = FakeJudge()
    play(make_run(tmp_path / "run", FakeSampler(lambda request, n: "good"), judge, num_cycles=1))
    assert len(judge.asked) == len(TRAINED) * 4 + 4 * 3, "answers differ by their index, also those held out"
    judge = FakeJudge()

    class Same(FakeSampler):
        async def sample(self, request):
            sample = await super().sample(request)
            return type(sample)(**{f: getattr(sample, f) for f in sample.__slots__} | {"text": "good same"})

    play(make_run(tmp_path / "same", Same(), judge, num_cycles=2))
    assert len(judge.asked) == len(TRAINED) + 4


def test_nothing_kept_ends_the_cycle_untrained_and_twice_running_the_run(tmp_path):
    run = make_run(tmp_path / "run", FakeSampler(lambda request, n: "bad"))
    with pytest.raises(RunStopped, match=r"cycles 1 and 2.*wrong_answer \(40 of 40"):
        play(run)
    assert [e.get("trained") for e in run.folder.statistics["cycles"]] == [None, False, False]
    assert (run.folder.final(1) / "adapter_model.safetensors").exists()


def test_a_swap_that_is_not_proved_ends_the_run(tmp_path):
    class Stale(FakeSampler):
        async def inspect_adapter(self):
            return ExactReport(adapter="old", matched=25, differing=("a", "b", "c"))

    with pytest.raises(SwapNotProved, match="3 differing"):
        play(make_run(tmp_path / "run", Stale()))


def test_scores_of_the_old_adapter_end_the_run_although_the_tensors_agree(tmp_path):
    class Unmoved(FakeSampler):
        async def score(self, sequences):
            return [tuple(-0.5 for _ in s.token_ids) for s in sequences]

    with pytest.raises(SwapNotProved, match="behaviour"):
        play(make_run(tmp_path / "run", Unmoved()))


def test_verdicts_lost_to_our_faults_stop_the_run_and_are_asked_again_on_resume(tmp_path):
    class Broken(FakeJudge):
        async def judge(self, sample, prompt):
            self.asked.append(sample.id)
            return VerifyResult(False, None, status=INFRA_ERROR, error="no compiler on node b")

    with pytest.raises(RunStopped, match="no compiler on node b"):
        play(make_run(tmp_path / "run", judge=Broken()))
    statistics = play(make_run(tmp_path / "run"))
    assert statistics["cycles"][1]["statuses"].get(INFRA_ERROR) is None
    assert statistics["cycles"][1]["verified"] == 40


def test_the_control_keeps_as_many_as_the_run_it_is_the_control_of(tmp_path):
    play(make_run(tmp_path / "run"))
    sampler = FakeSampler(lambda request, n: "bad")
    control = make_run(tmp_path / "control", sampler, selection="uniform")
    control.control_of = tmp_path / "run"
    statistics = play(control)
    counts = [sum(1 for _ in (tmp_path / f"run/cycle_{c}_kept.jsonl").open()) for c in (1, 2, 3)]
    assert (
        [len(ids) for _, ids, _ in control.learner.updates] == counts == [e["kept"] for e in statistics["cycles"][1:]]
    )


def test_few_held_out_prompts_decide_nothing_and_many_do(tmp_path):
    statistics = play(make_run(tmp_path / "few"))
    assert statistics["best_cycle"] == 3
    many = {"seen": {f"s{i}": prompt(f"s{i}") for i in range(12)}}
    worse = FakeSampler(lambda request, n: "good" if (n == 2 or "/eval/" not in request.id) else "bad")
    statistics = play(make_run(tmp_path / "many", worse, held_out=many))
    assert statistics["best_cycle"] == 2
    assert (tmp_path / "many/final_model").resolve() == tmp_path / "many/cycle_2_final"


def test_no_more_is_in_flight_than_the_window_allows(tmp_path):
    class Watching(FakeSampler):
        going = most = 0

        async def sample(self, request):
            self.going += 1
            self.most = max(self.most, self.going)
            await asyncio.sleep(0)
            self.going -= 1
            return await super().sample(request)

    sampler = Watching()
    run = make_run(tmp_path / "run", sampler, num_cycles=1)
    run.config.generation.batch_size = 3
    play(run)
    assert sampler.most == 12


def test_when_verification_falls_behind_requests_stop_and_come_back_in_bursts(tmp_path):
    class Slow(FakeJudge):
        slots = 1
        most = 0

        async def judge(self, sample, prompt):
            if "/eval/" not in sample.id:
                drawn = sum("/eval/" not in r.id for r in sampler.requests)
                self.most = max(self.most, drawn - sum("/eval/" not in id for id in self.asked))
            for _ in range(5):
                await asyncio.sleep(0)
            return await super().judge(sample, prompt)

    sampler, judge = FakeSampler(), Slow()
    run = make_run(tmp_path / "run", sampler, judge, num_cycles=1, samples_per_prompt=20, max_kept_per_prompt=1)
    run.config.generation.batch_size = 1
    play(run)
    assert judge.most <= 2 * 20, "never more unverified than two windows"
    assert judge.most >= 20, "a whole window is drawn at a time"


def test_the_temperature_goes_from_start_to_end_over_the_cycles(tmp_path):
    run = make_run(tmp_path / "run")
    run.config.generation.temperature_start, run.config.generation.temperature_end = 1.2, 0.8
    play(run)
    drawn = {(r.cycle, r.temperature) for r in run.sampler.requests if "/eval/" not in r.id}
    assert sorted(drawn) == [(1, 1.2), (2, pytest.approx(1.0)), (3, pytest.approx(0.8))]


def test_a_restarted_cycle_trains_from_the_start_point_and_is_told_from_what_was_served(tmp_path):
    class Remembering(FakeLearner):
        def __init__(self):
            super().__init__()
            self.calls = []

        async def restore(self, current, previous):
            self.calls.append(("restore", current and current.name, previous and previous.name))
            await super().restore(current, previous)

        async def update(self, *arguments):
            self.calls.append(("update", arguments[3]))
            await super().update(*arguments)

    learner = Remembering()
    play(make_run(tmp_path / "run", learner=learner, num_cycles=2, restart_each_cycle=True))
    assert learner.calls == [
        ("restore", None, None),  # the run's beginning
        *(("restore", None, None), ("update", 1), ("restore", "cycle_1_final", None)),
        *(("restore", None, None), ("update", 2), ("restore", "cycle_2_final", "cycle_1_final")),
    ]


def held_out_answers(greedy_of_cycle):
    """A sampler whose greedy held-out answers are right for so many of twelve prompts, by cycle."""

    def answer(request, served):
        if "/eval/" not in request.id:
            return "good" if request.index else "bad"
        return "good" if int(request.prompt.id[1:]) < greedy_of_cycle[request.cycle] else "bad"

    return FakeSampler(answer)


TWELVE = {"seen": {f"s{i}": prompt(f"s{i}") for i in range(12)}}


@pytest.mark.parametrize(
    ("greedy", "patience", "last"),
    [
        ([3, 6, 6, 6, 9], 2, 3),  # two measured cycles without a new best end it, though a better one would come
        ([3, 6, 6, 6, 9], 3, 4),
        ([3, 4, 5, 6, 7], 1, 4),
        ([6, 5, 4, 3, 2], 3, 3),
    ],
)
def test_a_run_ends_early_where_held_out_has_stopped_rising_and_a_resume_agrees(tmp_path, greedy, patience, last):
    def made(sampler):
        run = make_run(tmp_path / "run", sampler, held_out=TWELVE, num_cycles=4)
        run.config.early_stopping.enabled, run.config.early_stopping.patience = True, patience
        return run

    statistics = play(made(held_out_answers(greedy)))
    assert statistics["cycles"][-1]["cycle"] == last
    again = made(held_out_answers(greedy))
    assert finished(again.folder, again.config)
    play(again)
    assert again.sampler.requests == []


def test_falling_twice_running_is_warned_of_and_recorded(tmp_path, caplog):
    statistics = play(make_run(tmp_path / "run", held_out_answers([9, 8, 7, 7]), held_out=TWELVE))
    told = [e.get("warnings") for e in statistics["cycles"]]
    assert told[1] is None
    assert told[3] is None
    assert "fell twice running (0.750, 0.667, 0.583)" in told[2][0]
    assert "fell twice running" in caplog.text


def test_entropy_that_has_halved_since_cycle_1_is_warned_of(tmp_path):
    class Narrowing(FakeLearner):
        async def score(self, sequences, adapter):
            scores = await super().score(sequences, adapter)
            scores.entropy = {0: 0.9, 1: 0.8, 2: 0.41, 3: 0.39}[self.cycle]
            return scores

    statistics = play(make_run(tmp_path / "run", learner=Narrowing()))
    assert [bool(e.get("warnings")) for e in statistics["cycles"]] == [False, False, False, True]
    assert "from 0.800 nats in cycle 1 to 0.390" in statistics["cycles"][3]["warnings"][0]


@pytest.mark.parametrize(("unjudged", "told"), [("abcdefghij", True), ("ab", True), ("a", False)])
def test_many_samples_without_a_verdict_are_warned_of_with_the_commonest_reason(tmp_path, caplog, unjudged, told):
    class Unsure(FakeJudge):
        async def judge(self, sample, prompt):
            if sample.prompt_id not in unjudged:
                return await super().judge(sample, prompt)
            why = "verifier gcc cannot judge python" if sample.index == 0 else f"case {sample.index} of 4: it broke"
            return VerifyResult(False, None, why, status="unknown", code=sample.text)

    statistics = play(make_run(tmp_path / "run", judge=Unsure(), num_cycles=1, held_out={}))
    warnings = statistics["cycles"][1].get("warnings", [])
    count = 4 * len(unjudged)
    wanted = f"{count} of 40 samples are unknown, so they are in no rate and never trained on; the commonest reason "
    assert warnings == ([wanted + f"({3 * len(unjudged)}): it broke"] if told else [])
    assert (wanted in caplog.text) == told


def test_min_samples_never_trains_on_what_is_not_eligible(tmp_path, caplog):
    sampler = FakeSampler(lambda request, n: "good" if request.index == 0 and request.prompt.id in "abc" else "bad")
    run = make_run(tmp_path / "run", sampler, num_cycles=1, min_samples=20)
    play(run)
    assert [id for _, ids, _ in run.learner.updates for id in ids] == ["1/a/0", "1/b/0", "1/c/0"]
    assert "only 3 samples are eligible, fewer than raft.min_samples 20" in caplog.text
