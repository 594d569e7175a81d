"""The judgement of a swap, on numbers made up so that the right answer is known."""

from __future__ import annotations

import json
import math
import random

import pytest

from haloforge.errors import SwapNotProved
from haloforge.proof import ExactReport, judge_swap, rms_difference

GOOD = ExactReport("cycle-2-load-2", matched=28)
RNG = random.Random(0)
OLD = [tuple(RNG.uniform(-5, 0) for _ in range(n)) for n in (3, 40, 1, 57)]


def moved(scores, by, seed=1):
    rng = random.Random(seed)
    return [tuple(x + rng.gauss(0, by) for x in inner) for inner in scores]


NEW = moved(OLD, 0.2)
NOISE = 0.01


def test_the_rms_is_over_tokens_and_not_over_samples():
    assert rms_difference([(0.0,), (0.0, 0.0, 0.0)], [(2.0,), (0.0, 0.0, 0.0)]) == pytest.approx(math.sqrt(4 / 4))


def test_scores_of_different_tokens_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        rms_difference([(0.0, 1.0)], [(0.0,)])
    with pytest.raises(ValueError, match="shorter"):
        rms_difference([(0.0,), (1.0,)], [(0.0,)])


def test_an_engine_within_the_noise_of_the_new_adapter_is_proved_by_both_parts():
    proof = judge_swap(GOOD, moved(NEW, NOISE, seed=2), NEW, OLD, NOISE)
    assert proof.decided_by == "exact and behaviour"
    assert proof.tokens == 101
    assert proof.rms_new == pytest.approx(0.01, rel=0.3)
    assert proof.rms_old == pytest.approx(0.2, rel=0.3)
    record = json.loads(json.dumps(proof.record()))
    assert record["tensors"] == 28
    assert record["noise"] == NOISE


def test_an_engine_that_still_serves_the_old_adapter_fails_the_behaviour():
    with pytest.raises(SwapNotProved, match=r"\(b\) behaviour.*closer to the previous"):
        judge_swap(GOOD, moved(OLD, NOISE, seed=2), NEW, OLD, NOISE)


def test_an_engine_close_to_the_new_adapter_but_beyond_the_noise_fails_the_behaviour():
    with pytest.raises(SwapNotProved, match=r"1\.5 × the noise.*noise = 0\.01"):
        judge_swap(GOOD, moved(NEW, 2 * NOISE, seed=2), NEW, OLD, NOISE)


def test_an_update_below_the_noise_is_decided_by_the_exact_part_alone():
    barely = moved(OLD, 1.5 * NOISE)
    proof = judge_swap(GOOD, moved(barely, 3 * NOISE, seed=2), barely, OLD, NOISE)
    assert proof.decided_by == "exact alone, update below noise"


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (
            ExactReport("a", 22, missing=tuple(f"m{i}" for i in range(6))),
            r"22 tensors equal, 6 missing \(m0, m1, m2, …",
        ),
        (ExactReport("a", 27, differing=("q_proj.lora_B",)), r"1 differing \(q_proj\.lora_B\)"),
        (ExactReport("a", 28, extra=("o_proj.lora_A",)), r"1 extra \(o_proj\.lora_A\)"),
        (ExactReport("a", 0), "none to compare"),
    ],
)
def test_unequal_tensors_fail_however_good_the_scores_are(report, words):
    with pytest.raises(SwapNotProved, match=words):
        judge_swap(report, NEW, NEW, OLD, NOISE)


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_a_score_that_is_not_finite_proves_nothing(bad):
    broken = [*NEW[:-1], (*NEW[-1][:-1], bad)]
    with pytest.raises(SwapNotProved, match="not finite"):
        judge_swap(GOOD, broken, NEW, OLD, NOISE)


def test_without_a_single_token_nothing_is_proved():
    with pytest.raises(SwapNotProved, match="no tokens were scored"):
        judge_swap(GOOD, [], [], [], NOISE)


def test_the_rounding_of_the_adapter_adds_to_the_noise_in_squares_and_no_more():
    rng = random.Random(4)
    old = [[rng.gauss(-1, 0.5) for _ in range(400)]]
    new = [[x + rng.gauss(0, 1) for x in old[0]]]
    engine = [[x + rng.gauss(0, 0.05) for x in new[0]]]
    exact = ExactReport("cycle-1", 28)
    with pytest.raises(SwapNotProved, match="behaviour"):
        judge_swap(exact, engine, new, old, noise=0.03)
    proof = judge_swap(exact, engine, new, old, noise=0.03, rounding=0.04)
    assert math.isclose(proof.noise, 0.05)
    with pytest.raises(SwapNotProved, match="behaviour"):
        judge_swap(exact, engine, new, old, noise=0.03, rounding=0.01)
