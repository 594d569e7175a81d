"""Go by the compiler and linker that `go build` calls, without the work around them.

Of the standard library both read finished archives. Up to Go 1.19 these come with the toolchain; later ones are built
once per node, from the toolchain's own sources, under HALOFORGE_HOME/cache/go, which boxes see read-only. Not done:
cgo, and the part of `go vet` that `go test` runs before the tests.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from haloforge.errors import MissingTool
from haloforge.paths import home
from haloforge.verifiers.languages import PROGRAM
from haloforge.verifiers.toolchain import tool_path

CONFIG, LINK_CONFIG = "importcfg", "linkcfg"
"""Files of a build that say where the archive of each package lies: for the sample; for our driver and the linker."""
_HIDDEN = re.compile(r"(?:^|/)(?:internal|vendor)(?:/|$)")


@dataclass(frozen=True, slots=True)
class Toolchain:
    """One Go on this node."""

    compiler: str
    linker: str
    release: tuple[int, int]
    """(1, 19) of Go 1.19.8."""
    archives: Mapping[str, str]
    """Import path → archive, of the standard library with its internal packages."""
    mounts: tuple[str, ...] = field(default=())
    """What boxes must see besides the host's toolchain folders."""

    def configs(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The two configuration files; `more` are the packages of the build itself, by import path."""
        own = _lines(more or {})
        return {CONFIG: _lines(self.public) + own, LINK_CONFIG: _lines(self.archives) + own}

    @property
    def public(self) -> dict[str, str]:
        """Without the packages that only the standard library may import."""
        return {name: path for name, path in self.archives.items() if not _HIDDEN.search(name)}

    def compile(
        self, package: str, out: str, files: Sequence[str], config: str = CONFIG, flags: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """argv that compiles `files` as `package` (an import path, or main) to the archive `out`."""
        # -complete: without it a function may lack its body, for the linker to find elsewhere.
        return (self.compiler, "-p", package, "-complete", "-pack", "-importcfg", config, "-o", out, *flags, *files)

    def link(self, archive: str) -> tuple[str, ...]:
        return (self.linker, "-importcfg", LINK_CONFIG, "-s", "-w", "-o", PROGRAM, archive)


def _lines(archives: Mapping[str, str]) -> str:
    return "".join(f"packagefile {name}={path}\n" for name, path in sorted(archives.items()))


@cache
def toolchain() -> Toolchain:
    """The Go of this node.

    Raises:
        MissingTool: there is none, or its standard library cannot be built; the message says why.
    """
    go = tool_path("go")
    said = json.loads(_asked(go, "env", "-json", "GOROOT", "GOTOOLDIR", "GOVERSION", "GOOS", "GOARCH"))
    version = re.match(r"go(\d+)\.(\d+)", said["GOVERSION"])
    release = (int(version[1]), int(version[2])) if version else (1, 99)  # a development version
    compiler, linker = (os.path.join(said["GOTOOLDIR"], name) for name in ("compile", "link"))
    folder = Path(said["GOROOT"], "pkg", f"{said['GOOS']}_{said['GOARCH']}")
    mounts: tuple[str, ...] = ()
    if not (folder / "fmt.a").exists():
        folder = built_archives(go, home() / "cache" / "go" / f"{said['GOVERSION']}-{said['GOOS']}-{said['GOARCH']}")
        mounts = (str(folder),)
    found = {str(path.relative_to(folder).with_suffix("")): str(path) for path in folder.rglob("*.a")}
    archives = {name: path for name, path in found.items() if not name.startswith("cmd/")}
    return Toolchain(compiler, linker, release, archives, mounts)


def built_archives(go: str, folder: Path, packages: tuple[str, ...] = ("std",)) -> Path:
    """`folder`, with the archives of the standard library; built where it is not there (a CPU minute).

    Args:
        packages: of which the archives, and those of what they import, are wanted.

    Raises:
        MissingTool: `go` cannot build them.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
                wanted = "{{if .Export}}{{.ImportPath}} {{.Export}}{{end}}"
                listed = _asked(go, "list", "-export", "-deps", "-f", wanted, *packages, cache=f"{aside}/cache")
                for line in listed.splitlines():
                    name, _, path = line.partition(" ")
                    target = Path(aside, "archives", f"{name}.a")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, target)
                for made in [Path(aside, "archives"), *Path(aside, "archives").rglob("*")]:
                    made.chmod(0o755 if made.is_dir() else 0o644)  # boxes have another user
                os.rename(f"{aside}/archives", folder)
    return folder


def _asked(go: str, *words: str, cache: str = "") -> str:
    """What `go` prints: of the toolchain that is installed, whatever the settings and folders of the user."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath), "GOENV": "off", "GOFLAGS": "-trimpath" if cache else "",
        "GO111MODULE": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOPROXY": "off",
        "GOCACHE": cache or "off", "GOPATH": "/nonexistent",
    }  # fmt: skip
    said = subprocess.run([go, *words], capture_output=True, text=True, check=False, cwd="/", env=environment)
    if said.returncode:
        raise MissingTool(f"{go} {words[0]} failed on this node: {said.stderr.strip()[-400:]}")
    return said.stdout
