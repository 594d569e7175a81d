"""Which sandbox this machine can hold, found by attacking it: no assumption from version numbers.

Once per process a small hostile program runs in a box. "ns" is chosen only when every attack fails.
"rlimits" (own uid when root, resource limits, no namespaces) is weaker than the attacks ask and is
used only where the caller allowed it by name.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
import threading
from pathlib import Path

from haloforge.errors import MissingTool, SandboxFault
from haloforge.sandbox import filter as seccomp
from haloforge.sandbox.boxes import NS, RLIMITS, Box, interpreter
from haloforge.sandbox.limits import Limits

_LIMITS = Limits(cpu_s=5, wall_s=20, processes=8)

# Each line that this prints is an attack that came through.
_ATTACKS = r"""
import posix, sys
port, secret = int(sys.argv[1]), sys.argv[2]
def forks():
    r, w = posix.pipe()
    n = 0
    try:
        for _ in range(40):
            if posix.fork() == 0:
                posix.close(w); posix.read(r, 1); posix._exit(0)
            n += 1
    except OSError: pass
    posix.close(w)
    return n >= 8
def connects():
    import _socket
    s = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    s.settimeout(2); s.connect(("127.0.0.1", port)); return True
def vsock():
    import _socket
    _socket.socket(40, _socket.SOCK_STREAM); return True
def reads(): posix.close(posix.open(secret, posix.O_RDONLY)); return True
def shadow(): posix.close(posix.open("/etc/shadow", posix.O_RDONLY)); return True
def traces(): posix.close(posix.open("/proc/1/mem", posix.O_RDWR)); return True
def writes():
    through = False
    for path in (secret + ".new", "/usr/haloforge-canary", "/haloforge-canary", "/dev/haloforge-canary"):
        try: posix.close(posix.open(path, posix.O_WRONLY | posix.O_CREAT)); through = True
        except OSError: pass
    return through
def memfd(): posix.close(posix.memfd_create("canary")); return True
def kills(): posix.kill(1, 9); return False
def daemon():
    if posix.fork() == 0:
        posix.setsid()
        import time
        time.sleep(60); posix._exit(0)
    return False
attacks = dict(forks_past_the_limit=forks, connects_to_the_host=connects, opens_vsock=vsock,
    reads_a_host_file=reads, reads_shadow=shadow, writes_process_1=traces,
    writes_outside=writes, memfd=memfd, kills_its_box=kills, daemon=daemon)
for name, attack in attacks.items():
    try: through = attack()
    except (OSError, ImportError): through = False
    if through: print(name)
print("done")
"""
_LOOK_AROUND = r"""
import posix
others = [p for p in posix.listdir("/proc") if p.isdigit() and int(p) not in (1, posix.getpid())]
print("daemon_survives" if others else "done")
"""

_lock = threading.Lock()
_answers: dict[bool, str | MissingTool] = {}
_notes: dict[str, tuple[str, ...]] = {}


def level(allow_weak: bool = False) -> str:
    """The strongest level that holds here: "ns", or with `allow_weak` at least "rlimits". Asked once per process.

    Raises:
        MissingTool: no box holds on this machine; the message says which attack came through, or what to install.
    """
    with _lock:
        if allow_weak not in _answers:
            _answers[allow_weak] = _choose(allow_weak)
        answer = _answers[allow_weak]
    if isinstance(answer, MissingTool):
        raise answer
    return answer


def notes(chosen: str) -> tuple[str, ...]:
    """What the level `chosen` lacks on this machine; empty when nothing."""
    return _notes.get(chosen, ())


def _choose(allow_weak: bool) -> str | MissingTool:
    try:
        came_through = _attack()
        if not came_through:
            _notes[NS] = () if seccomp.program() is not None else ("no seccomp filter for this architecture",)
            return NS
        problem = MissingTool(
            f"the sandbox does not hold on this machine ({', '.join(came_through)}); "
            "use another machine, or accept a weaker one with --allow-weak"
        )
    except MissingTool as e:
        problem = e
    except SandboxFault as e:
        problem = MissingTool(
            f"{e}. As an ordinary user the sandbox needs user namespaces "
            "(sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0); "
            "as root, CAP_SYS_ADMIN. In a container allow them, or accept a weaker sandbox with --allow-weak"
        )
    if not allow_weak:
        return problem
    try:
        with Box({}, _LIMITS, RLIMITS) as box:
            box.run([interpreter()[0], "-I", "-S", "-B", "-c", "pass"])
    except SandboxFault as e:
        return MissingTool(f"not even a weak sandbox starts here: {e}")
    _notes[RLIMITS] = ("no namespaces: network and readable files of the host are open to samples", str(problem))
    return RLIMITS


def _attack() -> list[str]:
    """Names of the attacks that came through, all of them really run."""
    python, _ = interpreter()
    home = Path.home()
    folder = Path(tempfile.mkdtemp(prefix=".haloforge-canary-", dir=home if os.access(home, os.W_OK) else None))
    try:
        os.chmod(folder, 0o755)
        secret = folder / "secret"
        secret.write_text(secrets.token_hex(16))
        secret.chmod(0o644)
        with socket.create_server(("127.0.0.1", 0)) as listener, Box({}, _LIMITS, NS) as box:
            port = str(listener.getsockname()[1])
            first = box.run([python, "-I", "-S", "-B", "-c", _ATTACKS, port, str(secret)])
            second = box.run([python, "-I", "-S", "-B", "-c", _LOOK_AROUND])
        found = first.stdout.decode().split() + second.stdout.decode().split()
        if found.count("done") != 2 and "daemon_survives" not in found:
            raise SandboxFault(f"the sandbox's self-test ended early: {first.stderr[-300:]!r} {second.stderr[-300:]!r}")
        through = [name for name in found if name != "done"]
        if seccomp.program() is None:
            through = [name for name in through if name not in ("memfd", "opens_vsock")]
        return through
    finally:
        shutil.rmtree(folder, ignore_errors=True)
