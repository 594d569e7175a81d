"""Checkers: programs that say whether an output is right, where several are.

    refusal(checker, open_box)                   # "" where it is ready: built once per process, and kept
    answer = check(checker, case, output, flags, open_box)

A checker is the user's code and a sample's output is hostile input to it, so each check has a box of its own, fresh,
with the input, the answer, the output and the built checker; the sample's box holds none but the input. The checker
was built in another box, before any output was there.

A checker that says that the judge is at fault says nothing of the sample: accepted is None, which becomes `unknown`. So
does one that crashes, hangs, or answers in no way that its protocol knows, unless it works on the expected output: then
it is this output that it cannot read, and no sample may choose to go unjudged. Not `infra_error`: it would end the same
on another worker, and samples that make a checker crash could stop a run.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from haloforge import sandbox
from haloforge.errors import MissingTool, SandboxFault
from haloforge.records import Case, Checker
from haloforge.sandbox import MIB, Limits, Outcome
from haloforge.sandbox.zygotes import interpreter
from haloforge.source.assemble import SOURCES
from haloforge.source.detect import known_language
from haloforge.verifiers.base import ending, printable
from haloforge.verifiers.broken_toolchain import OpenBox, check_toolchain
from haloforge.verifiers.languages import Language, Unit
from haloforge.verifiers.languages.rows import EVERY
from haloforge.verifiers.toolchain import tool_path

BUILD_LIMITS = Limits(cpu_s=60, wall_s=62, memory_bytes=1536 * MIB, output_bytes=32 * MIB, disk_bytes=128 * MIB)
CHECK_LIMITS = Limits(cpu_s=20, wall_s=22, memory_bytes=1024 * MIB, output_bytes=MIB, processes=32)
"""Of one check; the three files come on top of the disk."""
KEPT_BYTES = 256 * MIB
"""Built checkers of this process, the longest unused go first."""
MESSAGE = 200
"""Characters that a verdict keeps of what a checker says."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a checker said of one output."""

    accepted: bool | None
    """None: it could not tell."""
    message: str = ""
    """What it said, or why it could not tell; printable."""
    score: float | None = None
    """Where it gave points."""
    cpu_s: float = 0.0
    broke: bool = False
    """It ended as no working checker does: a crash, a limit, an answer outside of its protocol."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a checker is called and how it answers."""

    arguments: tuple[str, ...]
    read: Callable[[Outcome, float | None], Answer]
    """From how the checker ended, by itself and without crash, and from what a right answer earns."""
    output_is_stdin: bool = False
    """Else it is a file."""
    flags: bool = False
    """Whether the task's validator_flags are further arguments."""
    feedback: str = ""
    """File in the box that holds the message where the output is refused."""
    languages: tuple[str, ...] = ()
    """Empty: all. Else those whose own crashes do not end as an answer does."""


_INPUT, _ANSWER, _OUTPUT = "input.txt", "correct_output.txt", "solution_output.txt"
_PARTIALLY = re.compile(rb"^partially correct \((\d{1,9})\)", re.M)
_POINTS = re.compile(rb"^points (\S+)", re.M)


def _testlib(outcome: Outcome, full_score: float | None) -> Answer:
    """Exit code and stderr as in testlib.h (InStream::quit and resultExitCode)."""
    said, code = _words(outcome.stderr), outcome.exit_code
    if partial := _PARTIALLY.search(outcome.stderr):  # whose exit code may be any, that of a right answer too
        return Answer(False, said, float(partial[1]))
    if code == 7:
        points = _POINTS.findall(outcome.stderr)
        score = _number(points[0]) if len(points) == 1 else None  # with a second line one may be the sample's
        if full_score is not None and score is not None:
            return _scored(score, full_score, said)
        return Answer(None, f"gave points, and the row's checker has no full_score to hold them against: {said}")
    if code == 0:
        return Answer(True, said)
    if code in (1, 2, 4, 8):  # wrong answer, wrong format, something behind the answer, its end too early
        return Answer(False, said)
    return Answer(None, f"says that the judge is at fault: {said}") if code == 3 else _no_answer(outcome)


