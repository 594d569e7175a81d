"""Numbers about samples and verdicts, and clocks that measure how long something was busy. Pure but for the clock."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from haloforge.records import BUILT, TIMEOUT, UNDECIDED, Judged, Prompt
from haloforge.selection import by_prompt, distinct, solved


def verified(judged: Sequence[Judged]) -> list[Judged]:
    """Those with a decided verdict: `unknown` and `infra_error` are in no rate."""
    return [j for j in judged if j.result.status not in UNDECIDED]


def criterion(prompts: Mapping[str, Prompt]) -> str:
    """What solves these prompts: passed | compiled | mixed."""
    kinds = {prompt.has_checks for prompt in prompts.values()}
    return "mixed" if len(kinds) > 1 else "passed" if kinds != {False} else "compiled"


def summary(judged: Sequence[Judged], prompts: Mapping[str, Prompt]) -> dict[str, Any]:
    """Rates and counts of one cycle's training samples, for raft_statistics.json."""
    decided = verified(judged)
    good = [j for j in decided if solved(j, prompts[j.sample.prompt_id])]
    cpu = sum(j.result.cpu_s for j in decided if not j.result.cached)
    lost = sum(j.result.cpu_s for j in decided if j.result.status == TIMEOUT and not j.result.cached)
    return {
        "samples": len(judged),
        "verified": len(decided),
        "criterion": criterion(prompts),
        "pass_rate": ratio(len(good), len(decided)),
        "compile_rate": ratio(sum(j.result.status in BUILT for j in decided), len(decided)),
        "statuses": dict(sorted(Counter(j.result.status for j in judged).items())),
        "verified_by": verified_by(judged),
        "levels": dict(sorted(Counter(j.result.level for j in judged if j.result.level).items())),
        "finish_reasons": dict(sorted(Counter(j.sample.finish_reason for j in judged).items())),
        "prompts_solved": len({j.sample.prompt_id for j in good}),
        "distinct_solutions": len(distinct(good)),
        "timeout_share": ratio(lost, cpu),
        "tokens": sum(len(j.sample.token_ids) for j in judged),
    }


def verified_by(judged: Sequence[Judged]) -> dict[str, int]:
    """Node → samples that were verified there; those whose verdict was known already are left out."""
    nodes = (j.result.metadata.get("node") for j in judged if not j.result.cached)
    return dict(sorted(Counter(node for node in nodes if node).items()))


def evaluation(judged: Sequence[Judged], prompts: Mapping[str, Prompt]) -> dict[str, Any]:
    """Solved shares of one held-out set, by temperature, with 95% intervals over the prompts.

    Returns {"prompts", "greedy", "greedy_ci", "pass_at_1", "pass_at_1_ci", "temperatures": {"0.3": …}}:
    `greedy` is the share solved by greedy decoding, `pass_at_1` the mean over samples at T = 1.0.
    """
    by_temperature: dict[float, list[Judged]] = {}
    for j in verified(judged):
        by_temperature.setdefault(j.sample.temperature, []).append(j)
    result: dict[str, Any] = {"prompts": len({j.sample.prompt_id for j in judged}), "criterion": criterion(prompts)}
    others = {}
    for temperature, group in sorted(by_temperature.items()):
        shares = [
            sum(solved(j, prompts[p]) for j in of_prompt) / len(of_prompt) for p, of_prompt in by_prompt(group).items()
        ]
        mean, half = mean_with_interval(shares)
        if temperature == 0:
            result |= {"greedy": mean, "greedy_ci": half}
        elif temperature == 1:
            result |= {"pass_at_1": mean, "pass_at_1_ci": half}
        else:
            others[f"{temperature:g}"] = mean
    if others:
        result["temperatures"] = others
    return result


def mean_with_interval(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and half width of its 95% interval (1.96 standard errors, values independent); None for one value."""
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return mean, None
    variance = math.fsum((v - mean) ** 2 for v in values) / (n - 1)
    return mean, 1.96 * math.sqrt(variance / n)


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


class BusyClock:
    """Seconds during which at least one thing was going on."""

    def __init__(self) -> None:
        self._before = 0.0
        self._going = 0
        self._since = 0.0

    def __enter__(self) -> BusyClock:
        if self._going == 0:
            self._since = time.monotonic()
        self._going += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._going -= 1
        if self._going == 0:
            self._before += time.monotonic() - self._since

    @property
    def seconds(self) -> float:
        """Up to now."""
        return self._before + (time.monotonic() - self._since if self._going else 0.0)
