"""How a person sees a run while it goes on: a live line in a terminal, log lines elsewhere, and `progress.json`.

rich is imported late. Not here: what is counted (stages), and the reading of a run folder (status).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haloforge.watching.stages import Progress, Stage

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

log = logging.getLogger("haloforge")

LOG_FILE = "raft.log"
PROGRESS_FILE = "progress.json"
LINE_EVERY_S = 10.0
"""Log lines of one stage come at most this often."""
FILE_EVERY_S = 2.0
"""progress.json is rewritten about this often, so one that is much older tells of a driver that hangs."""
TICK_S = 0.5
BAR = 12
WITH_BAR = 100
"""Columns from which on a live line has a bar."""


def title(stage: Mapping[str, Any]) -> str:
    """Which stage of which cycle, of a `Stage.record()`: "cycle 2/3 · train"."""
    if stage["cycle"] is None:
        return str(stage["name"])
    of = f"/{stage['cycles']}" if stage["cycles"] else ""
    return f"cycle {stage['cycle']}{of} · {stage['name']}"


def counts(stage: Mapping[str, Any]) -> str:
    """How far a stage is, of a `Stage.record()`: what a narrow line can do without comes last."""
    of = "" if stage["total"] is None else f"/{stage['total']}"
    samples = stage["unit"] in ("samples", "answers")
    parts = []
    if stage["total"] is not None or stage["done"]:
        parts.append(f"{'verified' if samples else stage['unit'].removesuffix('s')} {stage['done']}{of}")
    if stage["eta_s"] is not None and stage["done"] != stage["total"]:
        parts.append(f"ETA {clock_time(stage['eta_s'])}")
    if samples and stage["done"]:
        parts.append(f"solved {stage['solved']} ({stage['solved'] / stage['done']:.0%})")
    if stage["loss"] is not None:
        parts.append(f"loss {stage['loss']:.4f}")
    if samples and stage["total"] is not None and stage["cycle"] is not None:
        parts.append(f"drawn {stage['drawn']}")
    if stage["rate"] is not None:
        parts.append(f"{stage['rate']:.1f} {stage['unit']}/s")
    if stage["tokens_per_s"] is not None:
        parts.append(f"{stage['tokens_per_s']:.0f} tokens/s")
    return ", ".join([*parts, clock_time(stage["seconds"])])


def clock_time(seconds: float) -> str:
    """m:ss, or h:mm:ss from an hour on."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"


