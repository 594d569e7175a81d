"""CPU arithmetic, by enumeration."""

from __future__ import annotations

import itertools

import pytest

from actors.cluster import Cluster, Node
from actors.placement import plan_cpus, spread
from haloforge.errors import BadInput


def test_two_cores_are_one_generator_thread_and_one_verifier():
    plan = plan_cpus([2], [True], 0, 2, None, None)
    assert (plan.generator_threads, plan.places, plan.trainer_threads) == (1, (0,), 2)


def test_a_second_node_verifies_with_every_core_and_the_generators_with_what_is_left():
    plan = plan_cpus([4, 6], [True, True], 0, 4, None, None)
    assert (plan.generator_threads, plan.places.count(0), plan.places.count(1)) == (3, 1, 6)
    typed = plan_cpus([4, 6], [True, True], 0, 4, 2, None)
    assert (typed.places.count(0), typed.places.count(1)) == (2, 6)


def test_a_node_without_the_tools_gets_no_verifier():
    plan = plan_cpus([4, 6], [True, False], 0, 4, None, None)
    assert (plan.generator_threads, plan.places) == (3, (0,))
    elsewhere = plan_cpus([4, 6], [False, True], 0, 4, None, None)
    assert (elsewhere.generator_threads, elsewhere.places) == (4, (1,) * 6)
    with pytest.raises(BadInput, match=r"verifiers can run on 0 of 2 nodes"):
        plan_cpus([4, 6], [False, False], 0, 4, None, None)


@pytest.mark.parametrize("free", [[0], [1], [0, 4]])
def test_too_few_cpus_are_refused_with_the_remedy(free):
    with pytest.raises(BadInput, match=r"needs 2 CPUs.*--num-cpus"):
        plan_cpus(free, [True] * len(free), 0, 2, None, None)


def test_no_nodes_sum_exceeds_what_is_free_there_and_what_is_typed_is_obeyed():
    for free in itertools.product(range(6), repeat=2):
        for able, generator in itertools.product(itertools.product((True, False), repeat=2), range(2)):
            for threads, verifiers in itertools.product((None, 1, 3, 7), repeat=2):
                try:
                    plan = plan_cpus(free, able, generator, 9, threads, verifiers)
                except BadInput:
                    least = (threads or 1, verifiers or 1)
                    room = sum(n for n, can in zip(free, able, strict=True) if can)
                    room -= min(least[0], free[generator]) if able[generator] else 0
                    assert least[0] > free[generator] or least[1] > room, (free, able, generator, threads, verifiers)
                    continue
                used = [plan.places.count(n) for n in range(2)]
                used[generator] += plan.generator_threads
                assert all(u <= f for u, f in zip(used, free, strict=True))
                assert all(able[n] for n in plan.places)
                assert plan.generator_threads >= 1
                assert plan.verifiers >= 1
                assert threads in (None, plan.generator_threads)
                assert verifiers in (None, plan.verifiers)
                if verifiers is None:
                    assert all(u == f for u, f, can in zip(used, free, able, strict=True) if can), "no core lies idle"


NODES = (Node("a", "10.0.0.1", "head.local", 4, 4), Node("b", "10.0.0.2", "box2", 8, 8))


@pytest.mark.parametrize(("asked", "found"), [(None, 0), ("10.0.0.2", 1), ("box2", 1), ("head", 0), ("head.local", 0)])
def test_a_node_is_named_by_address_or_host_name(asked, found):
    cluster = Cluster("n", "10.0.0.1:6379", None, NODES)
    assert cluster.node(asked, "placement.generator_node", cluster.here) is NODES[found]


def test_an_unknown_node_is_refused_with_those_there_are():
    with pytest.raises(BadInput, match=r"placement.trainer_node is 'box3'.*10\.0\.0\.1 \(head.local\), 10\.0\.0\.2"):
        Cluster("n", "10.0.0.1:6379", None, NODES).node("box3", "placement.trainer_node", NODES[0])


def test_verifiers_go_where_most_cpus_are_left():
    assert spread(5, [1, 4]) == [1, 1, 1, 0, 1]
    for free in itertools.product(range(5), repeat=3):
        for count in range(sum(free) + 1):
            places = spread(count, free)
            assert all(places.count(n) <= free[n] for n in range(3)), "never more on a node than it has free"
