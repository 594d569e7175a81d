"""The verifier: a sandbox and its compilers on one core. Keeps nothing between samples and imports no torch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import ray

from actors.calls import WATCHING, describe_process
from haloforge.records import Prompt, VerifyResult
from haloforge.verifiers import Verifier, get_verifier, verdict
from haloforge.verifiers.custom import Code, arrived


class VerifierActor:
    def __init__(
        self, kind: str, arguments: dict[str, Any], slot: int, name: str, code: Mapping[str, Code] | None = None
    ) -> None:
        """
        Args:
            code: the files of a user's class (custom.carried).
        """
        self._code = code or {}
        self._kind, self._arguments, self._name = kind, {"max_workers": 1, **arguments, "slot": slot}, name
        self._node = ray.util.get_node_ip_address()
        self._verified = 0
        self._busy_s = 0.0
        self._now: tuple[str, float] | None = None

    def __repr__(self) -> str:
        return self._name

    @cached_property
    def _verifier(self) -> Verifier:
        """Built by the first call: what goes wrong then reaches the driver as itself."""
        arrived(self._code)
        return get_verifier(self._kind, **self._arguments)

    def describe(self) -> dict[str, Any]:
        return describe_process({"level": self._verifier.level})

    def verify(self, id: str, text: str, task: Prompt, as_it_stands: bool) -> tuple[VerifyResult, float]:
        """The verdict on the answer `id`, and the seconds that this actor was busy with it."""
        start = time.monotonic()
        self._now = (id, start)
        try:
            result = verdict(self._verifier, text, task, as_it_stands)
        finally:
            self._now = None
        result = replace(result, metadata={**result.metadata, "node": self._node})
        seconds = time.monotonic() - start
        self._verified += 1
        self._busy_s += seconds
        return result, seconds

    @ray.method(concurrency_group=WATCHING)
    def status(self) -> dict[str, Any]:
        """What it is doing now. Times in seconds."""
        now = self._now
        return {
            "doing": f"verify {now[0]}" if now else "idle",
            "since_s": time.monotonic() - now[1] if now else None,
            "verified": self._verified,
            "busy_s": self._busy_s,
        }
