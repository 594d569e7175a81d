"""Awaiting an actor: its errors arrive as ours, one screen long, with the actor and its node named."""

from __future__ import annotations

import dataclasses
import logging
import re
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from haloforge import hardware
from haloforge.errors import HaloforgeError, RunStopped

log = logging.getLogger("haloforge")


async def answer(call: Any, actor: str) -> Any:
    """The value of an actor's call.

    Raises the kind of HaloforgeError that the actor raised, or RunStopped where the actor died or failed in
    a way that nobody foresaw; its traceback is logged for --debug.
    """
    try:
        return await call
    except RayTaskError as e:
        log.debug("%s failed:\n%s", actor, e)
        kind = type(e.cause) if isinstance(e.cause, HaloforgeError) else RunStopped
        what = str(e.cause) if kind is not RunStopped or isinstance(e.cause, RunStopped) else repr(e.cause)
        raise kind(f"{actor}{_node(e)}: {what}") from None
    except RayActorError as e:
        how = " ".join(str(e).split())
        raise RunStopped(f"{actor} died: {how}; run the same command again, it goes on from where it stood") from None


def _node(error: RayTaskError) -> str:
    """Where the call ran: Ray tells it only in the head line of the remote traceback."""
    found = re.search(r"\(pid=\d+, ip=([^,)]+)", str(error))
    return f" on node {found[1]}" if found else ""


WATCHING = "watching"
"""Concurrency group of the calls that an actor answers while it works."""


def call_name(verb: str, sample_id: str, cycle: int) -> str:
    """How a sample's call is named in the dashboard; held-out samples have `eval` in their id."""
    return f"{verb}{' held out' if sample_id.startswith(f'{cycle}/eval/') else ''} · cycle {cycle}"


def gpus_here() -> list[dict[str, Any]]:
    """The GPUs of this node, as haloforge.hardware.Gpu has them; empty without one."""
    return [dataclasses.asdict(gpu) for gpu in hardware.gpus()]


def describe_process(extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """What an actor says of itself: node, pid, the digest of the code it runs, its software and its tools."""
    import os
    import socket

    from haloforge.verifiers.languages.rows import toolchain
    from haloforge.versions import versions

    found = versions()
    return {
        "host": socket.gethostname(),
        "node": ray.util.get_node_ip_address(),
        "pid": os.getpid(),
        "cpus": os.cpu_count(),
        "code": found["code"],
        "versions": found,
        "tools": toolchain(),
        **(extra or {}),
    }
