"""Joining a Ray cluster, or starting a small one on this machine and taking it down again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

import actors
import haloforge
from actors.travel import check_size
from haloforge import hardware, leash, paths
from haloforge.code_digest import code_digest
from haloforge.config import ClusterBlock
from haloforge.errors import BadInput, RunStopped
from haloforge.hardware import Gpu
from haloforge.terminal import Terminated, debug_shown

log = logging.getLogger("haloforge")


CONNECT_S = 10.0
"""Seconds within which a cluster's port must answer; Ray's own wait is minutes."""
SETTLE_S = 5.0
"""Seconds that CPUs of actors that have just ended are waited for."""


@dataclass(frozen=True)
class Node:
    id: str
    ip: str
    host: str
    cpus: int
    """CPUs that Ray counts there."""
    free: int
    """Those that nothing holds."""
    gpus: int = 0
    """As Ray counts them."""

    def __str__(self) -> str:
        return f"{self.ip} ({self.host})"


@dataclass(frozen=True)
class Cluster:
    namespace: str
    address: str
    """Where another driver joins it."""
    dashboard: str | None
    nodes: tuple[Node, ...]
    """The living nodes, the driver's first."""

    @property
    def here(self) -> Node:
        """The driver's node."""
        return self.nodes[0]

    def node(self, asked: str | None, key: str, otherwise: Node) -> Node:
        """The node with that address or host name; `otherwise` where none is asked for.

        Raises BadInput with the nodes that there are.
        """
        if asked is None:
            return otherwise
        for node in self.nodes:
            if asked in (node.ip, node.host, node.host.partition(".")[0]):
                return node
        raise BadInput(
            f"{key} is {asked!r}, and the cluster has no such node; it has {', '.join(map(str, self.nodes))}: "
            "set it to one of these addresses or host names, or join that machine with cluster/join.sh"
        )


@contextmanager
def connect(run: str, settings: ClusterBlock | None = None) -> Iterator[Cluster]:
    """Use the cluster of `cluster.address`, RAY_ADDRESS or this job; else start a local Ray for this run.

    A local Ray and everything in it ends with this process, also when it is killed. In a job the actors import
    haloforge from the job's package or as it is installed; outside of one the driver's code is sent along.
    Raises BadInput where the address does not answer, the token is not the cluster's, or a port is in use.
    """
    settings = settings or ClusterBlock()
    namespace = f"haloforge-{run}"
    address = settings.address or os.environ.get("RAY_ADDRESS")
    joined = bool(address) or paths.in_job()
    debug = debug_shown()
    options: dict[str, Any] = {
        "namespace": namespace,
        "log_to_driver": debug,  # the engine's own chatter
        "logging_level": "INFO" if debug else "ERROR",
    }
    if joined:
        use_token()
        if address:
            check_answers(address, "cluster.address" if settings.address else "RAY_ADDRESS")
            check_joined(address)
            options["address"] = address
        if settings.dashboard_port:
            log.info("cluster.dashboard_port has no effect: the cluster runs already")
        if not paths.in_job():
            options["runtime_env"] = _own_code()
    else:
        name = leash.token()
        os.environ[name] = "1"
        sessions = tempfile.mkdtemp(prefix="haloforge-ray-")
        leash.hold(name, folders=(sessions,))
        options |= {"address": "local", "include_dashboard": True, "_temp_dir": sessions}
        if settings.dashboard_port:
            check_port_free(settings.dashboard_port)
            options["dashboard_port"] = settings.dashboard_port
    context = _init(options, address or "the job's own cluster")
    try:
        dashboard = f"http://{context.dashboard_url}" if context.dashboard_url else None
        log.info(
            "Ray: %s; dashboard: %s", "the cluster that is running" if joined else "started here", dashboard or "none"
        )
        yield Cluster(namespace, ray.get_runtime_context().gcs_address, dashboard, _settled_nodes())
    except (asyncio.CancelledError, KeyboardInterrupt, Terminated):
        raise  # at once: the leash ends what we started, a cluster ends the actors of a driver that is gone
    except BaseException:
        ray.shutdown()
        raise
    ray.shutdown()


def _init(options: dict[str, Any], address: str) -> Any:
    try:
        # Ray puts the driver's folder in front of every worker's path, before the code that is sent along; on another
        # machine that may be another checkout.
        with contextlib.chdir("/") if "runtime_env" in options else contextlib.nullcontext():
            return ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError) as e:
        raise BadInput(
            f"cannot use the Ray cluster at {address}: {_first_line(e)}; a driver runs on one of the cluster's nodes: "
            "join this machine with cluster/join.sh, or submit the run with cluster/submit.sh"
        ) from e


def use_token() -> None:
    """Speak to the cluster with this user's token where there is one; ray.init itself looks for it too late."""
    from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available

    logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel(logging.ERROR)
    maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


