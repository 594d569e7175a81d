"""Runs the attacks of this folder, as whoever starts it; needs nothing but haloforge.

As a script, with a level of the sandbox as its argument, it prints JSON.
An attack is one source file; its first line names the statuses that it must get. Those in forgeries/ answer a task
whose tests share their process, wrongly, and pretend that the tests passed. Those in builds/ attack the compiler.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER.parent.parent))

from haloforge import records as r  # noqa: E402
from haloforge import sandbox  # noqa: E402
from haloforge.records import Case, Prompt, VerifyResult  # noqa: E402
from haloforge.sandbox import canaries  # noqa: E402
from haloforge.verifiers import GCCVerifier, MultiLanguageVerifier  # noqa: E402
from haloforge.verifiers.languages.rows import EVERY  # noqa: E402
from haloforge.verifiers.programs import ProgramVerifier  # noqa: E402
from haloforge.verifiers.toolchain import has_tool  # noqa: E402

FORGED, BUILDS = "forgeries/", "builds/"
_SUFFIXES = {".c": "c", ".cpp": "cpp", ".rs": "rust", ".go": "go", ".cs": "csharp"}
ATTACKS = sorted(
    str(path.relative_to(FOLDER))
    for path in [*FOLDER.glob("*.c*"), *(FOLDER / FORGED).iterdir(), *(FOLDER / BUILDS).iterdir()]
    if path.is_file() and all(map(has_tool, EVERY[_SUFFIXES[path.suffix]].tools))
)
"""Those in languages that this machine can build."""
_MAIN = "\n#include <assert.h>\nint main(void) { assert(add(2, 3) == 5); return 0; }\n"
ADD = {
    ".c": ("c", "append_main", _MAIN),
    ".cpp": ("cpp", "append_main", _MAIN),
    ".rs": ("rust", "append_cfg_test", (FOLDER / "tasks/add.rs").read_text()),
    ".go": ("go", "go_test", (FOLDER / "tasks/add.go").read_text()),
    ".cs": ("csharp", "append_main", (FOLDER / "tasks/add.cs").read_text()),
}
"""Suffix of a forgery → language, tests_kind and tests of a function that adds two numbers."""
GOOD = {
    "c": '#include <stdio.h>\nint main(void) { puts("blind"); }\n',
    "cpp": '#include <iostream>\nint main() { std::cout << "blind"; }\n',
    "rust": 'fn main() { println!("blind"); }\n',
    "go": 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("blind") }\n',
    "csharp": 'class Program { static void Main() { System.Console.WriteLine("blind"); } }\n',
}
"""Language → a program that prints what one in builds/ must print where it builds."""
LIMITS: dict[str, Any] = {"max_workers": 1, "cpu_s": 0.5, "memory_mb": 256}
BUILD_CPU_S = 2.0
MOST_CPU_S = 2 * 3 + 3 * 0.5
"""Of any attack: twice the compiler's limit, as some complaints are looked into, and the runs."""
SECRET = "told to nobody in a box"
"""Stands in the environment of whoever asks."""
ANSWERS = {
    "disk_filler.c": ["bounded"],
    "disk_unlinked.c": ["bounded"],
    "many_files.c": ["bounded"],
    "raise_limits.c": ["in force"],
    "other_processes.c": ["end"],
    "privileges.c": ["end"],
    "verifier_memory.c": ["untold"],
    "change_metadata.c": ["end"],
    "deep_folders.c": ["deep"],
    "kernel_files.c": ["end"],
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


_MANY = re.compile(r"«(\d+)\*(.*?)»", re.S)


def source(name: str) -> str:
    """The attack's text, where «3*x» stands for xxx."""
    return _MANY.sub(lambda found: int(found[1]) * found[2], (FOLDER / name).read_text())


def run(name: str, level: str) -> VerifyResult:
    """Judge one attack at `level`; metadata["next"] of one in builds/ is the status of a good program after it."""
    canaries._answers.update({False: level, True: level})
    os.environ["HALOFORGE_SECRET"] = SECRET
    if name.startswith((BUILDS, FORGED)):
        every = MultiLanguageVerifier(**LIMITS, compile_cpu_s=BUILD_CPU_S)
        result = (build if name.startswith(BUILDS) else forge)(name, every)
        if name.endswith(".cs"):
            every.cleanup()  # a compiler that is kept running would look like a survivor
        return result
    verifier = GCCVerifier(**LIMITS, compile_cpu_s=3)
    with _host() as host:
        stdin = host.get(name, "")
        cases = tuple(Case(stdin, answer) for answer in ANSWERS.get(name, [""]))
        language = "c" if name.endswith(".c") else "cpp"
        return verifier.verify(source(name), Prompt(name, name, language, cases))


def forge(name: str, verifier: ProgramVerifier) -> VerifyResult:
    """What `verifier` says of an attack of forgeries/."""
    language, kind, tests = ADD[Path(name).suffix]
    task = Prompt(name, name, language, tests=tests, tests_kind=kind, entry_point="add", time_limit_s=1.0)
    return verifier.verify(source(name), task, as_it_stands=True)


def build(name: str, verifier: ProgramVerifier, after: bool = True) -> VerifyResult:
    """What `verifier` says of an attack of builds/; with the status of a good program `after` it."""
    language = _SUFFIXES[Path(name).suffix]
    cases = (Case("", "blind"),) if verifier.rows[language].here().run else ()  # else it is only built
    task = Prompt(name, name, language, cases)
    result = verifier.verify(source(name), task, as_it_stands=True)
    if not after:
        return result
    return replace(result, metadata={**result.metadata, "next": verifier.verify(GOOD[language], task).status})


def amiss(name: str, result: VerifyResult, level: str) -> list[str]:
    """What came of an attack that should not have."""
    said = f"{result.details}\n{result.error}"
    good = (r.PASSED, r.COMPILED)  # the latter where such programs cannot be run here
    status, after = result.status, result.metadata.get("next", r.PASSED)
    statuses = {*expected(name), *(good if r.PASSED in expected(name) else ())}
    found = {
        f"{status}, wanted is {' or '.join(expected(name))}: {said}": status not in statuses,
        f"level {result.level}": result.level != level,
        f"it used {result.cpu_s:.1f} s of CPU time": result.cpu_s > MOST_CPU_S,
        f"what is not its own came out: {said}": any(secret in said for secret in ("root:", SECRET)),
        f"a name that is another one each time: {said}": "haloforge-box-" in said,
        f"a good program after it is {after}": after not in good,
    }
    return [words for words, true in found.items() if true] + survivors()


@contextmanager
def _host():
    """What an attack may aim at: input by attack. Raises AssertionError where a target did not survive unchanged."""
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as process,
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_UNIX) as by_path,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        os.chmod(folder, 0o755)
        secret, path = Path(folder, "secret"), Path(folder, "socket")
        secret.write_text("secret")
        secret.chmod(0o644)
        before = secret.stat()
        by_path.bind(str(path))
        path.chmod(0o777)
        abstract.bind(f"\0haloforge-test-{os.getpid()}")
        for unix in (by_path, abstract):
            unix.listen()
        yield {
            "network.c": f"{listener.getsockname()[1]} haloforge-test-{os.getpid()} {path}",
            "secrets.c": str(secret),
            "change_metadata.c": str(secret),
            "other_processes.c": str(process.pid),
            "verifier_memory.c": str(os.getpid()),
        }
        assert secret.stat()[:8] == before[:8]
        assert process.poll() is None
        process.kill()


