"""What a box holds of Python before it starts: modules that its calls find imported, packages that it shows.

Owner's side only; the zygote gets names and paths.
"""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from haloforge.errors import MissingTool


@dataclass(frozen=True, slots=True)
class Flavour:
    """A kind of zygote: its boxes can be called (`Box.call`). Boxes of equal flavours come from the same zygotes."""

    modules: tuple[str, ...] = ()
    """Imported once, before the box's root is built. Of haloforge's own packages no `__init__` is executed, and what
    their modules import later is absent; of the others, what the box shows can be imported later."""
    packages: tuple[str, ...] = ()
    """Folders and files of a site-packages folder (`packages` finds them), shown read-only and importable."""

    def __post_init__(self) -> None:
        for path in self.packages:
            if not os.path.isabs(path) or os.path.normpath(path) != path:
                raise ValueError(f"{path!r} is no absolute path of a package; sandbox.packages(names) finds them")


def packages(names: Iterable[str]) -> tuple[str, ...]:
    """What a box must show so that `names` can be imported in it, their requirements with them.

    Args:
        names: of distributions (as pip knows them) or of modules.

    Raises:
        MissingTool: one of them, or a requirement, is not installed for this Python, or not as files of its own.
    """
    found: set[str] = set()
    done: set[str] = set()
    todo = [(name, "") for name in names]
    while todo:
        name, wanted_by = todo.pop()
        if name in done or name in sys.stdlib_module_names:
            continue
        done.add(name)
        distribution = _distribution(name, wanted_by)
        paths = _paths(distribution)
        if not paths:
            raise MissingTool(
                f"the package {name!r} has no files of its own in site-packages (an editable install?): a box cannot "
                f"show it; install it as a wheel: {sys.executable} -m pip install {name}"
            )
        found.update(paths)
        todo += [(wanted, name) for wanted in _requirements(distribution)]
    return tuple(sorted(found))


def _distribution(name: str, wanted_by: str) -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        owners = importlib.metadata.packages_distributions().get(name)
    if owners:
        return importlib.metadata.distribution(owners[0])
    needed = f" (which {wanted_by!r} requires)" if wanted_by else ""
    raise MissingTool(
        f"the Python package {name!r}{needed} is not installed for {sys.executable}; "
        f"install it on every node: {sys.executable} -m pip install {name}"
    )


def _paths(distribution: importlib.metadata.Distribution) -> set[str]:
    """Its folders and files at the top of site-packages; scripts, .pth files and caches are left out."""
    tops = {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}
    modules = {
        top for top in tops if not top.endswith((".pth", ".dist-info", ".egg-info")) and "__editable__" not in top
    }
    if not modules:
        return set()
    return {os.path.realpath(str(distribution.locate_file(top))) for top in tops if not top.endswith(".pth")}


def _requirements(distribution: importlib.metadata.Distribution) -> list[str]:
    from packaging.requirements import Requirement

    wanted = map(Requirement, distribution.requires or ())
    return [each.name for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
