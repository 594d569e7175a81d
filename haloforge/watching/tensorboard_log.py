"""Scalars for TensorBoard, in event files that it reads while they grow. tensorboard is imported late; no torch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FLUSH_S = 5


class TensorBoardLog:
    """The scalars of one folder. What the folder already has of a tag and step is not written again, so a resumed
    run may tell everything that it knows.
    """

    def __init__(self, folder: Path) -> None:
        """Raises ImportError where tensorboard is not installed. No file is made before the first scalar."""
        import tensorboard.summary.writer.event_file_writer  # noqa: F401

        self.folder = folder
        self._written = set(_scalars(folder))
        self._writer: Any = None

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Write the scalars {tag: value} of a step, but for those that are there."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        fresh = {tag: value for tag, value in values.items() if (tag, step) not in self._written}
        if not fresh:
            return
        if self._writer is None:
            self._writer = EventFileWriter(str(self.folder), flush_secs=FLUSH_S)
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in fresh.items()])
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
        self._written |= {(tag, step) for tag in fresh}

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _scalars(folder: Path) -> Iterator[tuple[str, int]]:
    """Tag and step of every scalar in a folder's event files; a torn last record is left out."""
    files = sorted(folder.glob("events.out.tfevents.*"))
    if not files:
        return
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    for file in files:
        for event in LegacyEventFileLoader(str(file)).Load():
            yield from ((value.tag, event.step) for value in event.summary.value)
