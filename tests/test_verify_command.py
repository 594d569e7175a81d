"""`haloforge verify` and `haloforge verifiers list`: rows in, verdicts out, gone on with, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from haloforge.errors import BadInput, RunStopped
from haloforge.records import INFRA_ERROR, PASSED, Prompt, VerifyResult
from haloforge.tasks.answers import Answer
from haloforge.verdicts.cache import VerdictCache
from haloforge.verdicts.rows import FIELDS, VerdictRows, line_of, row_of
from haloforge.verification import JudgeHere, verify_answers
from haloforge.verifiers import VERIFIERS, Verifier, verdict
from haloforge.verifiers.languages.rows import ROWS
from haloforge.verifiers.self_test import PROGRAMS, Found, self_test
from haloforge.verify_cli import in_words, listed
from haloforge.watching.stages import Stage

DOUBLE = '#include <stdio.h>\nint main(void) {{ int n; scanf("%d", &n); printf("%d\\n", {} * n); return 0; }}\n'
GOOD, WRONG = DOUBLE.format(2), DOUBLE.format(3)
TESTS = [{"input": "4\n", "output": "8\n"}, {"input": "5\n", "output": "10\n"}]
ROWS_IN: list[dict[str, Any]] = [
    {"id": "good", "code": GOOD, "language": "c", "tests": TESTS},
    {"id": "wrong", "code": WRONG, "language": "c", "tests": TESTS},
    {"id": "raw", "completion": f"Here it is:\n```c\n{GOOD}```\n", "tests": TESTS},
    {"id": "broken", "code": "int main( {", "language": "c"},
    {"id": "twin", "code": GOOD, "language": "c", "tests": TESTS},
]
STATUSES = {"good": "passed", "wrong": "wrong_answer", "raw": "passed", "broken": "compile_error", "twin": "passed"}


@pytest.fixture
def place(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    write("in.jsonl", ROWS_IN)
    return tmp_path


def write(name: str, rows: list[dict[str, Any]]) -> None:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "haloforge.cli", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
    )


def verify(*arguments: str, code: int = 0, stdin: str = "") -> tuple[str, str]:
    """Standard output and standard error of `haloforge verify`, which must end with that exit code."""
    process = start("verify", *arguments)
    said = process.communicate(stdin, timeout=120)
    assert process.returncode == code, said
    return said


@pytest.mark.sandbox
def test_each_answer_gets_one_row_of_the_promised_fields_and_failures_are_exit_code_1(place):
    out, _ = verify("--input", "in.jsonl", "--output", "sub/out.jsonl", code=1)
    rows = read("sub/out.jsonl")
    assert {row["id"]: row["status"] for row in rows} == STATUSES
    assert len(rows) == len(STATUSES)
    assert all(tuple(row) == (*FIELDS, "metadata") for row in rows)
    by_id = {row["id"]: row for row in rows}
    assert by_id["good"].pop("metadata") == {"language": "c", "compiler": "gcc", "warnings": False}
    assert by_id["good"] | {"cpu_s": 0, "wall_s": 0, "cached": 0} == {
        "id": "good", "status": "passed", "reward": 1.0, "success": True, "details": "2 of 2 cases", "error": None,
        "passed": 2, "total": 2, "cpu_s": 0, "wall_s": 0, "level": "ns", "trust": "output", "cached": 0,
    }  # fmt: skip
    assert sorted(by_id[id]["cached"] for id in ("good", "twin")) == [False, True]  # judged once
    assert [line.split() for line in out.splitlines()[:3]] == [
        ["passed", "3"], ["wrong_answer", "1"], ["compile_error", "1"],
    ]  # fmt: skip
    assert "5 verdicts, 3 good, 1 from the cache, 5 in" in out


@pytest.mark.sandbox
def test_without_an_output_rows_are_on_standard_output_and_the_rest_on_standard_error(place):
    write("in.jsonl", ROWS_IN[:1])
    out, err = verify("in.jsonl")
    assert [json.loads(line)["status"] for line in out.splitlines()] == ["passed"]
    assert "1 verdict, 1 good" in err
    assert "verify: 1 answer\n" in err
    assert verify("in.jsonl", "--quiet") == (out.replace('"cached": false', '"cached": true'), "")


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "command", ["verify --input in.jsonl", "verify one.c", "verify --input in.jsonl --output out.jsonl"]
)
@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ("| true", "standard output was closed"),
        (">/dev/full", "cannot write to standard output: No space left on device"),
        (">&-", "standard output was closed"),
    ],
)
def test_an_output_that_takes_nothing_is_one_line_and_an_exit_code(place, command, out, reason):
    write("in.jsonl", ROWS_IN[:1])
    Path("one.c").write_text(GOOD)
    line = f"set -o pipefail; {sys.executable} -m haloforge {command} {out}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120)
    assert done.returncode == 3, done.stderr
    errors = [line for line in done.stderr.splitlines() if " verify: " not in line]
    assert errors == [f"haloforge: error: {reason}"]


@pytest.mark.sandbox
@pytest.mark.parametrize("closed", ["2>/dev/full", "2>&-"])
def test_without_a_standard_error_the_rows_are_the_same(place, closed):
    write("in.jsonl", ROWS_IN[:1])
    line = f"{sys.executable} -m haloforge verify in.jsonl {closed}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["passed"]


def test_ctrl_c_while_the_commands_are_loaded_is_one_line():
    """The import that takes longest is held up until the signal is there."""
    script = (
        "import sys, time\n"
        "class Slow:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer':\n"
        "            print('loading', flush=True)\n"
        "            time.sleep(20)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from haloforge.__main__ import main\n"
        "main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGINT)
    assert (process.communicate(timeout=20)[1], process.returncode) == ("haloforge: interrupted\n", 130)


@pytest.mark.sandbox
def test_rows_that_name_tasks_which_nobody_gave_are_not_green(place):
    rows = [{"task_id": "double", "completion": f"```c\n{GOOD}```"}, {"prompt_id": "x", "completion": GOOD}]
    write("in.jsonl", rows)
    out, err = verify("--input", "in.jsonl", code=2)
    assert out == ""
    assert "in.jsonl, line 1 names a task (task_id 'double'), and no row has tests: name the file with" in err
    write("in.jsonl", [{**row, "tests_kind": "compile_only"} for row in rows])
    _, err = verify("--input", "in.jsonl")
    assert "compiled             2   no test was run on these\n2 verdicts, 2 good" in err
    write("in.jsonl", rows)
    verify("--input", "in.jsonl", "--args", "check_only=true")


@pytest.mark.sandbox
def test_keys_that_mean_nothing_but_look_as_if_they_did_are_named_once(place):
    write("in.jsonl", [{**row, "time_limit": 3, "source": "web"} for row in ROWS_IN[:2]])
    _, err = verify("--input", "in.jsonl", "--quiet", code=1)
    assert [line.split(" ", 1)[1] for line in err.splitlines()] == [
        f"{place}/in.jsonl, line 1: key 'time_limit' is ignored; did you mean 'time_limit_s'?"
    ]


@pytest.mark.sandbox
def test_the_same_command_again_verifies_only_what_is_missing(place):
    verify("--input", "in.jsonl", "--output", "out.jsonl", "--no-cache", code=1)
    whole = Path("out.jsonl").read_bytes()
    first, second, third = whole.splitlines(keepends=True)[:3]
    Path("out.jsonl").write_bytes(first + second + third[:40])
    out, _ = verify("--input", "in.jsonl", "--output", "out.jsonl", "--no-cache", code=1)
    assert "2 were there already" in out
    assert Path("out.jsonl").read_bytes().startswith(first + second)
    assert {row["id"]: row["status"] for row in read("out.jsonl")} == STATUSES
    assert len(read("out.jsonl")) == len(STATUSES)
    before = Path("out.jsonl").read_bytes()
    out, _ = verify("--input", "in.jsonl", "--output", "out.jsonl", "--no-cache", "--max-workers", "1", code=1)
    assert "5 were there already, 0 in" in out
    assert Path("out.jsonl").read_bytes() == before


@pytest.mark.sandbox
@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_was_ended_goes_on_where_it_stood_and_leaves_nothing_running(place, how, code):
    slow = GOOD.replace("int n;", "int n; for (volatile long i = 0; i < 100000000; i++);")
    write("in.jsonl", [{"id": n, "code": f"// {n}\n{slow}", "language": "c", "tests": TESTS} for n in range(12)])
    process = start("verify", "--input", "in.jsonl", "--output", "out.jsonl")
    for _ in range(600):
        time.sleep(0.05)
        if Path("out.jsonl").exists() and Path("out.jsonl").read_bytes().count(b"\n") >= 2:
            break
    children = below(process.pid)
    assert children
    process.send_signal(how)
    said = process.communicate(timeout=20)
    assert process.returncode == code, said
    assert gone(children)
    before = Path("out.jsonl").read_bytes()
    assert 2 <= before.count(b"\n") < 12
    verify("--input", "in.jsonl", "--output", "out.jsonl")
    assert Path("out.jsonl").read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    assert sorted(int(row["id"]) for row in read("out.jsonl")) == list(range(12))


def below(pid: int) -> set[int]:
    """The processes that this one started, and theirs."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found |= {child} | below(child)
    return found


