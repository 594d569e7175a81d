"""What every node is, asked before anything is placed: its code, its tools, and whether it can verify."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from actors.calls import describe_process
from actors.cluster import Cluster, Node, check_code, on_node
from haloforge.errors import BadInput, HaloforgeError, MissingTool
from haloforge.verifiers.custom import Code, arrived, carried

log = logging.getLogger("haloforge")

ANSWER_S = 120.0
"""Seconds for a node's answer; the first one there includes the unpacking of the job's package."""


@dataclass(frozen=True)
class Surveyed:
    node: Node
    says: dict[str, Any]
    """What `describe_process` finds there; empty where it did not answer."""
    lacks: str
    """Why it can get no verifier; "" where it can."""


def look(kind: str, arguments: dict[str, Any], languages: Sequence[str], code: Mapping[str, Code]) -> dict[str, Any]:
    """Run on a node: what it is, which packages of a run it has, and what a verifier there would lack."""
    from haloforge.verifiers import get_verifier

    lacks, fingerprint = "", None
    try:
        arrived(code)
        verifier = get_verifier(kind, **{"max_workers": 1, **arguments})
        verifier.prepare(languages)
        fingerprint = verifier.fingerprint()
    except MissingTool as e:
        lacks = str(e)
    packages = [name for name in RUN_PACKAGES if importlib.util.find_spec(name) is None]
    return describe_process({"lacks": lacks, "absent": packages, "fingerprint": fingerprint})


RUN_PACKAGES = ("torch", "transformers", "peft", "trl", "vllm")
"""What the generator's and the trainer's node needs beside the base install."""


async def survey(cluster: Cluster, kind: str, arguments: dict[str, Any], languages: Sequence[str]) -> list[Surveyed]:
    """One entry per node, in their order; what a node lacks is logged by node and tool.

    Raises RunStopped where a node runs other code than the driver.
    """
    code = carried(kind, arguments)
    found = await asyncio.gather(*(_ask(node, kind, arguments, languages, code) for node in cluster.nodes))
    for one in found:
        if one.says:
            check_code("a task", one.says)
        if one.lacks:
            log.warning("no verifier on %s: %s", one.node, one.lacks)
    return found


async def _ask(node: Node, *asked: Any) -> Surveyed:
    says = await _call(node, look, *asked)
    return Surveyed(node, {}, says) if isinstance(says, str) else Surveyed(node, says, says["lacks"])


async def ask_each(nodes: Sequence[Node], function: Callable[[], Any]) -> list[Any]:
    """What `function` returns on each node; a text where it does not answer, cannot run it or lacks a sandbox."""
    return list(await asyncio.gather(*(_call(node, function, lacking=True) for node in nodes)))


async def _call(node: Node, function: Callable[..., Any], *arguments: Any, lacking: bool = False) -> Any:
    """What `function` returns on a node, or a text that says why it did not. Raises what it raises of ours.

    Args:
        lacking: a MissingTool is such a text too.
    """
    options = {**on_node(node), "name": f"survey {node.ip}", "num_cpus": 0, "max_retries": 0}
    asked = ray.remote(function).options(**options).remote(*arguments)
    try:
        return await asyncio.wait_for(asked, ANSWER_S)
    except TimeoutError:
        return f"it did not answer within {ANSWER_S:.0f} s"
    except RayError as e:
        cause = getattr(e, "cause", None) or e
        if isinstance(cause, MissingTool) and lacking:
            return str(cause)
        if isinstance(cause, HaloforgeError):
            raise cause from None
        reason = str(cause).strip().rpartition("\n")[2]
        return (
            f"it cannot run haloforge's code ({reason}); install it there with cluster/join.sh, or submit with "
            "--working-dir"
        )


def check_packages(role: str, found: Surveyed) -> None:
    """Raises BadInput where the node lacks what the generator or the trainer is made of."""
    absent = found.says.get("absent", ("haloforge's code",))
    if absent:
        raise BadInput(
            f"the {role}'s node {found.node} lacks {', '.join(absent)}: {found.lacks or 'run `make setup` there'}, or "
            f"set placement.{role}_node to another node"
        )
