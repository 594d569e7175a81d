"""How a finished folder travels between nodes: in chunks through Ray, written aside, then renamed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from actors.calls import answer
from haloforge import leash

CHUNK_BYTES = 64 * 2**20

Piece = tuple[str, bytes]
"""A file's path inside the folder, and its next bytes."""


def read_folder(folder: Path) -> Iterator[Piece]:
    """Every file of a folder in pieces of at most CHUNK_BYTES; an empty file is one empty piece."""
    yield from read_files(folder, sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()))


def read_files(folder: Path, names: Iterable[str]) -> Iterator[Piece]:
    """The named files of a folder, in such pieces."""
    for name in names:
        with (folder / name).open("rb") as stream:
            piece = stream.read(CHUNK_BYTES)
            yield name, piece
            while piece := stream.read(CHUNK_BYTES):
                yield name, piece


class Arriving:
    """A folder that is being received: pieces go to `<name>.part`, and `finish` puts it in place."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._aside = target.with_name(target.name + ".part")
        shutil.rmtree(self._aside, ignore_errors=True)
        self._aside.mkdir(parents=True)

    def add(self, piece: Piece) -> None:
        name, data = piece
        file = self._aside / name
        if not file.resolve().is_relative_to(self._aside.resolve()):
            raise ValueError(f"a folder's file must lie inside it, not at {name!r}")
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as stream:
            stream.write(data)

    def finish(self) -> Path:
        shutil.rmtree(self.target, ignore_errors=True)
        self._aside.rename(self.target)
        return self.target


async def pull(pieces: AsyncIterator[Any], target: Path) -> Path:
    """Receive a folder from an actor's streaming call (an iterator of object references)."""
    arriving = Arriving(target)
    async for reference in pieces:
        arriving.add(await reference)
    return arriving.finish()


class Receiver:
    """An actor with a scratch folder of its own, which goes with its process, however that ends.

    Folders that are sent to it come to lie there, and so does every temporary file of that process.
    """

    def __init__(self, prefix: str) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix=prefix))
        leash.hold(leash.token(), folders=(str(self._scratch),))
        tempfile.tempdir = str(self._scratch)
        self._arriving: Arriving | None = None

    def expect_folder(self, name: str) -> None:
        self._arriving = Arriving(self._scratch / name)

    def receive(self, piece: Piece) -> None:
        assert self._arriving is not None
        self._arriving.add(piece)

    def finish_folder(self) -> str:
        assert self._arriving is not None
        return str(self._arriving.finish())


async def send(folder: Path, actor: Any, actor_name: str, name: str) -> str:
    """Send a folder to an actor that is a Receiver, as `name`; returns the path that it has there."""
    carry = f"send {name}"
    await answer(actor.expect_folder.options(name=carry).remote(name), actor_name)
    return await push(
        folder,
        lambda piece: answer(actor.receive.options(name=carry).remote(piece), actor_name),
        lambda: answer(actor.finish_folder.options(name=carry).remote(), actor_name),
    )


async def push(folder: Path, send: Callable[[Piece], Any], finish: Callable[[], Any]) -> str:
    """Send a folder to an actor piece by piece; returns the path that it has there."""
    for piece in read_folder(folder):
        await send(piece)
    return str(await finish())