def _kattis(outcome: Outcome, full_score: float | None) -> Answer:
    """42 or 43; "any other exit code (including 0!) indicates that the validator did not operate properly"."""
    if outcome.exit_code in (42, 43):
        return Answer(outcome.exit_code == 42, _words(outcome.stderr))
    return _no_answer(outcome)


def _open_r1(outcome: Outcome, full_score: float | None) -> Answer:
    """Exit code 0 and a number from 0 to 1 on stdout, nothing else; 1 is right."""
    if outcome.exit_code != 0:
        return _no_answer(outcome)
    score = _number(outcome.stdout.strip())
    if score is None:
        return Answer(None, f"printed {printable(outcome.stdout, 60)!r}; wanted is a number from 0 to 1", broke=True)
    return _scored(score, 1.0, _words(outcome.stderr))


def _scored(score: float, full: float, said: str) -> Answer:
    if not 0 <= score <= full:
        return Answer(None, f"gave {score:g} points of {full:g}")
    return Answer(score == full, said, score)


def _no_answer(outcome: Outcome) -> Answer:
    return Answer(None, f"ended with exit code {outcome.exit_code}: {_words(outcome.stderr[-MESSAGE:])}", broke=True)


def _words(text: bytes) -> str:
    return " ".join(printable(text, MESSAGE).split())


def _number(text: bytes) -> float | None:
    return float(text) if re.fullmatch(rb"[+-]?(?:\d{1,40}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?", text) else None


PROTOCOLS = {
    # MikeMirzayanov/testlib: checker INPUT OUTPUT ANSWER. Uncaught failures end with 1 in mono, with 2 in Go.
    "testlib": Protocol(
        (_INPUT, _OUTPUT, _ANSWER), _testlib, languages=("c", "cpp", "python", "rust")
    ),
    # Kattis problem package format, "Output Validators": validator INPUT ANSWER FEEDBACK_DIR/ [FLAGS] < OUTPUT
    "kattis": Protocol(
        (_INPUT, _ANSWER, "feedback/"), _kattis, output_is_stdin=True, flags=True,
        feedback="feedback/judgemessage.txt",
    ),
    # open-r1/codeforces, generated_checker: checker.py INPUT ANSWER OUTPUT
    "open-r1": Protocol((_INPUT, _ANSWER, _OUTPUT), _open_r1),
}  # fmt: skip


# ---- building ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Built:
    name: str
    """The file in the box that is run."""
    content: bytes
    command: tuple[str, ...]
    """What runs it; arguments follow."""
    processes: int = CHECK_LIMITS.processes
    least_memory_mb: int = 0


_Key = tuple[Checker, tuple[str, ...]]
_reasons: dict[_Key, str] = {}
"""What `refusal` said of every checker so far."""
_kept: OrderedDict[_Key, _Built] = OrderedDict()
_building: dict[_Key, threading.Lock] = {}
_lock = threading.Lock()


def refusal(checker: Checker, open_box: OpenBox, mounts: Sequence[str] = ()) -> str:
    """Why `checker` cannot be used, in words that follow "a checker"; "" where it is ready.

    Args:
        open_box: opens the box in which it is built, where this process has not done so.
        mounts: folders that boxes see; a checker in C or C++ finds headers there (testlib.h).

    Raises:
        MissingTool: its compiler is absent.
        SandboxFault: our side failed.
    """
    known = _reasons.get((checker, tuple(mounts)))
    if known is None:
        built = _ready(checker, open_box, tuple(mounts))
        known = built if isinstance(built, str) else ""
    return known


def _ready(checker: Checker, open_box: OpenBox, mounts: tuple[str, ...]) -> _Built | str:
    """The built checker, or why there is none."""
    key = (checker, mounts)
    with _lock:
        building = _building.setdefault(key, threading.Lock())
    with building:  # two threads that meet a new checker build it once
        with _lock:
            if key in _kept:
                _kept.move_to_end(key)
                return _kept[key]
        if _reasons.get(key):
            return _reasons[key]
        built = _build(checker, open_box, mounts)
        with _lock:
            _reasons[key] = built if isinstance(built, str) else ""
            if isinstance(built, _Built):
                _kept[key] = built
                while len(_kept) > 1 and sum(len(one.content) for one in _kept.values()) > KEPT_BYTES:
                    _kept.popitem(last=False)
    return built