def survivors() -> list[str]:
    """Processes of any box of this process that still live: of the box's own uid, or in a pid namespace below ours."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            owner = os.stat(f"/proc/{pid}").st_uid
            below = os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid")
            inside = os.readlink(f"/proc/{pid}/cwd").startswith(f"{tempfile.gettempdir()}/haloforge-box-")
            command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if owner == sandbox.box_uid() if os.geteuid() == 0 else owner == os.geteuid() and (below or inside):
            found.append(f"{pid} {command}")
    return found


def share(number: int, of: int) -> list[str]:
    """All attacks on the system; of those that a compiler or driver must stop, one share of `of`."""
    builds = [name for name in ATTACKS if name.startswith((BUILDS, FORGED))]
    return sorted({*ATTACKS} - {*builds} | {*builds[number::of]})


def main(level: str, number: str = "0", of: str = "1") -> None:
    report, start = {}, time.time()
    for attack in share(int(number), int(of)):
        report[attack] = amiss(attack, run(attack, level), level)
    sandbox.close()
    owners = (os.geteuid(), sandbox.box_uid())
    left = [entry.name for entry in os.scandir(tempfile.gettempdir())
            if entry.name.startswith("haloforge-box-") and entry.stat().st_uid in owners
            and entry.stat().st_ctime > start]  # fmt: skip
    print(json.dumps({"uid": os.geteuid(), "attacks": report, "left": left}))


if __name__ == "__main__":
    main(*sys.argv[1:])
