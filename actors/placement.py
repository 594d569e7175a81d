"""Who gets which CPUs. Pure arithmetic, checked before anything is started.

Ray counts logical CPUs and does not enforce them, so the counts have to be honest: a verifier is one
core at full load, a generator on a CPU as many as its engine has threads, the trainer none of its
own, because it works while the generator rests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from haloforge.errors import BadInput


@dataclass(frozen=True)
class CpuPlan:
    generator_threads: int
    verifiers: int
    trainer_threads: int
    """The trainer runs alone, so it may use every core of its node."""


def plan_cpus(cluster_cpus: int, node_cpus: int, threads: int | None, verifiers: int | None) -> CpuPlan:
    """Share out the cluster's CPUs; what the user asked for is obeyed or refused, never trimmed.

    Args: cluster_cpus: free CPUs of all nodes. node_cpus: those of the generator's node.
    Raises BadInput where the sum does not fit, with what to change.
    """
    if cluster_cpus < 2:
        raise BadInput(
            f"haloforge needs 2 CPUs (one for the generator, one for a verifier); Ray has {cluster_cpus}: "
            "start Ray with --num-cpus=2 or more, or use a machine that has them"
        )
    asked = threads if threads is not None else max(1, min(8, node_cpus - (verifiers or 1)))
    count = verifiers if verifiers is not None else cluster_cpus - asked
    if asked > node_cpus or count < 1 or asked + count > cluster_cpus:
        raise BadInput(
            f"this asks {asked} CPUs for the generator and {max(count, 1)} for verifiers; the cluster has "
            f"{cluster_cpus} free, the generator's node {node_cpus}: lower generation.threads or "
            "verifiers.count"
        )
    return CpuPlan(generator_threads=asked, verifiers=count, trainer_threads=node_cpus)


def spread(count: int, free: Sequence[int]) -> list[int]:
    """Node index of each of `count` verifiers: always the node with the most CPUs left, the first where equal."""
    left = list(free)
    chosen = []
    for _ in range(count):
        node = max(range(len(left)), key=lambda n: (left[n], -n))
        left[node] -= 1
        chosen.append(node)
    return chosen
