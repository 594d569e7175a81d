"""Which verified samples are trained on. Pure; order of files, rows and lengths has no say."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from haloforge.config import RaftBlock
from haloforge.records import COMPILED, PASSED, UNDECIDED, Judged, Prompt


def solved(judged: Judged, prompt: Prompt) -> bool:
    """A prompt with tests is solved by `passed`; one without by `compiled`, where it was built and not only checked."""
    built = judged.result.status == COMPILED and not judged.result.metadata.get("check_only")
    return judged.result.status == PASSED or (built and not prompt.has_checks)


def eligible(judged: Judged, prompt: Prompt, raft: RaftBlock) -> bool:
    """Whether a sample may be trained on: solved (or partly, where asked), rewarded enough, and ended by itself."""
    result = judged.result
    if result.status in UNDECIDED or result.reward is None or judged.sample.finish_reason != "stop":
        return False
    if result.metadata.get("check_only"):
        return False
    good = solved(judged, prompt) or raft.partial_credit
    return good and result.reward >= raft.reward_threshold and result.reward > 0


def select(judged: Sequence[Judged], prompts: Mapping[str, Prompt], raft: RaftBlock, seed: int) -> list[Judged]:
    """The best distinct eligible samples, of each prompt or (global) of all, sorted by (prompt, index).

    Ties of reward are broken by a seeded hash of the sample's id, so that neither the order of the
    prompts file nor the length of a program decides. Fewer than `min_samples` are filled up with the best of
    the other eligible ones, as far as there are any.
    """
    ranked = sorted(
        (j for j in judged if eligible(j, prompts[j.sample.prompt_id], raft)),
        key=lambda j: (-(j.result.reward or 0.0), _hash(seed, j.sample.id)),
    )
    ranked = distinct(ranked)
    if raft.selection == "global":
        kept = ranked[: _share(raft.keep_top_percent, len(ranked))]
    else:
        kept = [
            j
            for group in by_prompt(ranked).values()
            for j in group[: min(_share(raft.keep_top_percent, len(group)), raft.max_kept_per_prompt)]
        ]
    taken = {j.sample.id for j in kept}
    others = [j for j in ranked if j.sample.id not in taken]
    return in_order(kept + others[: max(0, raft.min_samples - len(kept))])


def select_uniform(judged: Sequence[Judged], count: int, seed: int) -> list[Judged]:
    """The control: `count` distinct samples drawn uniformly, whatever their verdicts."""
    pool = [j for group in by_prompt(judged).values() for j in distinct(in_order(group))]
    pool.sort(key=lambda j: _hash(seed, j.sample.id))
    return in_order(pool[:count])


def distinct(judged: Sequence[Judged]) -> list[Judged]:
    """The first of each extracted program, per prompt."""
    seen: set[tuple[str, str]] = set()
    first = []
    for j in judged:
        key = (j.sample.prompt_id, j.result.code or j.sample.text)
        if key not in seen:
            seen.add(key)
            first.append(j)
    return first


def _share(share: float, count: int) -> int:
    """So many of `count`, rounded up, at least one (of none: none)."""
    return max(1, math.ceil(share * count - 1e-9)) if count else 0


def by_prompt(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    groups: dict[str, list[Judged]] = defaultdict(list)
    for j in judged:
        groups[j.sample.prompt_id].append(j)
    return groups


def in_order(judged: Sequence[Judged]) -> list[Judged]:
    return sorted(judged, key=lambda j: (j.sample.prompt_id, j.sample.index))


def _hash(seed: int, sample_id: str) -> str:
    return hashlib.sha256(f"{seed}\0{sample_id}".encode()).hexdigest()
