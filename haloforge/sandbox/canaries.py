"""Which sandbox this machine can hold, found by attacking it: no assumption from version numbers.

Once per process a small hostile program runs in a box, of the strongest level first; a level is chosen only when
every attack fails. "rlimits" (own uid when root, resource limits, seccomp) is weaker than the attacks ask and is
used only where the caller allowed it by name.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from haloforge.errors import MissingTool, SandboxFault
from haloforge.sandbox import filter as seccomp
from haloforge.sandbox.boxes import Box
from haloforge.sandbox.calls import SCRIPT
from haloforge.sandbox.flavours import Flavour
from haloforge.sandbox.limits import VIOLATION, Limits
from haloforge.sandbox.protocol import LANDLOCK, NS, RLIMITS
from haloforge.sandbox.zygotes import end_idle, interpreter

_LIMITS = Limits(cpu_s=5, wall_s=20, processes=8)

# Each line that this prints is an attack that came through.
_ATTACKS = r"""
import posix, resource, sys
port, folder, decoy = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
secret = folder + "/secret"
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
def connects(family, address):
    import _socket
    s = _socket.socket(family, _socket.SOCK_STREAM)
    s.settimeout(2); s.connect(address); return True
def tcp(): return connects(2, ("127.0.0.1", port))
def path(): return connects(1, folder + "/socket")
def abstract(): return connects(1, b"\0haloforge-canary-%d" % port)
def vsock():
    import _socket
    _socket.socket(40, _socket.SOCK_STREAM); return True
def reads(): posix.close(posix.open(secret, posix.O_RDONLY)); return True
def shadow(): posix.close(posix.open("/etc/shadow", posix.O_RDONLY)); return True
def changes(): posix.chmod(secret, 0o640); return True
def traces(): posix.close(posix.open("/proc/%d/mem" % posix.getppid(), posix.O_RDWR)); return True
def writes():
    through = False
    for path in (secret + ".new", "/usr/haloforge-canary", "/haloforge-canary", "/dev/haloforge-canary"):
        try: posix.close(posix.open(path, posix.O_WRONLY | posix.O_CREAT)); through = True
        except OSError: pass
    return through
def memfd(): posix.close(posix.memfd_create("canary")); return True
def raises(): resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, 1 << 40)); return True
def slows(): posix.setpriority(0, decoy, 19); return True
def kills():
    try: posix.kill(decoy, 9); return True
    except OSError: posix.kill(posix.getppid(), 9)
def daemon():
    if posix.fork() == 0:
        posix.setsid()
        if posix.fork() == 0:
            import time
            with open("alive", "wb", 0) as f:
                for _ in range(3000): f.write(b"."); time.sleep(0.01)
        posix._exit(0)
attacks = dict(forks_past_the_limit=forks, connects_to_the_host=tcp, connects_to_a_socket_file=path,
    connects_to_an_abstract_socket=abstract, opens_vsock=vsock, reads_a_host_file=reads, reads_shadow=shadow,
    changes_a_host_file=changes, writes_its_parent=traces, writes_outside=writes, memfd=memfd, raises_its_limit=raises,
    slows_a_host_process=slows, kills_a_host_process=kills, daemon=daemon)
for name, attack in attacks.items():
    try: through = attack()
    except (OSError, ValueError, ImportError): through = False
    if through: print(name)
print("done")
"""
# The daemon writes as long as it lives.
_LOOK_AROUND = r"""
import posix, time
def size():
    try: return posix.stat("alive").st_size
    except OSError: return 0
