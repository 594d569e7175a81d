"""What Ray would carry to the nodes of a cluster, by Ray's own rules: named, and refused where it is too much.

`python -m actors.travel FOLDER` does it before a job is submitted (cluster/submit.sh).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from haloforge.errors import BadInput
from haloforge.terminal import errors_shown

log = logging.getLogger("haloforge")

MIB = 2**20
NAMED = 5
"""Files that a refusal names."""


def files_that_travel(folder: Path, excludes: Sequence[str] = ()) -> dict[Path, int]:
    """Path → bytes of every file that Ray packs from `folder`: `.gitignore`, `.rayignore` and `excludes` left out."""
    # The very walk that makes the package; ray is pinned, and a rule of our own would drift from it.
    from ray._private.runtime_env.packaging import _dir_travel, _get_excludes

    found: dict[Path, int] = {}

    def note(path: Path) -> None:
        if path.is_file():
            found[path] = path.stat().st_size

    rules = [_get_excludes(folder, list(excludes))] if excludes else []
    _dir_travel(folder.absolute(), rules, note, include_gitignore=True)
    return found


def check_size(folders: Iterable[Path], excludes: Sequence[str] = ()) -> str:
    """What would travel, in words. Raises BadInput above Ray's limit, naming the largest files."""
    from ray._private.runtime_env.packaging import GCS_STORAGE_MAX_SIZE

    found: dict[Path, int] = {}
    for folder in folders:
        found |= files_that_travel(folder, excludes)
    total = sum(found.values())
    said = f"{len(found)} files, {total / MIB:.1f} MiB"
    if total > GCS_STORAGE_MAX_SIZE:
        largest = sorted(found.items(), key=lambda item: -item[1])[:NAMED]
        raise BadInput(
            f"{said} would travel with the job, and Ray carries at most {GCS_STORAGE_MAX_SIZE / MIB:.0f} MiB; the "
            "largest are\n  " + "\n  ".join(f"{size / MIB:.1f} MiB  {path}" for path, size in largest) + "\n"
            "  name them in .rayignore, and put models and data under HALOFORGE_HOME of the head node, where jobs "
            "look for their inputs"
        )
    log.info("code that travels to the nodes: %s", said)
    return said


if __name__ == "__main__":
    with errors_shown(quiet=True):
        print(f"what travels from {sys.argv[1]}: {check_size([Path(sys.argv[1])])}")