TOKEN_REMEDY = (
    "copy ~/.ray/auth_token of the head node to the same place here (chmod 600), or set RAY_AUTH_TOKEN_PATH to a copy"
)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def check_answers(address: str, key: str) -> None:
    """Whether Ray's own port is at host:port. Raises BadInput; ray.init itself would wait for minutes."""
    host, found, port = address.rpartition(":")
    if address == "auto":
        return
    if not found or not port.isdigit() or "/" in host:
        raise BadInput(f"{key} is {address!r}; wanted is host:port of the head node's Ray, such as 10.0.0.1:6379")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S) as connection:
            connection.sendall(HTTP2_HELLO)
            answer = connection.recv(9)
    except OSError as e:
        raise BadInput(
            f"no Ray cluster answers at {address} ({key}): {e.strerror or e}; start it there (cluster/head.sh), open "
            f"port {port} in its firewall, or unset {key} to run on this machine alone"
        ) from e
    if answer[3:4] != HTTP2_SETTINGS and os.environ.get("RAY_USE_TLS") != "1":
        raise BadInput(
            f"what listens at {address} ({key}) is not Ray's own port: wanted is the one that cluster/head.sh prints "
            "for joining (6379 unless chosen), not the dashboard's"
        )


HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""What a gRPC client says first; a server answers with its own SETTINGS frame, before any token is looked at."""
HTTP2_SETTINGS = b"\x04"


def head_client(address: str) -> Any:
    """A client of the head's own service at host:port. Raises BadInput where our token is not the cluster's."""
    # No public call speaks to a head before this machine has joined it; ray is pinned.
    from ray._raylet import GcsClient  # type: ignore[attr-defined, unused-ignore]
    from ray.exceptions import RayError

    try:
        return GcsClient(address=address)
    except (RayError, RuntimeError) as e:
        if "uthentic" in f"{type(e).__name__} {e}":
            raise BadInput(f"the cluster at {address} refuses this machine's token; {TOKEN_REMEDY}") from e
        raise BadInput(f"the Ray at {address} does not answer: {_first_line(e)}") from e


def check_joined(address: str) -> None:
    """Raises BadInput where this machine is none of the cluster's nodes: a driver needs Ray beside it."""
    if address == "auto":
        return
    nodes = head_client(address).get_all_node_info(timeout=CONNECT_S).values()
    addresses = sorted({node.node_manager_address for node in nodes if node.state == 0})
    if not any(map(_is_ours, addresses)):
        raise BadInput(
            f"this machine is none of the nodes of the cluster at {address} ({', '.join(addresses)}): join it with "
            "cluster/join.sh, or submit the run with cluster/submit.sh"
        )


def _is_ours(address: str) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def check_port_free(port: int) -> None:
    """Raises BadInput where something listens on the dashboard's port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as e:
            raise BadInput(
                f"cluster.dashboard_port {port} cannot be used: {e.strerror}; choose another port, or unset it"
            ) from e


def _own_code() -> dict[str, Any]:
    """The runtime environment that carries this driver's haloforge and actors to every node."""
    folders = [str(Path(module.__path__[0])) for module in (haloforge, actors)]
    check_size([Path(folder) for folder in folders], excludes=CACHES)
    return {"py_modules": folders, "excludes": CACHES}


CACHES = ["__pycache__", "*.pyc"]


def _settled_nodes() -> tuple[Node, ...]:
    """The living nodes, once the CPUs of actors that have just ended are free again."""
    deadline = time.monotonic() + SETTLE_S
    nodes = _nodes()
    while any(node.free < node.cpus for node in nodes) and time.monotonic() < deadline:
        time.sleep(0.2)
        nodes = _nodes()
    return nodes


def _nodes() -> tuple[Node, ...]:
    from ray._private.state import available_resources_per_node

    here = ray.get_runtime_context().get_node_id()
    free = available_resources_per_node()
    nodes = [
        Node(
            id=n["NodeID"],
            ip=n["NodeManagerAddress"],
            host=n["NodeManagerHostname"],
            cpus=int(n["Resources"].get("CPU", 0)),
            free=int(free.get(n["NodeID"], {}).get("CPU", 0)),
            gpus=int(n["Resources"].get("GPU", 0)),
        )
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


def is_alive(node: Node) -> bool:
    """Whether the cluster still counts on that node."""
    return any(n["NodeID"] == node.id and n["Alive"] for n in ray.nodes())


def on_node(node: Node) -> dict[str, Any]:
    """Options of an actor that must run on this node."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False)}


def check_code(actor: str, described: dict[str, Any]) -> None:
    """Refuse an actor whose node runs another version of haloforge than the driver."""
    if described["code"] != code_digest():
        raise RunStopped(
            f"{actor} on {described['host']} ({described['node']}) runs haloforge code {described['code'][:12]}, this "
            f"driver {code_digest()[:12]}: install the same version on every node (cluster/join.sh there), or submit "
            "with --working-dir, which carries the code along"
        )