before = size(); time.sleep(0.1)
print("daemon_survives" if size() != before else "done")
"""
_NEEDS_FILTER = ("memfd", "opens_vsock", "raises_its_limit")
_REMEDY = "`haloforge doctor` says what is missing; a weaker sandbox is accepted with --allow-weak"

_lock = threading.Lock()
_answers: dict[bool, str | MissingTool] = {}
_notes: dict[str, tuple[str, ...]] = {}


def level(allow_weak: bool = False) -> str:
    """The strongest level that holds here: "ns", "landlock", or with `allow_weak` at least "rlimits".

    Asked once per process.

    Raises:
        MissingTool: no box holds on this machine; the message says which attack came through, or what was refused.
    """
    with _lock:
        if allow_weak not in _answers:
            _answers[allow_weak] = _choose(allow_weak)
        answer = _answers[allow_weak]
    if isinstance(answer, MissingTool):
        raise answer
    return answer


def notes(chosen: str) -> tuple[str, ...]:
    """What the level `chosen` lacks on this machine, and why no better one was chosen; empty when nothing."""
    return _notes.get(chosen, ())


def _choose(allow_weak: bool) -> str | MissingTool:
    problems: list[str] = []
    for candidate in (NS, LANDLOCK):
        try:
            came_through = attack(candidate)
        except SandboxFault as e:
            problems.append(str(e))
            continue
        if not came_through:
            missing = () if seccomp.program() is not None else ("no seccomp filter for this architecture",)
            _notes[candidate] = (*missing, *problems)
            return candidate
        problems.append(f"level {candidate} does not hold ({', '.join(came_through)})")
    if not allow_weak:
        return MissingTool(f"no sandbox holds on this machine: {'; '.join(problems)}. {_REMEDY}")
    try:
        with Box({}, _LIMITS, RLIMITS) as box:
            box.run(["/bin/true"])
    except SandboxFault as e:
        return MissingTool(f"not even a weak sandbox starts here: {e}")
    _notes[RLIMITS] = ("no namespaces: readable files of the host are open to samples", *problems)
    return RLIMITS


def attack(level: str, flavour: Flavour | None = None) -> list[str]:
    """Names of the attacks that came through at `level`, all of them really run; with a flavour, as calls.

    Raises:
        SandboxFault: no box of that level starts here.
    """
    home = os.path.expanduser("~")  # stays "~" for a user without one
    folder = Path(tempfile.mkdtemp(prefix=".haloforge-canary-", dir=home if os.access(home, os.W_OK) else None))
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as decoy:
        try:
            folder.chmod(0o755)
            secret = folder / "secret"
            secret.write_text(secrets.token_hex(16))
            secret.chmod(0o644)
            with (
                socket.create_server(("127.0.0.1", 0)) as listener,
                socket.socket(socket.AF_UNIX) as by_path,
                socket.socket(socket.AF_UNIX) as abstract,
                Box({"first.py": _ATTACKS, "second.py": _LOOK_AROUND}, _LIMITS, level, flavour=flavour) as box,
            ):
                port = listener.getsockname()[1]
                for unix, address in ((by_path, str(folder / "socket")), (abstract, f"\0haloforge-canary-{port}")):
                    unix.bind(address)
                    unix.listen()
                (folder / "socket").chmod(0o777)
                words = [str(port), str(folder), str(decoy.pid)]
                if flavour:
                    first = box.call(f"{SCRIPT}:main", "\0".join(["first.py", *words]).encode())
                    second = box.call(f"{SCRIPT}:main", b"second.py")
                else:
                    python = _python(box)
                    first = box.run([*python, "first.py", *words])
                    second = box.run([*python, "second.py"])
            found = first.stdout.decode().split() + second.stdout.decode().split()
            if VIOLATION in (first.ended_by, second.ended_by):
                found.append("kills_its_box")
            if decoy.poll() is not None:
                found.append("kills_a_host_process")
            through = sorted({name for name in found if name != "done"})
            if found.count("done") != 2 and not through:
                said = (first.stderr + second.stderr)[-300:].decode(errors="replace")
                raise SandboxFault(f"the self-test of level {level} ended early: {said}")
            return [name for name in through if seccomp.program() is not None or name not in _NEEDS_FILTER]
        finally:
            assert decoy.stdin is not None
            decoy.stdin.close()
            end_idle()
            shutil.rmtree(folder, ignore_errors=True)


def _python(box: Box) -> list[str]:
    """The start of a command that runs a Python file in `box`; without namespaces ours may be closed to its user."""
    ours, _ = interpreter()
    for python in (ours, "/usr/local/bin/python3", "/usr/bin/python3"):
        command = [python, "-I", "-S", "-B"]
        if box.run([*command, "-c", "pass"]).ok:
            return command
    raise SandboxFault(
        f"the self-test of level {box.level} finds no Python that its user may run: {ours} is closed to it"
    )
