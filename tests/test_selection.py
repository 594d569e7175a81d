"""Selection, against worked examples and enumeration."""

from __future__ import annotations

import itertools
import math

import pytest

from haloforge.config import RaftBlock
from haloforge.records import COMPILED, PASSED, UNKNOWN, WRONG_ANSWER
from haloforge.selection import select, select_uniform
from tests.fakes import judged, prompt

PROMPTS = {id: prompt(id) for id in ("easy", "hard", "other")}


def kept_ids(samples, raft=None, prompts=PROMPTS, seed=7):
    return [j.sample.id for j in select(samples, prompts, raft or RaftBlock(keep_top_percent=1.0), seed)]


def test_only_solved_samples_that_ended_by_themselves_are_kept():
    samples = [
        judged("easy", 0),
        judged("easy", 1, status=WRONG_ANSWER),
        judged("easy", 2, finish_reason="length"),
        judged("easy", 3, status=UNKNOWN),
        judged("easy", 4, status=COMPILED, reward=1.0),  # has tests, so compiling solves nothing
    ]
    assert kept_ids(samples) == ["1/easy/0"]


def test_a_prompt_without_tests_is_solved_by_compiling():
    prompts = {"p": prompt("p", checks=False)}
    assert kept_ids([judged("p", 0, status=COMPILED)], prompts=prompts) == ["1/p/0"]


def test_partial_credit_lets_rewarded_failures_in_only_above_the_threshold():
    samples = [judged("easy", 0, status=WRONG_ANSWER, reward=0.7), judged("easy", 1, status=WRONG_ANSWER, reward=0.4)]
    assert kept_ids(samples) == []
    assert kept_ids(samples, RaftBlock(partial_credit=True, keep_top_percent=1.0)) == ["1/easy/0"]


def test_identical_programs_of_a_prompt_count_once_but_not_across_prompts():
    samples = [judged(p, i, code="same") for p in ("easy", "hard") for i in range(5)]
    assert sorted(id.split("/")[1] for id in kept_ids(samples)) == ["easy", "hard"]


@pytest.mark.parametrize("percent", [0.1, 0.25, 0.5, 0.7, 1.0])
def test_each_prompt_keeps_its_share_at_least_one_and_at_most_the_cap(percent):
    for n, cap in itertools.product(range(1, 9), (1, 3, 10)):
        samples = [judged("easy", i) for i in range(n)]
        raft = RaftBlock(keep_top_percent=percent, max_kept_per_prompt=cap)
        expected = min(cap, max(1, math.ceil(round(percent * n, 9))))
        assert len(kept_ids(samples, raft)) == expected, (n, cap)


def test_a_hard_prompt_keeps_its_only_solution_beside_an_easy_one():
    samples = [judged("easy", i) for i in range(8)] + [judged("hard", 3)]
    assert "1/hard/3" in kept_ids(samples, RaftBlock())


def test_the_order_of_rows_and_the_length_of_programs_have_no_say():
    samples = [judged("easy", i, code="x" * (i + 1)) for i in range(6)]
    raft = RaftBlock(keep_top_percent=0.34)
    first = kept_ids(samples, raft)
    assert all(kept_ids(list(order), raft) == first for order in itertools.islice(itertools.permutations(samples), 200))
    others = [judged("easy", i, code="y" * (9 - i)) for i in range(6)]
    assert kept_ids(others, raft) == first


def test_ties_are_broken_by_the_seed_and_every_sample_has_its_chance():
    samples = [judged("easy", i) for i in range(4)]
    raft = RaftBlock(keep_top_percent=0.25)
    firsts = {kept_ids(samples, raft, seed=s)[0] for s in range(60)}
    assert firsts == {f"1/easy/{i}" for i in range(4)}


def test_kept_rows_are_sorted_by_prompt_and_index():
    samples = [judged(p, i) for p in ("other", "easy", "hard") for i in (2, 0, 1)]
    kept = [(j.sample.prompt_id, j.sample.index) for j in select(samples, PROMPTS, RaftBlock(keep_top_percent=1.0), 1)]
    assert kept == sorted(kept)
    assert len(kept) == 9


def test_the_control_draws_as_many_distinct_samples_whatever_their_verdicts():
    samples = [judged("easy", i, status=PASSED if i % 2 else WRONG_ANSWER) for i in range(40)]
    samples += [judged("hard", i, code="same") for i in range(40)]
    drawn = [select_uniform(samples, 20, seed) for seed in range(30)]
    assert all(len(d) == 20 and len({j.result.code for j in d}) == 20 for d in drawn)
    passed = sum(j.result.status == PASSED for d in drawn for j in d if j.sample.prompt_id == "easy")
    assert 0.4 < passed / sum(len([j for j in d if j.sample.prompt_id == "easy"]) for d in drawn) < 0.6


def test_global_keeps_the_best_share_of_all_and_may_drop_a_prompt():
    samples = [judged("easy", i, reward=1.0) for i in range(6)]
    samples += [judged("hard", i, status=WRONG_ANSWER, reward=0.7) for i in range(6)]
    raft = RaftBlock(selection="global", partial_credit=True, keep_top_percent=0.5)
    assert kept_ids(samples, raft) == [f"1/easy/{i}" for i in range(6)], "no cap per prompt, and nothing of the other"
    assert kept_ids(samples, RaftBlock(selection="global", keep_top_percent=0.1)) != []


def test_global_takes_ties_by_the_seed_and_not_by_the_order_of_the_file():
    samples = [judged(p, i) for p in ("easy", "hard") for i in range(10)]
    raft = RaftBlock(selection="global")
    prompts_kept = [{id.split("/")[1] for id in kept_ids(samples, raft, seed=s)} for s in range(20)]
    assert all(kept == {"easy", "hard"} for kept in prompts_kept)
    assert kept_ids(samples[::-1], raft) == kept_ids(samples, raft)


def test_min_samples_fills_up_with_the_best_of_the_other_eligible_ones_only():
    samples = [judged("easy", i) for i in range(6)] + [judged("hard", i, status=WRONG_ANSWER) for i in range(6)]
    assert len(kept_ids(samples, RaftBlock(keep_top_percent=0.5))) == 3
    assert len(kept_ids(samples, RaftBlock(keep_top_percent=0.5, min_samples=5))) == 5
    assert kept_ids(samples, RaftBlock(keep_top_percent=0.5, min_samples=50)) == [f"1/easy/{i}" for i in range(6)]