def _build(checker: Checker, open_box: OpenBox, mounts: tuple[str, ...]) -> _Built | str:
    """The checker as it goes into the boxes of its checks, or why it cannot be had."""
    if checker.protocol not in PROTOCOLS:
        return f"whose protocol is {checker.protocol!r}; known are {', '.join(PROTOCOLS)}"
    language = known_language(checker.language) or checker.language
    allowed = PROTOCOLS[checker.protocol].languages
    if allowed and language not in allowed:
        return f"in {language} of protocol {checker.protocol}; known are {', '.join(allowed)}"
    row = EVERY.get(language)
    if language != "python" and (row is None or row.run is None):
        return f"in {language}; known are python, {', '.join(name for name, r in EVERY.items() if r.run)}"

    def attempt() -> _Built | str:
        return _build_by_row(row, checker, open_box, mounts) if row else _build_python(checker, open_box)

    built = attempt()
    if isinstance(built, str):  # is remembered, so a fault of the toolchain's, lasting or not, must not pass for it
        if row:
            check_toolchain(row, open_box, BUILD_LIMITS)
        built = attempt()
    return built


def _build_by_row(row: Language, checker: Checker, open_box: OpenBox, mounts: tuple[str, ...]) -> _Built | str:
    assert row.run
    source = SOURCES[row.name]
    headers = tuple(f"-I{folder}" for folder in mounts if os.path.isdir(folder)) if row.name in ("c", "cpp") else ()
    build = row.build(Unit(source, {source: checker.code}, cflags=headers))
    name = row.run[-1].removeprefix("./")
    with open_box({source: checker.code, **build.files}, BUILD_LIMITS, build.mounts) as box:
        for tool, *arguments in build.commands:
            done = box.run([tool_path(tool), *arguments])
            if not done.ok:
                return f"that does not compile: {_why_not(done, BUILD_LIMITS)}"
        program = box.run([tool_path("cat"), name])
        if not program.ok or not program.stdout:
            return f"in {row.name} whose build left no {name}: {_why_not(program, BUILD_LIMITS)}"
    return _Built(name, program.stdout, tuple(row.command()), row.processes, row.least_memory_mb)


# A checker that raises ends with a code that no protocol knows: Python's own, 1, is testlib's wrong answer.
_RUN_PYTHON = """
import os, sys, threading, traceback
def crash(kind, error, trace):
    traceback.print_exception(kind, error, trace)
    os._exit(99)
def crash_of_thread(found):
    if found.exc_type is not SystemExit:
        crash(found.exc_type, found.exc_value, found.exc_traceback)
sys.excepthook, threading.excepthook = crash, crash_of_thread
del sys.argv[0]
__file__ = sys.argv[0]
with open(__file__, "rb") as f:
    exec(compile(f.read(), __file__, "exec"))
"""
_COMPILE_PYTHON = "import sys; compile(open(sys.argv[1], 'rb').read(), sys.argv[1], 'exec')"


def _build_python(checker: Checker, open_box: OpenBox) -> _Built | str:
    name, code = SOURCES["python"], checker.code.encode("utf-8", "surrogatepass")
    with open_box({name: code}, BUILD_LIMITS) as box:
        python = next((p for p in _pythons() if box.run([p, "-I", "-S", "-c", ""]).ok), None)
        if python is None:
            raise MissingTool(
                f"a checker in python needs one that boxes can start; tried are {', '.join(_pythons())}; install "
                "python3 on that node"
            )
        done = box.run([python, "-I", "-B", "-c", _COMPILE_PYTHON, name])
        if not done.ok:
            return f"that does not compile: {_why_not(done, BUILD_LIMITS)}"
    return _Built(name, code, (python, "-I", "-B", "-c", _RUN_PYTHON, name))


def _pythons() -> list[str]:
    """Where a box may find a Python: the one that we run on, which it may not be allowed to start, then others."""
    return list(dict.fromkeys([interpreter()[0], "/usr/local/bin/python3", "/usr/bin/python3"]))


def _why_not(outcome: Outcome, limits: Limits) -> str:
    if outcome.ended_by == sandbox.WALL_LIMIT:
        raise SandboxFault("a checker's build did not end: the machine is too busy")
    if outcome.ended_by:
        return f"the compiler {ending(outcome, limits)[1]}"
    said = _words(outcome.stderr or outcome.stdout)
    if re.search(r"\.h(?:pp)?'?:? (?:No such file|file not found)", said):  # gcc, clang
        said += " (headers such as testlib.h are not shipped: put them into /usr/local/include, or their folder into "
        said += "verifier.mounts, on every node)"
    return said


