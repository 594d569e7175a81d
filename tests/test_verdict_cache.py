"""The verdict cache: what is remembered, by what it is compared, and that no fault of its file is a fault of a run."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import pytest

from haloforge.code_digest import VERIFYING, code_digest, verifying_digest
from haloforge.records import Case, Checker, Prompt, VerifyResult
from haloforge.verdicts.cache import VerdictCache, verdict_cache
from haloforge.verdicts.store import VerdictStore, circumstances
from haloforge.verifiers import get_verifier

TASK = Prompt("double", "double n", "c", (Case("2\n", "4\n"),), entry_point="f", metadata={"note": 1})
PASSED = VerifyResult(True, 1.0, "1 of 1 cases", None, {"language": "c", "node": "10.0.0.7"}, "passed", 1, 1, 0.25)
MACHINE = {"level": "ns", "machine": "x86_64", "tools": {"gcc": "gcc 12.2.0"}}
HERE = circumstances("gcc", {"cpu_s": 2.0}, [MACHINE]) or ""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "cache" / "verdicts.sqlite"


class Asked:
    """Answers with one verdict and counts how often it was asked."""

    def __init__(self, result: VerifyResult = PASSED, seconds: float = 0.0) -> None:
        self.result, self.seconds, self.times = result, seconds, 0

    async def __call__(self) -> VerifyResult:
        self.times += 1
        await asyncio.sleep(self.seconds)
        return self.result


def judged(cache: VerdictCache, answer: str = "int main;", task: Prompt = TASK, ask=None, **how) -> VerifyResult:
    return asyncio.run(cache.judge(answer, task, ask or Asked(), **how))


def test_a_verdict_comes_back_whole_from_another_process_file_and_says_that_it_was_cached(file):
    first = VerdictStore(HERE, file)
    assert judged(VerdictCache(first)) == PASSED
    first.close()
    asked = Asked()
    again = judged(VerdictCache(VerdictStore(HERE, file)), task=replace(TASK, id="other", metadata={}), ask=asked)
    assert (again, asked.times) == (replace(PASSED, cached=True), 0)


def test_odd_texts_are_found_again(file):
    for answer in ("", "\0", "\ud800 lone", "“quoted” \r\n", "x" * 200_000):
        store = VerdictStore(HERE, file)
        store.add(answer, True, TASK, PASSED)
        assert store.find(answer, True, TASK) == PASSED
        assert store.find(answer + " ", True, TASK) is None
        store.close()


@pytest.mark.parametrize(
    "other",
    [
        {"answer": "int main; "},
        {"as_it_stands": True},
        *(
            {"task": replace(TASK, **change)}
            for change in (
                {"text": "triple n"},
                {"language": "cpp"},
                {"cases": (Case("2\n", "4"),)},
                {"cases": (Case("2\n", "4\n"), Case("", ""))},
                {"entry_point": None},
                {"time_limit_s": 1.0},
                {"memory_mb": 64},
                {"compare": "exact"},
                {"validator_flags": ""},
                {"cflags": "-O0"},
                {"tests": "x"},
                {"tests_kind": "append_main"},
                {"files": {"a": "b"}},
                {"reference": "int main;"},
                {"checker": Checker("python", "print(1)", "kattis")},
            )
        ),
        {"here": circumstances("clang", {"cpu_s": 2.0}, [MACHINE])},
        {"here": circumstances("gcc", {"cpu_s": 3.0}, [MACHINE])},
        {"here": circumstances("gcc", {"cpu_s": 2.0}, [{**MACHINE, "level": "landlock"}])},
        {"here": circumstances("gcc", {"cpu_s": 2.0}, [{**MACHINE, "tools": {"gcc": "gcc 13"}}])},
        {"here": circumstances("gcc", {"cpu_s": 2.0}, [MACHINE, {**MACHINE, "tools": {}}])},
    ],
    ids=lambda other: str(other)[:70],
)
def test_whatever_decides_a_verdict_tells_it_from_another(file, other):
    key: dict[str, Any] = {"answer": "int main;", "as_it_stands": False, "task": TASK, "here": HERE}
    memory = VerdictCache()

    def is_asked(answer: str, as_it_stands: bool, task: Prompt, here: str, on_disk: bool) -> bool:
        asked = Asked()
        judged(
            VerdictCache(VerdictStore(here, file)) if on_disk else memory,
            answer,
            task,
            asked,
            as_it_stands=as_it_stands,
        )
        return asked.times == 1

    for on_disk in (True, False):
        assert is_asked(**key, on_disk=on_disk)
        assert not is_asked(**key, on_disk=on_disk)
        assert (on_disk is False and "here" in other) or is_asked(**{**key, **other}, on_disk=on_disk)
        assert not is_asked(**{**key, **other}, on_disk=on_disk)


def test_settings_of_the_pool_and_the_order_of_machines_are_no_circumstances():
    other = {**MACHINE, "tools": {}}
    assert circumstances("gcc", {"max_workers": 2, "slot": 1, "cpu_s": 2.0}, [MACHINE] * 3) == HERE
    assert circumstances("gcc", {}, [MACHINE, other]) == circumstances("gcc", {}, [other, MACHINE, other])
    assert circumstances("custom", {}, [MACHINE, None]) is None
    assert circumstances("gcc", {}, []) is None


def test_digests_alone_never_decide(file, monkeypatch):
    monkeypatch.setattr("haloforge.verdicts.store._digest", lambda content: b"the same")
    monkeypatch.setattr("haloforge.verdicts.cache._digest", lambda task: 1)
    store = VerdictStore(HERE, file)
    failed = replace(PASSED, success=False, status="wrong_answer")
    store.add("a", False, TASK, PASSED)
    store.add("b", False, TASK, failed)
    store.add("a", False, replace(TASK, cases=()), failed)
    assert store.find("a", False, TASK) == PASSED
    assert store.find("b", False, TASK) == failed
    assert store.find("a", False, replace(TASK, cases=())) == failed
    cache, asked = VerdictCache(), Asked()
    judged(cache, "a", TASK)
    judged(cache, "a", replace(TASK, cases=()), asked)
    assert asked.times == 1


@pytest.mark.parametrize(
    ("result", "lasts"),
    [
        (PASSED, True),
        (replace(PASSED, status="timeout", metadata={"ended_by": "cpu_limit"}), True),
        (replace(PASSED, status="timeout", metadata={"ended_by": "wall_limit"}), False),
        (replace(PASSED, status="compile_error", metadata={"ended_by": "wall_limit"}), False),
        (VerifyResult(False, None, status="unknown"), False),
        (VerifyResult(False, None, status="infra_error"), False),
    ],
    ids=lambda one: getattr(one, "status", str(one)),
)
def test_only_what_is_a_property_of_the_program_is_kept(file, result, lasts):
    for cache in (VerdictCache(), VerdictCache(VerdictStore(HERE, file))):
        judged(cache, ask=Asked(result))
        asked = Asked(result)
        judged(cache, ask=asked)
        assert asked.times == (0 if lasts else 1)
    assert (VerdictStore(HERE, file).find("int main;", False, TASK) is not None) == lasts


def test_a_time_out_under_a_limit_that_was_measured_stays_in_its_run(file):
    slow = replace(PASSED, status="timeout", metadata={"ended_by": "cpu_limit", "cpu_limit": {"s": 1.0}})
    cache, asked = VerdictCache(VerdictStore(HERE, file)), Asked(slow)
    judged(cache, ask=asked)
    assert judged(cache, ask=asked).cached
    assert VerdictStore(HERE, file).find("int main;", False, TASK) is None
    quick = replace(slow, status="passed")
    assert judged(cache, "other", ask=Asked(quick)) == quick
    assert VerdictStore(HERE, file).find("other", False, TASK) == quick


@pytest.mark.sandbox
def test_a_machine_is_known_by_level_and_tools_where_nothing_else_decides():
    said = get_verifier("gcc").fingerprint()
    assert said is not None
    assert said["level"] == "ns"
    assert {"g++", "gcc"} <= set(said["tools"]) <= {"g++", "gcc", "mold", "python3"}
    chain = get_verifier("chain", stages=[{"type": "gcc"}, {"type": "execution"}])
    assert chain.fingerprint() == {"stages": [said, get_verifier("execution").fingerprint()]}
    assert get_verifier("gcc", mounts=["/opt"]).fingerprint() is None
    assert get_verifier("subprocess", command="true {file}").fingerprint() is None
    assert (
        get_verifier("chain", stages=[{"type": "subprocess", "args": {"command": "true {file}"}}]).fingerprint() is None
    )


def test_answers_alike_in_flight_are_judged_once():
    cache, asked = VerdictCache(), Asked(seconds=0.05)
    twin = replace(TASK, id="twin")

    async def play() -> list[VerifyResult]:
        return list(await asyncio.gather(*(cache.judge("x", task, asked) for task in (TASK, twin, TASK))))

    results = asyncio.run(play())
    assert (asked.times, sorted(r.cached for r in results)) == (1, [False, True, True])


def test_without_a_fingerprint_or_where_it_is_not_wanted_nothing_is_on_disk(home):
    for machines, on_disk in (([None], True), ([MACHINE], False)):
        judged(verdict_cache("gcc", {}, machines, on_disk))
    assert not home.exists()
    judged(verdict_cache("gcc", {}, [MACHINE], True))
    assert [p.name for p in (home / "cache").iterdir() if p.suffix == ".sqlite"] == ["verdicts-1.sqlite"]
    assert (home / "cache/verdicts-1.sqlite").stat().st_mode & 0o077 == 0


WRITER = """
import sys
from pathlib import Path
from haloforge.verdicts.store import VerdictStore
from haloforge.records import Case, Prompt, VerifyResult
store = VerdictStore("here", Path(sys.argv[1]))
for n in range(int(sys.argv[3])):
    task = Prompt("t", f"task {n % 7}", cases=(Case("", "x" * 2000),))
    store.add(f"answer {n}", False, task, VerifyResult(True, 1.0, f"{n} by {sys.argv[2]}"))
    print(n, flush=True)
