"""CPU arithmetic, by enumeration."""

from __future__ import annotations

import itertools

import pytest

from actors.placement import plan_cpus, spread
from haloforge.errors import BadInput


def test_two_cores_are_one_generator_thread_and_one_verifier():
    plan = plan_cpus(2, 2, None, None)
    assert (plan.generator_threads, plan.verifiers, plan.trainer_threads) == (1, 1, 2)


@pytest.mark.parametrize("cpus", [0, 1])
def test_too_few_cpus_are_refused_with_the_remedy(cpus):
    with pytest.raises(BadInput, match=r"needs 2 CPUs.*--num-cpus"):
        plan_cpus(cpus, cpus, None, None)


def test_the_sum_never_exceeds_the_cluster_and_what_is_typed_is_obeyed():
    for cluster, node in itertools.product(range(2, 20), repeat=2):
        for threads, verifiers in itertools.product((None, 1, 3, 7), repeat=2):
            if node > cluster:
                continue
            try:
                plan = plan_cpus(cluster, node, threads, verifiers)
            except BadInput:
                assert threads or verifiers, "what is not typed always fits"
                assert (threads or 1) > node or (threads or 1) + (verifiers or 1) > cluster
                continue
            assert plan.generator_threads + plan.verifiers <= cluster
            assert plan.generator_threads >= 1
            assert plan.verifiers >= 1
            assert plan.generator_threads <= node
            assert threads in (None, plan.generator_threads)
            assert verifiers in (None, plan.verifiers)


def test_verifiers_go_where_most_cpus_are_left():
    assert spread(5, [1, 4]) == [1, 1, 1, 0, 1]
    for free in itertools.product(range(5), repeat=3):
        for count in range(sum(free) + 1):
            places = spread(count, free)
            assert all(places.count(n) <= free[n] for n in range(3)), "never more on a node than it has free"