# ---- what runs as a checker of ours ------------------------------------------------------------------------

REGEX = Checker(
    "python",
    """
import re, sys
with open(sys.argv[2], "rb") as f:
    pattern = f.read().decode("utf-8", "surrogateescape")
output = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
sys.exit(42 if re.match(pattern, output) else 43)
""",
    "kattis",
)
"""`compare: regex`: the expected output is a pattern, and the output of a sample may make it search for ever."""
REGEX_LIMITS = replace(CHECK_LIMITS, cpu_s=2, wall_s=4)


# ---- checking ----------------------------------------------------------------------------------------------


def check(
    checker: Checker,
    case: Case,
    output: bytes,
    flags: str | None,
    open_box: OpenBox,
    mounts: Sequence[str] = (),
) -> Answer:
    """What `checker`, which `refusal` has found ready, says of `output`.

    Where it breaks, it is asked of the expected output, or a pattern of an empty one: where it takes that, the output
    is what it cannot read, and is refused.

    Args:
        output: the whole stdout of a program that ended well; the checker gets every byte of it.
        flags: the task's validator_flags, for protocols that take them.
        open_box: opens the box in which it is checked.

    Raises:
        SandboxFault: our side failed.
    """
    built = _ready(checker, open_box, tuple(mounts))
    if isinstance(built, str):
        return Answer(None, built)
    answer = _asked(built, checker, case, output, flags, open_box)
    if not answer.broke:
        return answer
    pattern = checker is REGEX
    control = b"" if pattern else case.expected_stdout.encode("utf-8", "surrogateescape")
    known = _asked(built, checker, case, control, flags, open_box)
    answer = replace(answer, cpu_s=answer.cpu_s + known.cpu_s)
    if known.accepted or (pattern and known.accepted is not None):
        return replace(answer, accepted=False, message=f"cannot read this output: {answer.message}"[:MESSAGE])
    return answer


def _asked(built: _Built, checker: Checker, case: Case, output: bytes, flags: str | None, open_box: OpenBox) -> Answer:
    """What the checker says, in a box of its own."""
    protocol = PROTOCOLS[checker.protocol]
    files = {
        built.name: built.content,
        _INPUT: case.stdin.encode("utf-8", "surrogateescape"),
        _ANSWER: case.expected_stdout.encode("utf-8", "surrogateescape"),
    }
    if not protocol.output_is_stdin:
        files[_OUTPUT] = output
    if protocol.feedback:
        files[protocol.feedback] = b""  # so that its folder is there
    limits = REGEX_LIMITS if checker is REGEX else CHECK_LIMITS
    limits = replace(
        limits,
        memory_bytes=max(limits.memory_bytes, built.least_memory_mb * MIB),
        processes=built.processes,
        disk_bytes=limits.disk_bytes + sum(map(len, files.values())),
    )
    arguments = (*protocol.arguments, *((flags or "").split() if protocol.flags else ()))
    with open_box(files, limits) as box:
        if built.command[0].startswith("./"):
            box.run([tool_path("chmod"), "+x", built.name])  # where a box refuses it, it does so by itself
        argv, stdin = [*built.command, *arguments], output if protocol.output_is_stdin else b""
        outcome = box.run(argv, stdin)
        if outcome.ended_by == sandbox.WALL_LIMIT:  # an idle program, or a busy machine: a second look
            outcome = box.run(argv, stdin)
        if outcome.ended_by or outcome.signal:  # by the clock: also what a busy machine does
            broke = outcome.ended_by != sandbox.WALL_LIMIT
            return Answer(None, ending(outcome, limits)[1], cpu_s=outcome.cpu_s, broke=broke)
        answer = protocol.read(outcome, checker.full_score)
        if protocol.feedback and answer.accepted is False:
            told = box.run([tool_path("cat"), protocol.feedback])
            answer = replace(answer, message=_words(told.stdout) or answer.message)
    return replace(answer, cpu_s=outcome.cpu_s)
