"""Joining a Ray cluster, or starting a small one on this machine and taking it down again."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

import actors
import haloforge
from haloforge import hardware, leash, paths
from haloforge.code_digest import code_digest
from haloforge.config import ClusterBlock
from haloforge.errors import BadInput, RunStopped
from haloforge.hardware import Gpu
from haloforge.terminal import Terminated, debug_shown

log = logging.getLogger("haloforge")


@dataclass(frozen=True)
class Node:
    id: str
    ip: str
    cpus: int
    gpus: int = 0
    """As Ray counts them."""


@dataclass(frozen=True)
class Cluster:
    namespace: str
    address: str
    """Where another driver joins it."""
    dashboard: str | None
    free_cpus: int
    """CPUs of all nodes that nothing holds."""
    nodes: tuple[Node, ...]
    """The living nodes, the driver's first."""


@contextmanager
def connect(run: str, settings: ClusterBlock | None = None) -> Iterator[Cluster]:
    """Use the cluster of `cluster.address`, RAY_ADDRESS or this job; else start a local Ray for this run.

    A local Ray and everything in it ends with this process, also when it is killed.
    Raises BadInput where the address cannot be reached.
    """
    namespace = f"haloforge-{run}"
    settings = settings or ClusterBlock()
    address = settings.address or os.environ.get("RAY_ADDRESS")
    joined = bool(address) or paths.in_job()
    debug = debug_shown()
    options: dict[str, Any] = {
        "namespace": namespace,
        "log_to_driver": debug,  # the engine's own chatter
        "logging_level": "INFO" if debug else "ERROR",
    }
    if joined:
        if address:
            options["address"] = address
        if not paths.in_job():  # in a job the package or the installed one is there already
            options["runtime_env"] = {"py_modules": [str(Path(m.__path__[0])) for m in (haloforge, actors)]}
    else:
        name = leash.token()
        os.environ[name] = "1"
        sessions = tempfile.mkdtemp(prefix="haloforge-ray-")
        leash.hold(name, folders=(sessions,))
        options |= {"address": "local", "include_dashboard": True, "_temp_dir": sessions}
        if settings.dashboard_port:
            options["dashboard_port"] = settings.dashboard_port
    try:
        context = ray.init(**options)
    except ConnectionError as e:
        raise BadInput(
            f"no Ray cluster answers at {address!r}: {e}; unset cluster.address or RAY_ADDRESS, or start it"
        ) from e
    try:
        dashboard = f"http://{context.dashboard_url}" if context.dashboard_url else None
        log.info(
            "Ray: %s; dashboard: %s", "the cluster that is running" if joined else "started here", dashboard or "none"
        )
        address = ray.get_runtime_context().gcs_address
        yield Cluster(namespace, address, dashboard, int(ray.available_resources().get("CPU", 0)), _nodes())
    except (asyncio.CancelledError, KeyboardInterrupt, Terminated):
        raise  # at once: the leash ends what we started, a cluster ends the actors of a driver that is gone
    except BaseException:
        ray.shutdown()
        raise
    ray.shutdown()


def _nodes() -> tuple[Node, ...]:
    here = ray.get_runtime_context().get_node_id()
    nodes = [
        Node(n["NodeID"], n["NodeManagerAddress"], *(int(n["Resources"].get(kind, 0)) for kind in ("CPU", "GPU")))
        for n in ray.nodes()
        if n["Alive"]
    ]
    return tuple(sorted(nodes, key=lambda n: (n.id != here, n.ip)))


def gpus_of(node: Node) -> tuple[Gpu, ...]:
    """The GPUs of a node, as many as Ray counts there. Raises BadInput where it counts some and none can be read."""
    if not node.gpus:
        return ()
    found = ray.get(ray.remote(hardware.gpus).options(num_cpus=0, name="look for GPUs", **on_node(node)).remote())
    if len(found) < node.gpus:
        raise BadInput(
            f"Ray counts {node.gpus} GPUs on node {node.ip}, and the memory of {len(found)} can be read there (from "
            "nvidia-smi, or the kernel's KFD): correct --num-gpus, mend the driver, or set placement: cpu"
        )
    return found[: node.gpus]


def on_node(node: Node) -> dict[str, Any]:
    """Options of an actor that must run on this node."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False)}


def check_code(actor: str, described: dict[str, Any]) -> None:
    """Refuse an actor whose node runs another version of haloforge than the driver."""
    if described["code"] != code_digest():
        raise RunStopped(
            f"{actor} on {described['host']} ({described['node']}) runs haloforge code {described['code'][:12]}, this "
            f"driver {code_digest()[:12]}: install the same version on every node"
        )
