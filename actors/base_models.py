"""A base model on the node that loads it: seen there already, kept there from before, or sent once.

What is sent stays under that node's HALOFORGE_HOME/cache/models/<digest>, whole or not at all.
Not here: adapters, which travel every cycle (actors.folders).
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import ray

from actors.calls import answer
from actors.cluster import Cluster, Node, on_node
from actors.folders import Arriving, Piece, read_files
from haloforge import leash, paths
from haloforge.models import fingerprint

log = logging.getLogger("haloforge")

MIB = 2**20


class ModelStore:
    """On one node: finds a model folder there, or receives it."""

    def __init__(self, digest: str, sizes: Mapping[str, int]) -> None:
        self._digest, self._sizes = digest, dict(sizes)
        self._kept = paths.cached_model(digest)
        self._aside = self._kept.with_name(f".{digest}.{os.getpid()}")
        self._arriving: Arriving | None = None

    def find(self, folder: str) -> str | None:
        """The path under which this node has the model: the driver's own, or the cache's; None: it must be sent."""
        for there in (Path(folder), self._kept):
            if there.is_dir() and file_sizes(there) == self._sizes and fingerprint(there) == self._digest:
                return str(there)
        return None

    def expect(self) -> None:
        parts = (str(self._aside), f"{self._aside}.part")
        leash.hold(leash.token(), folders=parts)  # a transfer that is cut off leaves nothing
        self._arriving = Arriving(self._aside)

    def receive(self, piece: Piece) -> None:
        assert self._arriving is not None
        self._arriving.add(piece)

    def finish(self) -> str:
        """Put the folder in place. Raises OSError where what arrived is not what was announced."""
        assert self._arriving is not None
        arrived = self._arriving.finish()
        if file_sizes(arrived) != self._sizes or fingerprint(arrived) != self._digest:
            shutil.rmtree(arrived)
            raise OSError(f"model {self._digest} did not arrive whole at {arrived}")
        shutil.rmtree(self._kept, ignore_errors=True)  # an incomplete one, else `find` had named it
        try:
            arrived.rename(self._kept)
        except OSError:  # another run was faster, with the same files
            if not self._kept.is_dir():
                raise
            shutil.rmtree(arrived)
        return str(self._kept)


def file_sizes(folder: Path) -> dict[str, int]:
    """Bytes of each file of a model folder, by name; a model's files lie side by side."""
    return {file.name: file.stat().st_size for file in folder.iterdir() if file.is_file()}


async def bring(cluster: Cluster, node: Node, folder: str) -> str:
    """The path of the driver's model folder on `node`, where it is sent if that node has not got it."""
    if node.id == cluster.here.id:
        return folder
    digest, sizes = fingerprint(folder), file_sizes(Path(folder))
    name = f"models@{node.ip}"
    options = {**on_node(node), "num_cpus": 0}
    store = ray.remote(ModelStore).options(**options).remote(digest, sizes)
    try:
        there = await answer(store.find.options(name="find model").remote(folder), name)
        if there is None:
            log.info("sending model %s (%.1f MiB) to %s", folder, sum(sizes.values()) / MIB, node)
            await answer(store.expect.remote(), name)
            for piece in read_files(Path(folder), sorted(sizes)):
                await answer(store.receive.options(name="send model").remote(piece), name)
            there = await answer(store.finish.remote(), name)
        log.info("model %s is %s on %s", folder, there, node)
    finally:
        ray.kill(store)
    return str(there)
