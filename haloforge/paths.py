"""Where inputs are looked for and where outputs go, in a plain run and in a submitted Ray job.

A job's working directory is a temporary copy: what is written there is lost, so its outputs go to HALOFORGE_HOME.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from haloforge.errors import BadInput

BUILTIN = "builtin:"
"""Prefix of a path that haloforge makes itself on first use, under HALOFORGE_HOME."""


def home() -> Path:
    """HALOFORGE_HOME, by default ~/.haloforge: built models, caches, and the outputs of jobs."""
    return Path(os.environ.get("HALOFORGE_HOME") or Path.home() / ".haloforge").expanduser().absolute()


def in_job() -> bool:
    """Whether this process is the entrypoint of a submitted Ray job."""
    return "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ


def temporary(path: Path) -> bool:
    """Whether the path lies in a job's copy of its working directory, which is gone some time after the job."""
    if not in_job():
        return False
    environment = json.loads(os.environ["RAY_JOB_CONFIG_JSON_ENV_VAR"]).get("runtime_env") or {}
    return bool(environment.get("working_dir")) and path.absolute().is_relative_to(Path.cwd())


def output(path: str) -> Path:
    """An output folder: absolute as it is; relative to the working directory, in a job to HALOFORGE_HOME."""
    given = Path(path).expanduser()
    return given if given.is_absolute() else (home() if in_job() else Path.cwd()) / given


def shown(path: Path) -> str:
    """As a user would type it: relative to the working directory where it lies inside."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def find_input(path: str, what: str) -> Path:
    """An existing input: absolute; else in the working directory; else under HALOFORGE_HOME.

    Raises BadInput that lists the places tried.
    """
    given = Path(path).expanduser()
    tried = [given] if given.is_absolute() else [Path.cwd() / given, home() / given]
    for candidate in tried:
        if candidate.exists():
            return candidate
    hub = f"; a name on a hub is fetched first: hf download {path} --local-dir models/{given.name}"
    on_hub = what == "model" and re.fullmatch(r"[\w.-]+/[\w.-]+", path)
    raise BadInput(f"{what} {path!r} not found; looked at {', '.join(map(str, tried))}{hub if on_hub else ''}")


def cached_model(digest: str) -> Path:
    """Where this node keeps a model that came from elsewhere, by its digest (haloforge.models.fingerprint)."""
    return home() / "cache" / "models" / digest


def find_config(path: str) -> Path:
    """A config file: an input, else one of those that come with haloforge (`demo.yaml`, `configs/demo.yaml`)."""
    try:
        return find_input(path, "config")
    except BadInput as missing:
        name = Path(path).name
        if Path(path).parent in (Path("."), Path("configs")) and (shipped() / name).is_file():
            return shipped() / name
        raise BadInput(
            f"{missing}; haloforge comes with {', '.join(sorted(p.name for p in shipped().glob('*.yaml')))}"
        ) from None


def shipped() -> Path:
    """The folder of configs that come with haloforge: inside the installed package, else in the checkout."""
    package = Path(__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"
