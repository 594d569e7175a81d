"""Calls: a box that holds a Python runs a function or a script in a fork, and it is as if Python had been started."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest

from haloforge import sandbox
from haloforge.errors import MissingTool, SandboxFault
from haloforge.sandbox import LANDLOCK, MIB, NS, RLIMITS, Flavour, Limits, canaries, zygotes
from tests.in_boxes import each_level, running, zygote_of

pytestmark = pytest.mark.sandbox

SCRIPT = "haloforge.sandbox.script:main"
EXEC = "builtins:exec"
PLAIN = Flavour(modules=("builtins", "json"))
ATTACKS = sorted(path.name for path in (Path(__file__).parent / "hostile" / "calls").iterdir() if path.suffix == ".py")


def python(level):
    return zygotes.interpreter(level != NS and os.geteuid() == 0)[0]


def called(program, level=NS, *, words=(), stdin=b"", limits=None, flavour=PLAIN, **files):
    with sandbox.box({"main.py": program, **files}, limits, level=level, flavour=flavour) as box:
        return box.call(SCRIPT, "\0".join(["main.py", *words]).encode(), stdin=stdin)


PROGRAMS = {
    "words": "import sys; print(sys.argv, __name__, __file__ == __import__('os').path.abspath('main.py'), input())",
    "exit code": "import sys; print('a'); sys.exit(3)",
    "exit with a message": "import sys; sys.exit('gone wrong')",
    "the site's exit": "print('before'); exit(4)",
    "uncaught": "def f():\n    raise ValueError('no')\n\nf()\n",
    "an error of syntax": "print('x'\n",
    "its own module": "import sys\nsys.path.insert(0, 'deep')\nfrom inner import x\nprint(x, sys.path[0])",
    "at the end": "import atexit, threading, time\natexit.register(print, 'last')\n"
    "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\nprint('main')",
    "a daemon thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
    "depth": "def f(n):\n    return n and 1 + f(n - 1)\nn = 900\n"
    "try:\n    while f(n):\n        n += 1\nexcept RecursionError:\n    print(n)",
    "annotations": "def f(x: int): pass\nprint(f.__annotations__['x'] is int)",
    "pickles of its classes": "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))).__module__)",
    "a data class": "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\nprint(A(1))",
    "children": "import os, subprocess, sys\npid = os.fork()\nif not pid:\n    os._exit(7)\n"
    "print(os.waitpid(pid, 0)[1] >> 8, subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True).stdout)",
    "a full pipe": "import sys; sys.stdout.write('x' * 300000)",
    "the source": "import inspect\ndef f(): return 1\nprint(inspect.getsource(f))",
    "stdin as bytes": "import sys; print(sys.stdin.buffer.read())",
    "stdout closed": "import sys; print('a'); sys.stdout.close()",
    "a broken pipe": "import os; r, w = os.pipe(); os.close(r); os.write(w, b'x')",
}


@each_level
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_script_does_what_a_started_python_does_with_it(name, level):
    files = {"main.py": PROGRAMS[name], "deep/inner.py": "x = 1"}
    with sandbox.box(files, level=level, flavour=PLAIN) as box:
        call = box.call(SCRIPT, b"main.py\0word", stdin=b"line\nmore\n")
    with sandbox.box(files, level=level) as box:
        run = box.run([python(level), "-E", "-B", "main.py", "word"], b"line\nmore\n")
    strip = (lambda text: text.replace(b"/haloforge-box-", b"").split(b"work/")[-1]) if level == LANDLOCK else bytes
    assert (call.exit_code, call.signal, call.ended_by) == (run.exit_code, run.signal, run.ended_by)
    assert call.stdout == run.stdout
    assert strip(call.stderr) == strip(run.stderr)


# Prints everything that a process is given, apart from its memory.
PROBE = """
import json, os, resource, signal, sys
import ctypes
libc = ctypes.CDLL(None)
death = ctypes.c_int()
libc.prctl(2, ctypes.byref(death))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
held = sorted(os.listdir("/proc/self/fd"), key=int)
print(json.dumps({
    "fds": [fd for fd in held if os.path.exists("/proc/self/fd/" + fd)],
    "flags": [os.get_inheritable(n) for n in range(3)],
    "env": {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS") and k != "LC_CTYPE"},
    "cwd": os.getcwd().endswith("/work"), "umask": os.umask(0), "session": os.getsid(0) == os.getpid(),
    "signals": {s.name: str(signal.getsignal(s)) for s in signal.valid_signals() if hasattr(s, "name")},
    "status": {k: status[k].strip() for k in ("SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapAmb",
               "NoNewPrivs", "Seccomp", "Seccomp_filters", "Uid", "Gid", "Groups", "Threads")},
    "limits": {n: resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith("RLIMIT")
               and not (n == "RLIMIT_NPROC" and "landlock" in sys.argv)},
    "prctl": [libc.prctl(3), libc.prctl(37, ctypes.byref(ctypes.c_int())) , death.value, libc.prctl(39)],
    "oom": open("/proc/self/oom_score_adj").read(), "nice": os.nice(0), "affinity": len(os.sched_getaffinity(0)),
    "timers": [signal.getitimer(n) for n in range(3)], "path": sys.path[0].endswith("/work"),
    "argv": sys.argv, "main": sorted(vars(sys.modules["__main__"])), "bytecode": sys.dont_write_bytecode,
    "shared": [line for line in open("/proc/self/maps") if line.split()[1][1] == "w" and line.split()[1][3] == "s"],
}))
"""


@each_level
def test_a_call_is_given_exactly_what_a_started_program_is_given(level):
    limits = Limits(cpu_s=3, memory_bytes=200 * MIB, processes=20)
    with sandbox.box({"main.py": PROBE}, limits, level=level, flavour=PLAIN) as box:
        call = box.call(SCRIPT, f"main.py\0{level}".encode())
        assert call.ok, call.stderr
        run = box.run([python(level), "-E", "-S", "-B", "main.py", level])
        assert run.ok, run.stderr
    given, expected = json.loads(call.stdout), json.loads(run.stdout)
    for each in (given, expected):  # but for two signals of the C library's own, which its posix_spawn ignores
        each["status"]["SigIgn"] = f"{int(each['status']['SigIgn'], 16) & 0x7FFFFFFF:x}"
    assert given == expected
    assert given["shared"] == []  # else one call could write what process 1 and the next call read
    assert given["prctl"][0] == 1


@each_level
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_on_what_a_fork_shares_gets_nothing(name, level):
    """An attack prints what came through; its second part runs in the same box, then in the next one."""
    attack = (Path(__file__).parent / "hostile" / "calls" / name).read_text()
    secrets = {name: os.urandom(12).hex() for name in ("file", "argument", "stdin", "word")}
    first = f"import os\nos.unlink('secret.txt')\nlen({secrets['argument']!r})\n".encode()
    with sandbox.box({"attack.py": attack, "secret.txt": secrets["file"]}, level=level, flavour=PLAIN) as box:
        assert box.call(EXEC, first, stdin=secrets["stdin"].encode()).ok
        assert box.run(["/bin/echo", "hello"]).ok
        # Only halves, so that the attack itself does not hold what it looks for.
        halves = "\n".join(f"{value[:12]} {value[12:]}" for key, value in secrets.items() if key != "word").encode()
        own = f"attack.py\0first\0{secrets['word']}".encode()
        said = [box.call(SCRIPT, own, stdin=halves), box.call(SCRIPT, b"attack.py\0second", stdin=halves)]
    with sandbox.box({"attack.py": attack}, level=level, flavour=PLAIN) as box:
        said.append(box.call(SCRIPT, b"attack.py\0second", stdin=halves))
    for outcome in said:
        assert (outcome.stdout, outcome.exit_code) == (b"end\n", 0), outcome
    assert not running("77.5")


@each_level
def test_the_canaries_attacks_fail_as_calls(level):
    assert canaries.attack(level, PLAIN) == []


@each_level
def test_each_limit_ends_a_call_under_its_name(level):
    def ended_by(program, **limits):
        return called(program, level, limits=Limits(**{"cpu_s": 5, "wall_s": 20, **limits})).ended_by

    assert ended_by("while True: pass", cpu_s=0.2) == "cpu_limit"
    assert ended_by("import time; time.sleep(99)", wall_s=0.3) == "wall_limit"
    assert ended_by("import sys\nwhile True: sys.stdout.write('x' * 99999)", output_bytes=MIB) == "output_limit"
    hold = "import os, time\nfor _ in range(4): os.fork()\nx = b'x' * (9 << 20)\ntime.sleep(5)"
    assert ended_by(hold, memory_bytes=64 * MIB) == "memory_limit"
    assert ended_by("import os; os.kill(os.getpid(), 31)") == "violation"
    assert ended_by("pass") is None
    assert b"MemoryError" in called("x = b'x' * (1 << 30)", level, limits=Limits(memory_bytes=64 * MIB)).stderr
    forks = "import os, time\nn = 0\ntry:\n    while True:\n        if not os.fork(): time.sleep(9)\n        n += 1\n"
    count = called(forks + "except BlockingIOError: print(n)", level, limits=Limits(processes=6, wall_s=9)).stdout
    assert 4 <= int(count) <= 6


ECHO = b"""
import socket
s = socket.socket(fileno=3)
while data := s.recv(1 << 16):
    s.sendall(data.upper())
"""
ASK = b"""
import socket, sys
s = socket.socket(fileno=3)
s.sendall(sys.stdin.buffer.read())
print(s.recv(100).decode())
s.shutdown(socket.SHUT_WR)
print(s.recv(100))
"""


@each_level
def test_two_boxes_talk_by_a_channel_and_see_its_end(level):
    near, far = socket.socketpair()
    with (
        sandbox.box({}, level=level, flavour=PLAIN, channel=far, slot=0) as one,
        sandbox.box({}, level=level, flavour=PLAIN, channel=near, slot=1) as other,
    ):
        assert (near.fileno(), far.fileno()) == (-1, -1)
        one.begin(EXEC, ECHO)
        asked = other.call(EXEC, ASK, stdin=b"hello")
        assert asked.stdout == b"HELLO\nb''\n", asked.stderr
        assert one.finish().ok
        again = one.call(EXEC, b"import os; os.fstat(3)")
        assert b"Bad file descriptor" in again.stderr


@each_level
@pytest.mark.parametrize("last", ["import os; os._exit(0)", "import os; os.kill(os.getpid(), 9)", "pass"])
def test_the_other_end_of_a_channel_reads_an_end_of_file_when_the_call_is_over(last, level):
    stay = "import os, time\nif not os.fork():\n    os.setsid()\n    time.sleep(77.25)\n"
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    with ours, sandbox.box({}, level=level, flavour=PLAIN, channel=theirs) as box:
        box.begin(EXEC, (stay + last).encode())
        assert ours.recv(1) == b""
        box.finish()


def test_a_channel_that_was_never_used_is_closed_with_its_box():
    for start in (False, True):
        ours, theirs = socket.socketpair()
        box = sandbox.box({}, flavour=PLAIN, channel=theirs)
        with ours:
            if start:
                with box:
                    pass
            else:
                box.close()
            ours.settimeout(5)
            assert ours.recv(1) == b""


@each_level
def test_what_was_begun_goes_on_meanwhile_and_may_be_given_up(level):
    slow = b"import time; time.sleep(0.6); print('slow')"
    with (
        sandbox.box({}, level=level, flavour=PLAIN, slot=0) as one,
        sandbox.box({}, level=level, flavour=PLAIN, slot=1) as other,
    ):
        start = time.monotonic()
        one.begin(EXEC, slow)
        other.begin(EXEC, slow)
        assert [box.finish().stdout for box in (one, other)] == [b"slow\n"] * 2
        assert time.monotonic() - start < 1.1
        one.begin(EXEC, b"import time; time.sleep(77)", Limits(wall_s=0.3))
        assert one.finish().ended_by == "wall_limit"
        one.begin(EXEC, b"import subprocess; subprocess.run(['/bin/sleep', '77.75'])")
        time.sleep(0.3)
    assert not running("77.75")


@each_level
def test_a_box_that_dies_in_a_call_is_a_violation_and_a_killed_zygote_our_fault(level):
    with sandbox.box({}, level=level, flavour=PLAIN) as box:
        box.begin(EXEC, b"import time; time.sleep(77)")
        os.kill(box._pid, 9)
        assert box.finish().ended_by == "violation"
        assert box.call(EXEC, b"pass").ended_by == "violation"
    with sandbox.box({}, level=level, flavour=PLAIN) as box:
        box.begin(EXEC, b"import time; time.sleep(77)")
        zygote_of(box).process.kill()
        with pytest.raises(SandboxFault, match="zygote"):
            box.finish()


def test_the_weak_level_calls_too_with_its_limits():
    with sandbox.box({"main.py": PROBE}, level=RLIMITS, flavour=PLAIN) as box:
        given = json.loads(box.call(SCRIPT, b"main.py").stdout)
        assert (given["fds"], given["shared"], given["status"]["Seccomp"]) == (["0", "1", "2"], [], "2")
        assert box.call(EXEC, b"while True: pass", Limits(cpu_s=0.2)).ended_by == "cpu_limit"
        assert box.call(EXEC, b"import subprocess; subprocess.Popen(['/bin/sleep', '77.25'])").ok
        assert not running("77.25")


def test_calls_and_runs_share_a_box():
    with sandbox.box({"f": "1"}, flavour=PLAIN) as box:
        assert box.call(EXEC, b"open('f', 'w').write('2')").ok
        assert box.run(["/bin/cat", "f"]).stdout == b"2"
        assert box.call(EXEC, b"print(open('f').read())").stdout == b"2\n"
        large = b"print(len(%r))" % (b"x" * 3 * MIB)
        assert box.call(EXEC, large).stdout == b"%d\n" % (3 * MIB)


def test_what_cannot_be_called_is_said_before_anything_runs():
    with sandbox.box({}) as box, pytest.raises(ValueError, match="flavour="):
        box.call(SCRIPT, b"main.py")
    with sandbox.box({}, flavour=PLAIN) as box:
        for entry in ("os:getpid", "json", "json:"):
            with pytest.raises(ValueError, match=r"holds \(haloforge.sandbox.script, builtins, json\)"):
                box.call(entry)
        outcome = box.call("json:absent")
        assert (outcome.exit_code, outcome.stderr) == (
            127, b"box: cannot run json:absent: module 'json' has no attribute 'absent'\n",
        )  # fmt: skip
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ValueError, match="flavour="):
        sandbox.box({}, channel=theirs)
    with pytest.raises(ValueError, match="absolute"):
        Flavour(packages=("numpy",))


def test_a_module_that_cannot_be_held_is_a_missing_tool(tmp_path):
    with pytest.raises(MissingTool, match="import absent_module: ModuleNotFoundError"):
        sandbox.box({}, flavour=Flavour(("absent_module",))).__enter__()
    threads = tmp_path / "starts_threads.py"
    threads.write_text("import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n")
    with pytest.raises(MissingTool, match="import starts_threads: it starts threads"):
        sandbox.box({}, flavour=Flavour(("starts_threads",), (str(threads),))).__enter__()


def test_zygotes_are_shared_by_boxes_of_one_flavour_only():
    sandbox.close()
    used = []
    for flavour in (PLAIN, Flavour(PLAIN.modules), None, Flavour(("bisect",))):
        with sandbox.box({}, flavour=flavour) as box:
            used.append(zygote_of(box))
    assert used[0] is used[1]
    assert len(set(map(id, used))) == 3
    sandbox.close()


def made(folder, name, *, requires=(), files=None):
    """An installed distribution, as pip would leave it."""
    files = {f"{name.replace('-', '_')}/__init__.py": "value = 1\n"} if files is None else files
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {r}" for r in requires)]
    files = {**files, f"{info}/METADATA": "\n".join(lines) + "\n"}
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD", "../../../bin/tool"])
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


@pytest.fixture
def installed(monkeypatch):
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        made(folder, "top-one", requires=["second>=1", "other; extra == 'more'", "never; python_version < '3'"])
        made(folder, "second", files={"second.py": "def f(_): print('second')\n", "_second.libs/x": ""})
        made(folder, "unlisted")
        made(folder, "broken", requires=["absent-one"])
        made(folder, "named-otherwise", files={"imported_so/__init__.py": ""})
        made(folder, "edited", files={"__editable__.edited.pth": "/src"})
        monkeypatch.syspath_prepend(name)
        yield folder


def test_packages_are_found_with_what_they_require(installed):
    def names(*wanted):
        return [os.path.relpath(path, installed) for path in sandbox.packages(wanted)]

    second = ["_second.libs", "second-1.0.dist-info", "second.py"]
    assert names("top-one") == ["_second.libs", "second-1.0.dist-info", "second.py", "top_one", "top_one-1.0.dist-info"]
    assert names("second", "json") == second
    assert names("imported_so") == ["imported_so", "named_otherwise-1.0.dist-info"]
    with pytest.raises(MissingTool, match=r"'absent-one' \(which 'broken' requires\) is not installed"):
        names("broken")
    with pytest.raises(MissingTool, match=r"install it on every node: .* -m pip install absent"):
        names("absent")
    with pytest.raises(MissingTool, match="editable"):
        names("edited")


@each_level
def test_a_box_imports_the_packages_that_it_shows_and_no_others(installed, level):
    program = """
import importlib.metadata as m
import top_one, second
print(top_one.value, m.version("top.One"), [d.name for d in m.distributions()])
for name in ("unlisted", "pytest"):
    try:
        __import__(name)
    except ImportError as e:
        print(e)
"""
    flavour = Flavour(("second",), sandbox.packages(["top_one"]))
    outcome = called(program, level, flavour=flavour)
    assert outcome.stdout.decode().splitlines() == [
        "1 1.0 ['second', 'top-one']", "No module named 'unlisted'", "No module named 'pytest'",
    ], outcome.stderr  # fmt: skip
    with sandbox.box({}, level=level, flavour=flavour) as box:
        assert box.call("second:f").stdout == b"second\n"
    sandbox.close()


@each_level
def test_numpy_is_held_and_every_call_draws_other_numbers(level):
    pytest.importorskip("numpy")
    program = (
        "import sys\nassert 'numpy' in sys.modules\nimport numpy, random\nprint(numpy.random.rand(), random.random())"
    )
    program += "\nassert numpy.linalg.inv(numpy.eye(3)).sum() == 3"
    try:
        flavour = Flavour(("numpy", "numpy.random"), sandbox.packages(["numpy"]))
        with sandbox.box({"main.py": program}, level=level, flavour=flavour) as box:
            said = [box.call(SCRIPT, b"main.py") for _ in range(2)]
    except MissingTool as e:
        if "closed to other users" in str(e):
            pytest.skip(str(e))
        raise
    finally:
        sandbox.close()
    assert all(outcome.ok for outcome in said), said
    first, second = (outcome.stdout.split() for outcome in said)
    assert all(a != b for a, b in zip(first, second, strict=True))


@each_level
def test_many_calls_leave_nothing_behind(level):
    for _ in range(3):
        called("pass", level)
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(30):
        ours, theirs = socket.socketpair()
        with ours, sandbox.box({"a": "b"}, level=level, flavour=PLAIN, channel=theirs) as box:
            zygote = zygote_of(box).process.pid
            box.begin(EXEC, b"import threading; open('x', 'w').write('y')")
            assert box.finish().ok
    assert sorted(os.listdir("/proc/self/fd")) == before
    held = [os.readlink(f"/proc/{zygote}/fd/{fd}") for fd in os.listdir(f"/proc/{zygote}/fd")]
    assert [name.split()[0] for name in held if "memfd" in name] == ["/memfd:zygote-stderr"]
    assert len([name for name in held if "socket" in name]) == 1
