"""`haloforge verify` and `haloforge verifiers list` on a cluster that runs."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from actors.cluster import check_answers, connect, use_token
from actors.placement import spread
from actors.pool import VerifierPool
from actors.survey import ask_each, survey
from haloforge.config import ClusterBlock
from haloforge.errors import BadInput, MissingTool
from haloforge.verifiers.self_test import Found, self_test

log = logging.getLogger("haloforge")


def address_of(asked: str) -> str:
    """host:port of the cluster that is asked for, once it has answered; `auto`: RAY_ADDRESS, else this machine's.

    Raises BadInput. Ray itself tries for minutes where the cluster that it remembers is gone.
    """
    if asked == "auto":
        # No public call tells where `ray start` last joined; ray is pinned.
        from ray._private.services import find_bootstrap_address

        asked = os.environ.get("RAY_ADDRESS") or find_bootstrap_address(None) or ""
        if not asked:
            raise BadInput("--cluster: no Ray runs here; start one with cluster/head.sh, or say its address, host:port")
    use_token()
    check_answers(asked, "--cluster")
    return asked


@asynccontextmanager
async def verifiers_on(
    address: str, kind: str, settings: Mapping[str, Any], languages: Sequence[str]
) -> AsyncIterator[tuple[VerifierPool, list[Mapping[str, Any] | None]]]:
    """One verifier per free CPU of the nodes that have the tools, at most `max_workers`; and what each node says.

    Raises BadInput where no cluster answers or no CPU is free, MissingTool where no node can verify.
    """
    arguments = {name: value for name, value in settings.items() if name != "max_workers"}
    with connect(f"verify-{secrets.token_hex(4)}", ClusterBlock(address=address_of(address))) as cluster:
        found = await survey(cluster, kind, arguments, languages)
        if all(one.lacks for one in found):
            raise MissingTool("no node can verify: " + "; ".join(f"{one.node}: {one.lacks}" for one in found))
        room = [0 if one.lacks else one.node.free for one in found]
        count = min(settings.get("max_workers", sum(room)), sum(room))
        if count < 1:
            raise BadInput("no CPU is free on the nodes that can verify; wait until one is, or leave --cluster out")
        places = spread(count, room)
        pool = VerifierPool([cluster.nodes[i] for i in places], kind, arguments)
        await pool.start()
        for i, node in enumerate(cluster.nodes):
            log.info("verifiers on %s: %d", node, places.count(i))
        yield pool, [found[i].says.get("fingerprint") for i in places]


async def self_tests(address: str) -> list[tuple[str, str, list[Found]]]:
    """Node, level of its sandbox (or why there is none) and what `self_test` finds there, for each node."""
    with connect(f"verifiers-{secrets.token_hex(4)}", ClusterBlock(address=address_of(address))) as cluster:
        return [
            (str(node), *(answer if isinstance(answer, tuple) else (answer, [])))
            for node, answer in zip(cluster.nodes, await ask_each(cluster.nodes, self_test), strict=True)
        ]