def gone(pids: set[int], within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while alive := [pid for pid in pids if Path(f"/proc/{pid}").exists() and state(pid) != "Z"]:
        if time.monotonic() > deadline:
            return not alive
        time.sleep(0.05)
    return True


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.mark.sandbox
def test_what_decides_a_verdict_decides_whether_an_output_is_gone_on_with(place):
    verify("--input", "in.jsonl", "--output", "out.jsonl", code=1)
    before = Path("out.jsonl").read_bytes()
    _, err = verify("--input", "in.jsonl", "--output", "out.jsonl", "--verifier", "gcc", "--args", "cpu_s=3", code=2)
    for words in ("out.jsonl was made from something else", "verifier: 'auto' → 'gcc'", "args.cpu_s: None → 3"):
        assert words in err
    write("in.jsonl", [*ROWS_IN, {"id": "new", "code": GOOD}])
    _, err = verify("--input", "in.jsonl", "--output", "out.jsonl", code=2)
    assert "answers: " in err
    assert "choose another --output" in err
    assert Path("out.jsonl").read_bytes() == before


@pytest.mark.sandbox
def test_a_file_that_is_not_ours_is_not_touched(place):
    Path("mine.txt").write_text("notes\n")
    _, err = verify("--input", "in.jsonl", "--output", "mine.txt", code=2)
    assert "was not written by this command" in err
    assert Path("mine.txt").read_text() == "notes\n"
    assert not Path("mine.txt.from.json").exists()


def rows_of(name: str, made_from: dict[str, Any] | None = None) -> VerdictRows:
    return VerdictRows(Path(name), made_from or {"answers": "a"})


def test_two_commands_cannot_write_one_output(place):
    with rows_of("out.jsonl") as first:
        first.append(row_of("a", VerifyResult(True, 1.0)))
        with pytest.raises(BadInput, match=rf"being written by pid {os.getpid()} on .*--output"), rows_of("out.jsonl"):
            pass
    with rows_of("out.jsonl") as again:
        assert list(again.done) == ["a"]


def test_verdicts_lost_to_a_fault_of_ours_are_asked_again_and_stand_there_once(place):
    with rows_of("out.jsonl") as rows:
        for id, status in (("a", PASSED), ("b", INFRA_ERROR), ("c", PASSED)):
            rows.append(row_of(id, VerifyResult(True, 1.0, status=status)))
    with rows_of("out.jsonl") as rows:
        assert list(rows.done) == ["a", "c"]
        rows.append(row_of("b", VerifyResult(True, 1.0)))
    assert [row["id"] for row in read("out.jsonl")] == ["a", "c", "b"]


@pytest.mark.parametrize("text", ["{}\n", "hm\n", '{"id": 1}\n', "[1]\n"])
def test_a_row_in_the_middle_that_is_none_of_ours_is_named(place, text):
    with rows_of("out.jsonl") as rows:
        rows.append(row_of("a", VerifyResult(True, 1.0)))
    with open("out.jsonl", "a") as file:
        file.write(text + line_of(row_of("b", VerifyResult(True, 1.0))))
    before = Path("out.jsonl").read_text()
    with pytest.raises(BadInput, match=r"line 2 is no row of this command"), rows_of("out.jsonl"):
        pass
    assert Path("out.jsonl").read_text() == before


@pytest.mark.sandbox
def test_completions_are_joined_with_the_tasks_that_they_name(place):
    write("tasks.jsonl", [{"id": "double", "prompt": "double n", "language": "c", "tests": TESTS}])
    write("in.jsonl", [{"task_id": "double", "completion": f"```c\n{code}```"} for code in (GOOD, WRONG)])
    verify("--input", "in.jsonl", "--prompts", "tasks.jsonl", "--output", "out.jsonl", code=1)
    assert {row["id"]: row["status"] for row in read("out.jsonl")} == {"double#0": "passed", "double#1": "wrong_answer"}


@pytest.mark.sandbox
def test_bad_rows_may_be_unknown_instead_of_the_end(place):
    rows = [
        *ROWS_IN[:1],
        {"id": "none"},
        {"id": "old", "code": "x", "language": "cobol"},
        {"id": "good", "code": "x"},
        {"id": "unexpected", "code": GOOD, "tests": [{"input": "1"}]},
    ]
    write("in.jsonl", rows)
    with open("in.jsonl", "a") as file:
        file.write("{\n")
    out, _ = verify("--input", "in.jsonl", "--output", "out.jsonl", "--skip-bad", code=1)
    found = {row["id"]: (row["status"], row["reward"], row["details"]) for row in read("out.jsonl")}
    assert found.pop("good")[0] == "passed"
    assert {id: (status, reward) for id, (status, reward, _) in found.items()} == dict.fromkeys(
        ("none", "old", "line 4", "unexpected", "line 6"), ("unknown", None)
    )
    assert "line 2: the row has no answer" in found["none"][2]
    assert "cobol" in found["old"][2]
    assert "no expected output" in found["unexpected"][2]
    out, _ = verify("--input", "in.jsonl", "--output", "out.jsonl", "--skip-bad", code=1)
    assert "6 were there already, 0 in" in out


@pytest.mark.sandbox
def test_one_source_file_gets_a_verdict_in_words_in_the_language_of_its_suffix(place):
    only_c = "#include <stdlib.h>\nint *f(void) { int *new = malloc(4); return new; }\n"
    Path("one.c").write_text(only_c)
    Path("one.cpp").write_text(only_c)
    out, err = verify("one.c")
    assert out.startswith("one.c: compiled, reward 0.5 (")
    assert err == ""
    out, _ = verify("one.cpp", code=1)
    assert out.splitlines()[0].startswith("one.cpp: compile_error, reward 0 (")
    assert "main.cpp:2" in out
    verify("one.cpp", "--language", "c")
    out, _ = verify("one.c", "--output", "one.jsonl")
    assert read("one.jsonl")[0]["id"] == "one.c"
    out, _ = verify("-", "--language", "c", stdin=only_c)
    assert out.startswith("standard input: compiled")
    ends_badly = "int main(void) { return 3; }"
    out, _ = verify("-", "--language", "c", "--args", "run_after_compile=true", stdin=ends_badly, code=1)
    assert "runtime_error" in out


@pytest.mark.sandbox
def test_nothing_that_a_program_or_a_compiler_says_reaches_the_terminal_as_more_than_text(place):
    loud = '#error "[bold red]x[/bold red] \x1b]0;owned\x07 \x1b[31m \x9b31m"\n'
    Path("loud.c").write_text(loud)
    out, err = verify("loud.c", code=1)
    assert "[bold red]x[/bold red]" in out
    write("in.jsonl", [{"id": "\x1b[31m", "code": loud, "language": "c"}])
    said = out + err + "".join(verify("in.jsonl", code=1)) + "".join(verify("in.jsonl", "--output", "o.jsonl", code=1))
    assert [ch for ch in said if not ch.isprintable() and ch != "\n"] == []
    assert "".join(in_words("\x1b[31m", VerifyResult(False, 0.0, "\x07\x9b", "a\x1b[2Jb"))).isprintable()


@pytest.mark.sandbox
def test_in_a_terminal_there_is_a_bar(place):
    write("in.jsonl", [{**ROWS_IN[0], "code": f"// {n}\n{GOOD}", "id": n} for n in range(12)])
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    command = [sys.executable, "-m", "haloforge.cli", "verify", "--input", "in.jsonl", "--output", "out.jsonl"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, env=environment)
    os.close(slave)
    seen = b""
    while True:
        try:
            seen += os.read(master, 4096)
        except OSError:
            break
    os.close(master)
    assert process.wait(60) == 0
    assert "━".encode() in seen
    assert b"verified" in seen
    assert b"drawn" not in seen


@pytest.mark.sandbox
def test_verdicts_of_another_command_are_taken_from_the_cache_unless_it_is_refused(place):
    def cached(name: str, *more: str) -> list[bool]:
        verify("--input", "in.jsonl", "--output", name, *more, code=1)
        return [row["cached"] for row in read(name)]

    assert cached("a.jsonl").count(True) == 1
    assert cached("b.jsonl") == [True] * 5
    assert cached("c.jsonl", "--no-cache").count(True) == 1
    assert cached("d.jsonl", "--max-workers", "1") == [True] * 5
    assert cached("e.jsonl", "--args", "cpu_s=7").count(True) == 1
    assert cached("f.jsonl", "--verifier", "gcc").count(True) == 1
    same = [{k: v for k, v in row.items() if k not in ("cached",)} for row in read("b.jsonl")]
    assert sorted(map(str, same)) == sorted(
        str({k: v for k, v in row.items() if k not in ("cached",)}) for row in read("d.jsonl")
    )


@pytest.mark.sandbox
def test_a_plain_script_gets_a_warm_verdict_soon_and_leaves_nothing_behind(place, tmp_path):
    Path("tmp").mkdir()
    Path("script.py").write_text(
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from haloforge.verifiers import GCCVerifier\n"
        "verifier = GCCVerifier()\n"
        f"first = verifier.verify({GOOD!r})\n"
        "seconds = []\n"
        "for n in range(7):\n"
        "    start = time.monotonic()\n"
        f"    result = verifier.verify({GOOD!r} + f'// {{n}}')\n"
        "    seconds.append(time.monotonic() - start)\n"
        "children = [c for t in Path('/proc/self/task').iterdir() for c in (t / 'children').read_text().split()]\n"
        "print(first.status, result.status, sorted(seconds)[3], *children)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path)}
    before = {p.name for p in tmp_path.iterdir()}
    done = subprocess.run([sys.executable, "script.py"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    first, last, seconds, *children = done.stdout.split()
    assert (first, last) == ("compiled", "compiled")
    assert float(seconds) < 2  # 0.04 on a quiet machine; bench-verify measures
    assert children
    assert gone({int(pid) for pid in children}, within_s=2)
    assert {p.name for p in tmp_path.iterdir()} - {"home"} == before
    assert [p.name for p in (tmp_path / "home").iterdir()] == ["cache"]  # precompiled headers, for the next time
    assert list((tmp_path / "tmp").iterdir()) == []


# ---- the loop, with fakes --------------------------------------------------------------------------------


class FakeVerifier(Verifier):
    """Gives its verdicts one after another, the last one for ever; an exception is raised."""

    def __init__(self, *verdicts: str | Exception) -> None:
        super().__init__(max_workers=2)
        self.verdicts, self.asked = list(verdicts), 0

    def verify(self, code: str, task: Prompt | None = None, *, as_it_stands: bool = False) -> VerifyResult:
        verdict = self.verdicts[min(self.asked, len(self.verdicts) - 1)]
        self.asked += 1
        if isinstance(verdict, Exception):
            raise verdict
        reward = 1.0 if verdict == PASSED else None
        return VerifyResult(verdict == PASSED, reward, status=verdict, error="the disk is full")


def played(verifier: FakeVerifier, count: int = 1) -> tuple[list[VerifyResult], Stage]:
    stage, taken = Stage("verify", total=count), []
    judge = JudgeHere(verifier)
    answers = [Answer(str(n), f"{n}", True, Prompt("p", "")) for n in range(count)]
    try:
        asyncio.run(verify_answers(answers, judge, VerdictCache(), stage, lambda _, result: taken.append(result)))
    finally:
        judge.close()
    return taken, stage


def test_an_error_that_nobody_foresaw_is_a_fault_of_ours_and_ends_no_other_answer():
    results, stage = played(FakeVerifier(PASSED, ValueError("odd"), PASSED), 3)
    assert sorted((r.status, r.error) for r in results) == [
        (INFRA_ERROR, "ValueError: odd"), (PASSED, "the disk is full"), (PASSED, "the disk is full"),
    ]  # fmt: skip
    assert (stage.done, stage.solved, stage.statuses[INFRA_ERROR]) == (3, 2, 1)


def test_too_many_faults_of_ours_are_the_end():
    with pytest.raises(ExceptionGroup) as group:
        played(FakeVerifier(INFRA_ERROR), 40)
    error, *_ = group.value.exceptions  # the other worker may have said the same before it was cancelled
    assert isinstance(error, RunStopped)
    assert "11 of 11 verdicts were lost to faults of our side, the last: the disk is full" in str(error)


@pytest.mark.parametrize("count", [1, 3])
def test_where_every_verdict_is_lost_the_command_says_why_also_of_a_few(count):
    with pytest.raises(RunStopped, match="lost to a fault of our side: the disk is full; mend that"):
        played(FakeVerifier(INFRA_ERROR), count)


class FakeJudge(FakeVerifier):
    """Says what it is given, as a class of a user's may."""

    def __init__(self, **said: Any) -> None:
        super().__init__(PASSED)
        self.said = said

    def verify(self, code: str, task: Prompt | None = None, *, as_it_stands: bool = False) -> VerifyResult:
        if self.said.get("error") == "exit":
            raise SystemExit(3)
        return VerifyResult(**{"success": True, "reward": 1.0, **self.said})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"reward": float("nan")}, "ValueError: a VerifyResult's reward is nan; wanted is a finite number"),
        ({"reward": float("inf")}, "reward is inf"),
        ({"reward": "0.5"}, "TypeError: a VerifyResult's reward is '0.5'; wanted is a number"),
        ({"reward": None}, "returned passed with reward None"),
        ({"success": "yes"}, "success is 'yes'; wanted is True or False"),
        ({"status": "great"}, "status is 'great'; wanted is one of passed, "),
        ({"error": ValueError("odd")}, "error is ValueError('odd'); wanted is a text"),
        ({"error": "exit"}, "SystemExit: 3"),
    ],
    ids=str,
)
def test_an_odd_result_of_a_class_of_a_users_is_an_infra_error_that_says_so(said, words):
    result = verdict(FakeJudge(**said), "x")
    assert (result.status, result.reward, result.details) == (INFRA_ERROR, None, "verifier FakeJudge failed")
    assert words in (result.error or "")