class LiveLine(Progress):
    """One line at the bottom of a terminal, rewritten in place and gone when its stage ends. Log lines pass above."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._stage: Stage | None = None

    def begin(self, stage: Stage) -> None:
        from rich.live import Live

        self._stop()
        self._stage = stage
        self._live = Live(self._line(), console=self._console, auto_refresh=False, transient=True)
        self._live.start(refresh=True)

    def tick(self) -> None:
        if self._live is not None:
            self._live.update(self._line(), refresh=True)

    def end(self, stage: Stage) -> None:
        self._stop()

    def close(self, how: str) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _line(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        assert self._stage is not None
        record = self._stage.record()
        grid = Table.grid(padding=(0, 1))
        cells: list[RenderableType] = [Text(title(record), style="bold")]
        grid.add_column(width=len(title(record)), no_wrap=True)
        if record["total"] and self._console.width >= WITH_BAR:
            cells.append(ProgressBar(total=record["total"], completed=record["done"], width=BAR))
            grid.add_column(width=BAR)
        cells.append(Text(counts(record), no_wrap=True, overflow="ellipsis"))
        grid.add_column()  # the one that gives way where the terminal is narrow
        grid.add_row(*cells)
        return grid


class LogLines(Progress):
    """A log line when a stage begins, one each LINE_EVERY_S while it goes on, and one when a counted one ends."""

    def __init__(self, level: int = logging.INFO, clock: Callable[[], float] = time.monotonic) -> None:
        """level: DEBUG where a live line shows the same, so that only the log file gets them."""
        self._level, self._clock = level, clock
        self._stage: Stage | None = None
        self._said = 0.0

    def begin(self, stage: Stage) -> None:
        self._stage, self._said = stage, self._clock()
        record = stage.record()
        unit = stage.unit.removesuffix("s") if stage.total == 1 else stage.unit
        some = f": {stage.total} {unit}" if stage.total is not None else ""
        log.log(self._level, "%s%s", title(record), some + (f", {stage.cached} already there" if stage.cached else ""))

    def tick(self) -> None:
        if self._stage is not None and self._clock() - self._said >= LINE_EVERY_S:
            self._say()

    def end(self, stage: Stage) -> None:
        if stage.total is not None:
            self._say()
        self._stage = None

    def close(self, how: str) -> None:
        self._stage = None

    def _say(self) -> None:
        assert self._stage is not None
        self._said = self._clock()
        record = self._stage.record()
        log.log(self._level, "%s: %s", title(record), counts(record))


class ProgressFile(Progress):
    """Rewrites `<run>/progress.json`, whole or not at all, for `haloforge status` in another terminal.

    Holds {"schema": 1, "state": "running" | "finished" | "stopped", "how", "pid", "host", "started_at", "updated_at"
    (Unix seconds), "stage": the record of the stage that goes on or was the last, and what `facts` adds}.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._file, self._clock = folder / PROGRESS_FILE, clock
        self._stage: Stage | None = None
        self._written = 0.0
        now = clock()
        self.facts: dict[str, Any] = {"pid": os.getpid(), "host": socket.gethostname(), "started_at": now}
        """Change it (the dashboard's address, say); it is written with the next tick."""
        self._write("running")

    def begin(self, stage: Stage) -> None:
        self._stage = stage
        self._write("running")

    def tick(self) -> None:
        if self._clock() - self._written >= FILE_EVERY_S:
            self._write("running")

    def end(self, stage: Stage) -> None:
        self._write("running")

    def close(self, how: str) -> None:
        self._write("finished" if how == "finished" else "stopped", how)

    def _write(self, state: str, how: str | None = None) -> None:
        self._written = self._clock()
        stage = self._stage.record() if self._stage is not None else None
        told = {"schema": 1, "state": state, "how": how, **self.facts, "updated_at": self._written, "stage": stage}
        aside = self._file.with_name(f".{PROGRESS_FILE}.part")
        aside.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        aside.replace(self._file)


def seen_by_a_person(quiet: bool) -> list[Progress]:
    """What shows stages on standard error: a live line in a terminal, else lines; the log file always has the lines."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or sys.stderr is None:
        return [LogLines(logging.DEBUG)]
    if sys.stderr.isatty() and not console.is_dumb_terminal:
        return [LiveLine(console), LogLines(logging.DEBUG)]
    return [LogLines()]


@asynccontextmanager
async def ticking(progress: Progress) -> AsyncIterator[None]:
    """Let it tick while the block runs."""

    async def tick() -> None:
        said = False
        while True:
            try:
                progress.tick()
            except OSError as e:  # the run itself ends where it cannot write
                log.log(logging.DEBUG if said else logging.WARNING, "the run's progress cannot be written: %s", e)
                said = True
            await asyncio.sleep(TICK_S)

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@contextmanager
def told(progress: Progress) -> Iterator[Progress]:
    """Close it when the block ends, with "finished" or with what stopped it in one line."""
    try:
        yield progress
    except BaseException as e:
        from haloforge.terminal import first_of, one_line

        progress.close(one_line(first_of(e)))
        raise
    progress.close("finished")


@contextmanager
def log_file(file: Path) -> Iterator[None]:
    """Append everything that is logged, DEBUG included, and what ended the block, to a file."""
    from haloforge.terminal import Plain

    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(Plain("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        yield
    except BaseException as e:
        log.debug("ended by %s", type(e).__name__, exc_info=True)
        raise
    finally:
        log.removeHandler(handler)
        handler.close()
