"""Machines on one machine: each host has its own network, processes, host name and mounts, by Linux namespaces.

A host sees the system's programs and the installed packages, and nothing else of ours: /tmp, /dev/shm, the home folder
and this checkout are empty there. Its own checkout is a copy. Needs root. Everything in a host ends with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOME = Path("/root")
OWN = Path("/mnt")
"""In a host: what stands there instead of the machine's own /mnt."""
CHECKOUT = OWN / "haloforge"
PYTHON = HOME / "venv/bin/python"
BASE_PYTHON = f"{sys.base_prefix}/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
HALOFORGE_HOME = HOME / ".haloforge"

_INIT = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); print('up', flush=True); signal.pause()"

_MOUNTS = """
set -eu
mount -t tmpfs own {own}
mkdir {own}/site-packages {own}/python {own}/haloforge
mount --bind -o ro {packages} {own}/site-packages
mount --bind -o ro {prefix} {own}/python
tar -C {root} -c {files} | tar -C {own}/haloforge -x
printf '127.0.0.1 localhost\\n{hosts}' > {own}/hosts
mount --bind {own}/hosts /etc/hosts
for folder in /tmp /dev/shm {home} {masked}; do
    if [ -d "$folder" ]; then mount -t tmpfs own "$folder"; fi
done
chmod 1777 /tmp /dev/shm
mkdir -p {prefix}
mount --bind {own}/python {prefix}
hostname {name}
ip link set lo up
{base_python} -m venv --without-pip {home}/venv
echo {own}/site-packages > "$(echo {home}/venv/lib/python*/site-packages)/packages.pth"
"""


@dataclass(frozen=True)
class Host:
    name: str
    ip: str
    pid: int
    """Of its first process, as seen from outside."""

    def run(
        self,
        *command: str | Path,
        cwd: Path = CHECKOUT,
        env: Mapping[str, str] | None = None,
        timeout: float = 1200,
        code: int | None = 0,
    ) -> str:
        """What the command printed on the host. code: the exit code that it must have; None: any."""
        done = subprocess.run(
            self.argv(command, cwd, env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert code is None or done.returncode == code, f"{self.name}: {command} → {done.returncode}\n{done.stdout}"
        return done.stdout

    def argv(self, command: Sequence[str | Path], cwd: Path, env: Mapping[str, str]) -> list[str]:
        variables = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(HOME),
            "LANG": "C.UTF-8",
            "PYTHON": str(PYTHON),
            "HALOFORGE_HOME": str(HALOFORGE_HOME),
            "PIP_NO_INDEX": "1",  # the host has no way to an index; what is needed is installed
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads 0 as: without isolation
            "PIP_ROOT_USER_ACTION": "ignore",
            **env,
        }
        enter = ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "--", "env", "-i", "-C", str(cwd)]
        return [*enter, *(f"{k}={v}" for k, v in variables.items()), *map(str, command)]

    def path(self, path: Path) -> Path:
        """A path of the host, as this process can open it."""
        return Path(f"/proc/{self.pid}/root{path}")

    def processes(self) -> list[str]:
        """Command lines of what runs on the host, its first process left out."""
        listed = self.run("ps", "-e", "-o", "pid=,stat=,args=", cwd=Path("/")).splitlines()
        return [line for line in map(str.strip, listed) if not line.startswith("1 ") and " ps -e" not in line]


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """So many hosts, `box1` at 10.77.0.1 and so on, on one bridge that leads nowhere else."""
    with ExitStack() as stack:
        made = [stack.enter_context(_host(f"box{n}", f"10.77.0.{n}", count)) for n in range(1, count + 1)]
        # The bridge lives in the first host, so that it goes with it and nothing of this machine's network is touched.
        made[0].run("ip", "link", "add", "bridge0", "type", "bridge", cwd=Path("/"))
        for host in made:
            link = f"hf{os.getpid() % 100000}{host.name[3:]}"
            _do("ip", "link", "add", link, "type", "veth", "peer", "name", "net0", "netns", str(host.pid))
            _do("ip", "link", "set", link, "netns", str(made[0].pid))
            made[0].run("ip", "link", "set", link, "master", "bridge0", "up", cwd=Path("/"))
            host.run("ip", "addr", "add", f"{host.ip}/24", "dev", "net0", cwd=Path("/"))
            host.run("ip", "link", "set", "net0", "up", cwd=Path("/"))
        made[0].run("ip", "link", "set", "bridge0", "up", cwd=Path("/"))
        yield made


@contextmanager
def _host(name: str, ip: str, count: int) -> Iterator[Host]:
    spaces = ["--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
    process = subprocess.Popen(
        ["unshare", *spaces, "--propagation", "private", BASE_PYTHON, "-c", _INIT],
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n", f"{name} did not come up"
        (inner,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        host = Host(name, ip, int(inner))
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
        )
        files = [f for f in listed.stdout.split("\n") if f and (ROOT / f).is_file()]
        host.run("sh", "-c", _MOUNTS.format(
            own=OWN, home=HOME, name=name, root=ROOT, files=" ".join(files),
            packages=sysconfig.get_paths()["purelib"], base_python=BASE_PYTHON,
            masked=f"{ROOT} {Path.home()}", prefix=sys.base_prefix,
            hosts="".join(f"10.77.0.{n} box{n}\\n" for n in range(1, count + 1)),
        ), cwd=Path("/"))  # fmt: skip
        yield host
    finally:
        process.kill()  # takes the host's first process along, and that everything else in it
        process.wait()


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def why_not() -> str:
    """Why hosts cannot be made here; "" where they can."""
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    for tool in ("ip", "unshare", "nsenter", "ps"):
        if shutil.which(tool) is None:
            return f"{tool} is absent (iproute2, util-linux, procps)"
    tried = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True, text=True)
    return tried.stderr.strip()