def test_a_class_of_a_users_may_give_any_reward_and_note_anything():
    result = verdict(FakeJudge(reward=SimpleNamespace(item=lambda: 2.5), metadata={"seen": {1}, 2: 3}), "x")
    assert (result.success, result.reward, result.status) == (True, 2.5, PASSED)
    row = json.loads(line_of(row_of("a", result)))
    assert row["metadata"] == {"seen": "{1}", "2": "3"}
    assert "metadata" not in row_of("a", VerifyResult(True, 1.0))


def test_what_a_user_must_change_is_no_fault_of_ours():
    with pytest.raises(ExceptionGroup, match="unhandled errors") as group:
        played(FakeVerifier(BadInput("cpu_s is 0")))
    assert isinstance(group.value.exceptions[0], BadInput)


# ---- verifiers list --------------------------------------------------------------------------------------


def test_every_language_has_a_program_for_the_self_test():
    assert {language for rows in ROWS.values() for language in rows} <= set(PROGRAMS)
    assert all(program.count("FACTOR") == 1 for program in PROGRAMS.values())


@pytest.mark.sandbox
def test_each_verifier_is_listed_with_its_tools_and_a_self_test_that_really_ran(place):
    process = start("verifiers", "list")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "this machine: ns"
    assert {line.split()[0] for line in lines[1:] if not line.startswith(" ")} == set(VERIFIERS)
    assert "chain" in out
    assert "not tried: chain has no stages" in out
    assert "gcc        c           works: passed, wrong_answer, " in out
    assert "g++ (" in out


