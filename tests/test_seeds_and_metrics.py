"""Seeds and figures, against another way of computing them."""

from __future__ import annotations

import math
import random
import statistics

from haloforge import metrics
from haloforge.records import COMPILE_ERROR, INFRA_ERROR, PASSED, RUNTIME_ERROR, TIMEOUT, UNKNOWN, WRONG_ANSWER
from haloforge.seeds import derive
from tests.fakes import judged, prompt


def test_a_seed_depends_on_every_part_and_on_where_one_ends():
    seeds = {
        derive(*parts) for parts in ((0, "a", "bc"), (0, "ab", "c"), (0, "abc"), (1, "a", "bc"), (0, "a", "b", "c"))
    }
    assert len(seeds) == 5
    assert all(0 <= derive(0, i) < 2**31 for i in range(1000))
    assert len({derive(0, "sample", 1, "p", i) for i in range(10_000)}) == 10_000


def test_undecided_verdicts_are_in_no_rate_but_are_counted():
    prompts = {"p": prompt("p")}
    statuses = [PASSED, PASSED, WRONG_ANSWER, COMPILE_ERROR, UNKNOWN, INFRA_ERROR, RUNTIME_ERROR, TIMEOUT]
    found = metrics.summary([judged("p", i, status=s) for i, s in enumerate(statuses)], prompts)
    assert found["pass_rate"] == 2 / 6
    assert found["compile_rate"] == 5 / 6
    assert found["statuses"][UNKNOWN] == found["statuses"][INFRA_ERROR] == 1
    assert found["samples"] == 8
    assert found["verified"] == 6


def test_distinct_solutions_are_counted_per_prompt():
    prompts = {p: prompt(p) for p in "ab"}
    same = [judged(p, i, code="same") for p in "ab" for i in range(3)] + [judged("a", 9, code="other")]
    assert metrics.summary(same, prompts)["distinct_solutions"] == 3


def test_the_interval_is_that_of_the_mean_of_independent_values():
    rng = random.Random(0)
    values = [rng.random() for _ in range(50)]
    mean, half = metrics.mean_with_interval(values)
    assert math.isclose(mean, statistics.mean(values))
    assert half is not None
    assert math.isclose(half, 1.96 * statistics.stdev(values) / math.sqrt(50))
    assert metrics.mean_with_interval([0.5]) == (0.5, None)


def test_pass_at_1_is_the_mean_over_prompts_of_the_share_of_samples_that_solve():
    prompts = {p: prompt(p) for p in "ab"}
    samples = [judged("a", i, status=PASSED if i < 3 else WRONG_ANSWER) for i in range(4)]
    samples += [judged("b", i, status=PASSED if i < 1 else WRONG_ANSWER) for i in range(2)]
    found = metrics.evaluation(samples, prompts)  # the fakes' samples are at T = 1.0
    assert found["pass_at_1"] == (3 / 4 + 1 / 2) / 2
    assert found["prompts"] == 2
    assert found["criterion"] == "passed"


def test_a_busy_clock_counts_overlapping_work_once(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    clock = metrics.BusyClock()
    with clock:
        now[0] = 2.0
        with clock:
            now[0] = 3.0
        now[0] = 4.0
    now[0] = 10.0
    with clock:
        now[0] = 11.0
    assert clock.seconds == 5.0
