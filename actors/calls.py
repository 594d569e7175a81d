"""Awaiting an actor: our own errors arrive as themselves, a dead actor as an error that names it."""

from __future__ import annotations

from typing import Any, TypeVar

import ray
from ray.exceptions import RayActorError, RayTaskError

from haloforge.errors import HaloforgeError, RunStopped

T = TypeVar("T")


async def answer(call: Any, actor: str) -> Any:
    """The value of an actor's call.

    Raises the HaloforgeError that the actor raised, or RunStopped where the actor died or failed in
    a way that nobody foresaw (its traceback is in the message).
    """
    try:
        return await call
    except RayTaskError as e:
        if isinstance(e.cause, HaloforgeError):
            raise e.cause from None
        raise RunStopped(f"{actor} failed: {e}") from e
    except RayActorError as e:
        raise RunStopped(f"{actor} died: {e}; run the same command again, it goes on from where it stood") from e


def describe_process(extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """What an actor says of itself: node, pid and the digest of the code it runs."""
    import os
    import socket

    from haloforge.code_digest import code_digest

    node = ray.util.get_node_ip_address()
    return {"host": socket.gethostname(), "node": node, "pid": os.getpid(), "code": code_digest(), **(extra or {})}
