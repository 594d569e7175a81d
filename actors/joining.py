"""Before a machine joins a cluster: does it run the head's Ray, Python and haloforge? (`cluster/join.sh`)"""

from __future__ import annotations

import platform
import sys

from haloforge import __version__
from haloforge.errors import BadInput
from haloforge.terminal import errors_shown


def head_versions(address: str) -> dict[str, str]:
    """ray, python, and haloforge where the head was started by cluster/head.sh, as the head at host:port has them.

    Raises BadInput where the token is not the head's, or what listens there is no Ray.
    """
    from ray._common.usage.usage_lib import get_cluster_metadata

    from actors.cluster import check_answers, head_client, use_token

    use_token()
    check_answers(address, "ADDRESS")
    client = head_client(address)
    metadata = get_cluster_metadata(client)
    nodes = client.get_all_node_info(timeout=10).values()
    labels = next((dict(node.labels) for node in nodes if node.is_head_node), {})
    found = {"ray": metadata["ray_version"], "python": metadata["python_version"]}
    return found | ({"haloforge": labels["haloforge"]} if labels.get("haloforge") else {})


def check(address: str) -> str:
    """The versions that this machine and the head share, in words. Raises BadInput where one differs."""
    import ray

    theirs = head_versions(address)
    ours = {"ray": ray.__version__, "python": platform.python_version(), "haloforge": __version__}
    wrong = [f"{name} {ours[name]} here, {version} there" for name, version in theirs.items() if ours[name] != version]
    if wrong:
        raise BadInput(
            f"this machine ({sys.executable}) and the head at {address} differ: {'; '.join(wrong)}; install the head's "
            "versions here (same Python, same checkout, `make setup` or `pip install .`), then join again"
        )
    return ", ".join(f"{name} {version}" for name, version in theirs.items())


if __name__ == "__main__":
    with errors_shown(quiet=True):
        print(f"same as the head: {check(sys.argv[1])}")
