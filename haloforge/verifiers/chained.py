"""`chain`: several verifiers, one after another, as far as each succeeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from haloforge import records as r
from haloforge.errors import BadInput
from haloforge.records import Prompt, VerifyResult
from haloforge.verifiers.base import Verifier, verdict


def _all(results: Sequence[VerifyResult]) -> dict[str, Any]:
    """What the stages noted; what one of them says of a check that was none, or of the clock, holds for the chain."""
    return {key: value for one in results for key, value in one.metadata.items()}


class ChainedVerifier(Verifier):
    """The reward is the sum of weight × reward over the stages that ran; a stage that succeeds gives its whole weight.

    It stops after the first stage that does not succeed, and has that stage's status; else the best status of all.
    What a stage cannot tell (`unknown`, `infra_error`) the chain cannot tell either.
    """

    name = "chain"

    def __init__(
        self,
        stages: Sequence[Verifier | Mapping[str, Any]] = (),
        weights: Sequence[float] | None = None,
        max_workers: int = 8,
        **common: Any,
    ) -> None:
        """
        Args:
            stages: verifiers, or {"type": NAME, "args": {…}} of each.
            weights: one per stage, ≥ 0, 1.0 together; default: equal.
            common: for the stages that are given by name; see Verifier.

        Raises:
            BadInput: no stages, weights that don't fit them or don't sum to 1, a stage that does not exist.
        """
        super().__init__(max_workers, **{key: common[key] for key in ("allow_weak", "slot") if key in common})
        if not stages:
            raise BadInput("chain has no stages; give it stages, for example [{type: gcc}, {type: execution}]")
        weights = [1 / len(stages)] * len(stages) if weights is None else list(weights)
        if len(weights) != len(stages):
            raise BadInput(f"chain has {len(stages)} stages and {len(weights)} weights; wanted is one for each")
        numbers = all(isinstance(w, int | float) and not isinstance(w, bool) and w >= 0 for w in weights)
        if not numbers or not abs(sum(weights) - 1) <= 1e-6:  # nan is neither more nor less
            raise BadInput(f"chain's weights are {weights}; wanted are numbers ≥ 0 that sum to 1")
        self.weights = weights
        self.stages = [self._stage(stage, number, common) for number, stage in enumerate(stages)]

    def _stage(self, stage: Verifier | Mapping[str, Any], number: int, common: Mapping[str, Any]) -> Verifier:
        from haloforge.verifiers import get_verifier

        if isinstance(stage, Verifier):
            return stage
        known = {"type", "class", "args"}
        if not isinstance(stage, Mapping) or not set(stage) <= known or len(set(stage) & {"type", "class"}) != 1:
            raise BadInput(f"stage {number + 1} of the chain is {stage!r}; wanted is {{type: NAME, args: {{…}}}}")
        if not isinstance(stage.get("args") or {}, Mapping):
            raise BadInput(f"stage {number + 1} of the chain: args is {stage['args']!r}; wanted is {{NAME: VALUE, …}}")
        slot = common.get("slot", 0) + number * self.max_workers  # stages of different samples run at the same time
        args = {**common, "max_workers": self.max_workers, **(stage.get("args") or {}), "slot": slot}
        return get_verifier(stage.get("type") or stage["class"], **args)

    def prepare(self, languages: Sequence[str] = ()) -> str:
        levels = [stage.prepare(languages) for stage in self.stages]
        return levels[0]

    def fingerprint(self) -> dict[str, Any] | None:
        stages = [stage.fingerprint() for stage in self.stages]
        return None if None in stages else {"stages": stages}

    def required_tools(self, language: str) -> tuple[str, ...]:
        return tuple(tool for stage in self.stages for tool in stage.required_tools(language))

    def check(self, prompts: Sequence[Prompt]) -> None:
        for stage in self.stages:
            stage.check(prompts)

    def verify(self, code: str, task: Prompt | None = None, *, as_it_stands: bool = False) -> VerifyResult:
        results: list[VerifyResult] = []
        reward, cpu_s, wall_s = 0.0, 0.0, 0.0
        for stage, weight in zip(self.stages, self.weights, strict=True):
            result = verdict(stage, code, task, as_it_stands)
            results.append(result)
            cpu_s, wall_s = cpu_s + result.cpu_s, wall_s + result.wall_s
            reward += weight * (1.0 if result.success else result.reward or 0.0)
            if not result.success:
                break
        last = results[-1]
        best = next((one for one in reversed(results) if one.status == r.PASSED), last) if last.success else last
        said = "; ".join(f"{s.name}: {one.details}" for s, one in zip(self.stages, results, strict=False))
        return replace(
            best,
            reward=None if last.status in r.UNDECIDED else min(1.0, reward),
            details=f"stage {len(results)} of {len(self.stages)}: {said}",
            error=last.error,
            metadata=_all(results) | {"stages": [one.status for one in results]},
            cpu_s=cpu_s,
            wall_s=wall_s,
            level=next((one.level for one in results if one.level != "ns"), "ns"),
        )

    def cleanup(self) -> None:
        for stage in self.stages:
            stage.cleanup()