"""


def writer(file, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(file), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kept(file) -> dict[int, str]:
    """Number → details of the verdicts that are there, each found by its whole key."""
    store, found = VerdictStore("here", file), {}
    for n in range(3000):
        task = Prompt("t", f"task {n % 7}", cases=(Case("", "x" * 2000),))
        if (result := store.find(f"answer {n}", False, task)) is not None:
            found[n] = result.details
    store.close()
    return found


def test_two_processes_may_write_the_same_file_at_once(file):
    writers = [writer(file, name, 600) for name in "ab"]
    for process in writers:
        _, said = process.communicate(timeout=120)
        assert (process.returncode, said) == (0, "")
    found = kept(file)
    assert list(found) == list(range(600))
    assert {text.rpartition(" ")[2] for text in found.values()} <= {"a", "b"}
    with sqlite3.connect(file) as database:  # what both wrote stands there once
        assert database.execute("SELECT count(*) FROM verdicts").fetchone() == (600,)
        assert database.execute("SELECT count(*) FROM texts").fetchone() == (8,)


@pytest.mark.parametrize("after", [1, 40, 333])
def test_a_killed_writer_loses_nothing_that_it_had_written(file, after):
    process = writer(file, "a", 3000)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= after:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    found = kept(file)
    assert after < len(found) < 3000
    assert list(found) == list(range(len(found)))
    with sqlite3.connect(file) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def damage(file, how: str) -> None:
    for beside in ("-wal", "-shm"):
        file.with_name(file.name + beside).unlink(missing_ok=True)
    content = bytearray(file.read_bytes())
    if how == "no database":
        content[:] = b"hello" * 1000
    elif how == "torn":
        content = content[: len(content) // 2]
    elif how == "garbage inside":
        content[4096:] = os.urandom(len(content) - 4096)
    elif how == "another layout":
        file.unlink()
        with sqlite3.connect(file) as database:
            database.execute("CREATE TABLE verdicts (a)")
        return
    file.write_bytes(content)


@pytest.mark.parametrize("how", ["no database", "torn", "garbage inside", "another layout"])
def test_a_damaged_file_is_set_aside_with_a_warning_and_the_run_goes_on(file, caplog, how):
    store = VerdictStore(HERE, file)
    for n in range(200):
        store.add(f"{n}", False, TASK, PASSED)
    store.close()
    damage(file, how)
    caplog.clear()
    cache = VerdictCache(VerdictStore(HERE, file))
    for n in (0, 150, 300):
        assert judged(cache, str(n)).status == "passed"
    cache.close()
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "damaged" in caplog.text
    assert [p.name for p in file.parent.glob("*.damaged-*") if not p.name.endswith(("-wal", "-shm"))]
    fresh = VerdictCache(VerdictStore(HERE, file))  # the next command begins a new one
    judged(fresh, "0")
    assert VerdictStore(HERE, file).find("0", False, TASK) == PASSED


def test_a_verdict_that_does_not_read_is_damage_too(file, caplog):
    store = VerdictStore(HERE, file)
    store.add("a", False, TASK, PASSED)
    with sqlite3.connect(file) as database:
        database.execute("UPDATE verdicts SET verdict = '{'")
    assert judged(VerdictCache(store), "a") == PASSED
    assert "damaged" in caplog.text


def test_where_no_file_can_be_a_warning_is_all(tmp_path, caplog):
    (tmp_path / "cache").write_text("a file")
    cache = VerdictCache(VerdictStore(HERE, tmp_path / "cache" / "verdicts.sqlite"))
    assert [judged(cache, a) for a in "ab"] == [PASSED, PASSED]
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "going on without it" in caplog.text


def test_a_full_disk_is_a_warning(file, caplog):
    store = VerdictStore(HERE, file)
    assert store._database is not None
    store._database.execute("PRAGMA max_page_count = 12")
    cache = VerdictCache(store)
    assert judged(cache, "x" * 100_000) == PASSED
    assert "full" in caplog.text
    assert judged(cache, "y") == PASSED
    assert file.exists()


def test_another_process_that_holds_the_file_is_not_waited_for_long(file, caplog):
    store = VerdictStore(HERE, file)
    store.add("a", False, TASK, PASSED)
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        assert judged(VerdictCache(store), "b") == PASSED
        assert time.monotonic() - start < 5
        assert store.find("a", False, TASK) == PASSED
        other.execute("ROLLBACK")
    store.add("c", False, TASK, PASSED)
    assert [store.find(a, False, TASK) is not None for a in "abc"] == [True, False, True]
    assert "WARNING" not in [r.levelname for r in caplog.records]


def test_metadata_that_no_file_can_hold_is_not_kept_and_harms_nothing(file, caplog):
    store = VerdictStore(HERE, file)
    odd = replace(PASSED, metadata={"of": object()})
    assert judged(VerdictCache(store), ask=Asked(odd)) == odd
    store.add("a", False, TASK, PASSED)
    assert store.find("a", False, TASK) == PASSED
    assert caplog.text == ""


def test_a_hit_takes_less_than_a_fifth_of_a_millisecond(file):
    store = VerdictStore(HERE, file)
    task = replace(TASK, cases=tuple(Case(f"{n}\n" * 50, f"{2 * n}\n" * 50) for n in range(30)))
    answers = [f"// {n}\n" + "int main(void) { return 0; }\n" * 60 for n in range(2000)]
    for answer in answers:
        store.add(answer, False, task, PASSED)
    cache = VerdictCache(store)

    async def play() -> list[float]:
        seconds = []
        for answer in answers:
            start = time.perf_counter()
            result = await cache.judge(answer, task, Asked())
            seconds.append(time.perf_counter() - start)
            assert result.cached
        return sorted(seconds)

    seconds = asyncio.run(play())
    assert seconds[len(seconds) // 2] < 0.0002, f"{seconds[len(seconds) // 2] * 1000:.3f} ms"


def test_the_verifying_part_of_the_code_has_a_digest_of_its_own():
    assert len(verifying_digest()) == 64
    assert verifying_digest() != code_digest()
    assert {"verifiers", "sandbox", "source", "tasks"} < set(VERIFYING)
