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
    places: tuple[int, ...]
    """Of each verifier: the index of its node."""
    trainer_threads: int
    """The trainer runs alone, so it may use every core of its node."""

    @property
    def verifiers(self) -> int:
        return len(self.places)


def plan_cpus(
    free: Sequence[int],
    able: Sequence[bool],
    generator: int,
    trainer_cpus: int,
    threads: int | None,
    verifiers: int | None,
) -> CpuPlan:
    """Share out the CPUs of every node; what the user asked for is obeyed or refused, never trimmed.

    Args: free: CPUs per node that nothing holds. able: whether a node can verify. generator: index of its node.
    trainer_cpus: all CPUs of the trainer's node. threads, verifiers: as typed; None: what is left.
    Raises BadInput where a node's sum does not fit, with what to change.
    """
    here = free[generator]
    elsewhere = sum(n for i, n in enumerate(free) if able[i] and i != generator)
    if threads is None:
        kept = max(1, (verifiers or 1) - elsewhere) if able[generator] else 0
        threads = max(1, min(8, here - kept))
    room = [n if able[i] else 0 for i, n in enumerate(free)]
    if able[generator]:
        room[generator] = max(0, here - threads)
    count = sum(room) if verifiers is None else verifiers
    stand = f"Ray has {', '.join(map(str, free))} free CPUs on its nodes, {here} of them on the generator's"
    if able.count(False):
        stand += f", and verifiers can run on {able.count(True)} of {len(free)} nodes"
    if sum(free) < 2 or here < 1:
        raise BadInput(
            f"haloforge needs 2 CPUs (one for the generator, one for a verifier); {stand}: start Ray with --num-cpus=2 "
            "or more, set placement.generator_node to a node that has them, or wait until they are free"
        )
    if threads > here or count < 1 or count > sum(room):
        raise BadInput(
            f"this asks {threads} CPUs for the generator and {max(count, 1)} for verifiers; {stand}: lower "
            "generation.threads or verifiers.count"
        )
    return CpuPlan(threads, tuple(spread(count, room)), trainer_cpus)


def spread(count: int, free: Sequence[int]) -> list[int]:
    """Node index of each of `count` verifiers: always the node with the most CPUs left, the first where equal."""
    left = list(free)
    chosen = []
    for _ in range(count):
        node = max(range(len(left)), key=lambda n: (left[n], -n))
        left[node] -= 1
        chosen.append(node)
    return chosen
