"""One SFT in an actor of its own: where it runs, what it is sent, and what it sends while it works."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ray

from actors.base_models import bring
from actors.calls import answer, describe_process, gpus_here
from actors.cluster import Cluster, Node, check_code, on_node
from actors.folders import Piece, Receiver, pull, read_folder, send
from haloforge.models import fingerprint
from haloforge.output_folder import writing
from haloforge.training.checkpoints import Course
from haloforge.training.learner import LearnerSettings, LogRow
from haloforge.training.sft import SftJob, SftReport, run_sft

log = logging.getLogger("haloforge")

NAME = "sft-0"
LOG_INTERVAL_S = 2.0


class SftActor(Receiver):
    """Trains in one thread, and hands out log rows and checkpoints in others.

    At most one finished checkpoint waits for the driver: with a second, the training waits too, so that a slow network
    cannot fill this node's disk.
    """

    def __init__(self) -> None:
        super().__init__("haloforge-sft-")
        self._log: list[LogRow] = []
        self._waiting: list[Path] = []
        self._sent: list[Path] = []
        self._changed = threading.Condition()
        self._course: Course | None = None
        self._ended = False

    def __repr__(self) -> str:
        return NAME

    def describe(self) -> dict[str, Any]:
        return describe_process()

    def holds(self, folder: str, digest: str) -> bool:
        """Whether this node sees the same model or adapter folder under the same path."""
        return Path(folder).is_dir() and fingerprint(folder) == digest

    def train(self, job: SftJob, resume: str | None, best: str | None) -> SftReport:
        try:
            return run_sft(
                job,
                self._scratch,
                self._log.append,
                resume=resume,
                best=best,
                on_checkpoint=self._hand_out,
                on_start=self._begun,
            )
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _begun(self, course: Course) -> None:
        self._course = course

    def _hand_out(self, checkpoint: Path) -> None:
        with self._changed:
            self._waiting.append(checkpoint)
            self._changed.notify_all()
            self._changed.wait_for(lambda: len(self._waiting) < 2)

    def progress(self, start: int, wait_s: float) -> tuple[list[LogRow], list[str]]:
        """Log rows from `start` on, and the checkpoints that wait; returns at once where some do, or at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended, wait_s)
            waiting = list(map(str, self._waiting))
        return self._log[start:], waiting  # in this order: a checkpoint's rows are in the log before it is

    def sent(self, checkpoint: str) -> None:
        """The driver has it; it stays here only as long as it is the best, whose weights the end may need."""
        best = self._course.best if self._course else None
        with self._changed:
            self._waiting.remove(Path(checkpoint))
            self._changed.notify_all()
        self._sent.append(Path(checkpoint))
        for folder in [path for path in self._sent if path != best]:
            self._sent.remove(folder)
            shutil.rmtree(folder, ignore_errors=True)

    def read_folder(self, folder: str) -> Iterator[Piece]:
        yield from read_folder(Path(folder))

    def status(self) -> dict[str, Any]:
        """What it is doing now."""
        return {"doing": "sft", "last": self._log[-1] if self._log else None, "gpus": gpus_here()}

    def close(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)


@dataclass(frozen=True)
class Place:
    """Where an SFT runs, and with what."""

    node: Node
    gpus: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that the user gave."""

    @property
    def threads(self) -> int:
        """All cores of its node: nothing else of ours runs meanwhile."""
        return max(1, self.node.cpus)

    def options(self, settings: LearnerSettings) -> dict[str, Any]:
        hidden = {} if self.gpus else {"CUDA_VISIBLE_DEVICES": ""}
        variables = environment(settings, {**hidden, **self.env})
        return {**on_node(self.node), "num_gpus": self.gpus, "runtime_env": variables}


def choose_place(cluster: Cluster, use_gpu: bool, asked: str | None, env: Mapping[str, str]) -> Place:
    """The node that is asked for, else the driver's, or where GPUs are to be used and it has none, one that has.

    Raises:
        BadInput: no living node is called so.
    """
    with_gpu = [node for node in cluster.nodes if node.gpus] if use_gpu else []
    usual = cluster.here if cluster.here.gpus else (with_gpu or cluster.nodes)[0]
    node = cluster.node(asked, "placement.trainer_node", usual)
    gpus = 1 if use_gpu and node.gpus else 0
    if gpus and ray.available_resources().get("GPU", 0) < 1:
        log.warning("every GPU of the cluster is in use; the training starts when one is free")
    return Place(node, gpus, env)


def environment(settings: LearnerSettings, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The runtime environment of an actor that trains; `env` wins."""
    # Threads that wait by spinning take the cores from whoever has work; must be set before torch is loaded.
    variables = {"OMP_WAIT_POLICY": "PASSIVE"}
    if settings.threads:
        variables["OMP_NUM_THREADS"] = str(settings.threads)
    return {"env_vars": {**variables, **(env or {})}}


async def train_in_actor(
    cluster: Cluster,
    place: Place,
    job: SftJob,
    into: Path,
    on_log: Callable[[LogRow], None],
    *,
    resume: Path | None = None,
    best: Path | None = None,
    on_checkpoint: Callable[[Path], None] | None = None,
) -> SftReport:
    """Run an SFT on a node of the cluster and bring its model to `into`; log rows arrive while it runs.

    Checkpoints arrive beside `into`, each handed to on_checkpoint once it is there and its log rows were handed on.
    The base is brought to the node; the adapter to continue and the checkpoints to go on from are sent to one that does
    not see them.

    Raises what `run_sft` raises, and RunStopped where the actor dies.
    """
    base = job.settings.model_dir
    job = replace(job, settings=replace(job.settings, model_dir=await bring(cluster, place.node, base), base_name=base))
    options = {"name": NAME, "num_cpus": 0, "max_concurrency": 4, **place.options(job.settings)}
    actor = ray.remote(SftActor).options(**options).remote()
    check_code(NAME, await answer(actor.describe.options(name="start trainer").remote(), NAME))

    async def there(folder: Path, name: str) -> str:
        """The folder's path on the actor's node."""
        if await answer(actor.holds.options(name="look for folders").remote(str(folder), fingerprint(folder)), NAME):
            return str(folder)
        log.info("sending %s to the trainer's node", folder)
        return await send(folder, actor, NAME, name)

    adapter = await there(Path(job.adapter_dir), "adapter") if job.adapter_dir else None
    job = replace(job, adapter_dir=adapter)
    starts = [await there(folder, f"from/{folder.name}") if folder else None for folder in (resume, best)]
    training = asyncio.ensure_future(answer(actor.train.options(name="sft").remote(job, *starts), NAME))
    training.add_done_callback(lambda done: done.cancelled() or done.exception())  # also where nobody comes to ask
    seen = 0
    while True:
        ended = training.done()
        rows, waiting = await answer(actor.progress.options(name="read log").remote(seen, LOG_INTERVAL_S), NAME)
        seen += len(rows)
        for row in rows:
            on_log(row)
        for folder in waiting:
            arrived = await _fetch(actor, folder, into.parent / Path(folder).name)
            if on_checkpoint is not None:
                on_checkpoint(arrived)
            await answer(actor.sent.options(name="drop what was fetched").remote(folder), NAME)
        if ended and not waiting:
            break
    report: SftReport = training.result()
    await _fetch(actor, report.model_dir, into)
    await answer(actor.close.options(name="close").remote(), NAME)
    ray.kill(actor)
    return report


async def _fetch(actor: Any, folder: str, into: Path) -> Path:
    fetch = actor.read_folder.options(num_returns="streaming", name=f"fetch {into.name}")
    with writing(into):
        return await pull(fetch.remote(folder), into)
