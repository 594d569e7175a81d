"""Runs the attacks of this folder, as whoever starts it; needs nothing but haloforge. As a script it prints JSON.

An attack is one source file; its first line names the statuses that it must get.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).parent
if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER.parent.parent))

from haloforge import sandbox  # noqa: E402
from haloforge.records import Case, Prompt, VerifyResult  # noqa: E402
from haloforge.verifiers import GCCVerifier  # noqa: E402

ATTACKS = sorted(path.name for path in FOLDER.glob("*.c*"))
ANSWERS = {
    "disk_filler.c": ["bounded"],
    "network.c": ["cut off"],
    "secrets.c": ["blind"],
    "daemon.c": ["0", "0", "0"],
    "kill_everything.c": ["alive", "alive"],
    "starve_parent.c": ["harmless", "harmless"],
    "trace_parent.c": ["end"],
    "namespaces.c": ["end"],
    "leave_data.c": ["0"],
    "every_descriptor.c": ["0", "0"],
    "forge_stdout.c": ["41", "41"],
    "symlink.c": ["1", "1"],
}
"""Expected output, one per case; the others are given one case that expects nothing."""


def expected(name: str) -> list[str]:
    """The statuses that the attack may get."""
    return (FOLDER / name).read_text().split("\n")[0].partition("expect:")[2].split()


def run(name: str) -> VerifyResult:
    """Judge one attack. The host listens, and holds a secret, so that a breach would be seen."""
    verifier = GCCVerifier(max_workers=1, cpu_s=0.5, compile_cpu_s=3, memory_mb=256)
    os.environ["HALOFORGE_SECRET"] = "in the environment"
    with tempfile.NamedTemporaryFile() as secret, socket.create_server(("127.0.0.1", 0)) as listener, _abstract():
        os.chmod(secret.name, 0o644)
        stdin = {
            "network.c": f"{listener.getsockname()[1]} haloforge-test-{os.getpid()}",
            "secrets.c": secret.name,
        }.get(name, "")
        cases = tuple(Case(stdin, answer) for answer in ANSWERS.get(name, [""]))
        language = "c" if name.endswith(".c") else "cpp"
        return verifier.verify((FOLDER / name).read_text(), Prompt(name, name, language, cases))


@contextmanager
def _abstract():
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0haloforge-test-{os.getpid()}")
        listener.listen()
        yield


def survivors() -> list[str]:
    """Processes of any box of this process that still live: of the box's own uid, or in a pid namespace below ours."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            owner = os.stat(f"/proc/{pid}").st_uid
            below = os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid")
            command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
            parent = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1]
        except OSError:
            continue
        ours = owner == (sandbox.box_uid() if os.geteuid() == 0 else os.geteuid()) and below
        if ours or (int(parent) == os.getpid() and "bwrap" in command):
            found.append(f"{pid} {command}")
    return found


if __name__ == "__main__":
    report = {}
    for attack in ATTACKS:
        result = run(attack)
        report[attack] = {
            "status": result.status, "expected": expected(attack), "details": result.details, "error": result.error,
            "level": result.level, "wall_s": round(result.wall_s, 2), "survivors": survivors(),
        }  # fmt: skip
    print(json.dumps({"uid": os.geteuid(), "attacks": report}))