@pytest.mark.sandbox
def test_a_self_test_that_fails_is_told_and_an_absent_tool_is_not_a_failure(monkeypatch):
    monkeypatch.setattr("haloforge.verifiers.self_test.VERIFIERS", {"gcc": VERIFIERS["gcc"]})
    monkeypatch.setitem(PROGRAMS, "c", PROGRAMS["c"].replace("FACTOR", "3 + 0 * FACTOR"))
    monkeypatch.setattr("haloforge.verifiers.self_test.has_tool", lambda tool: tool != "g++")
    level, (c, cpp) = self_test()
    assert (level, c.works, c.words.split(",")[0]) == ("ns", False, "wrong_answer")
    assert (cpp.works, "g++ absent; run toolbox/install-tools.sh" in cpp.words) == (None, True)
    lines = list(listed("here", level, [c, cpp, Found("odd", "x", {"x": None}, None, "not tried")]))
    assert lines[1].startswith("gcc        c           FAILED: wrong_answer, wrong_answer")
    assert lines[-1].split() == ["no", "x"]


@pytest.mark.sandbox
def test_a_self_test_that_fails_is_exit_code_1(place):
    code = (
        "from haloforge.verifiers import self_test; from haloforge import cli\n"
        "self_test.PROGRAMS['c'] = self_test.PROGRAMS['c'].replace('n;', 'm;')\n"
        "import sys; sys.argv[1:] = ['verifiers', 'list']; cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    assert "gcc        c           FAILED: compile_error, compile_error" in done.stdout


@pytest.mark.sandbox
def test_on_a_cluster_that_runs_the_verdicts_are_the_same(place):
    script = (
        "import subprocess, sys\n"
        "from actors.cluster import connect\n"
        "with connect('verify-command') as cluster:\n"
        "    for words in (['verify', '--input', 'in.jsonl', '--output', 'out.jsonl'], ['verifiers', 'list']):\n"
        "        command = [sys.executable, '-m', 'haloforge.cli', *words, '--cluster', cluster.address]\n"
        "        done = subprocess.run(command, capture_output=True, text=True)\n"
        "        print(done.returncode, cluster.here, done.stdout, done.stderr, sep='\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    rows = read("out.jsonl")
    assert {row["id"]: row["status"] for row in rows} == STATUSES
    assert sum(row["cached"] for row in rows) == 1
    assert all(tuple(row) == (*FIELDS, "metadata") for row in rows)
    assert "verifiers on " in done.stdout
    assert "5 verdicts, 3 good" in done.stdout
    assert "): ns\ngcc        c           works: passed, wrong_answer" in done.stdout
    local = {row["id"]: row for row in rows}
    out, _ = verify("--input", "in.jsonl", "--output", "here.jsonl", code=1)  # one machine: the same circumstances
    assert "5 from the cache" in out
    for row in read("here.jsonl"):
        assert row | {"cached": 0} == local[row["id"]] | {"cached": 0}
