"""The verifier for cl on another machine, over a real OpenSSH server (tests/windows_host.py)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time

import pytest
from typer.testing import CliRunner

from haloforge import raft
from haloforge.errors import BadInput, MissingTool
from haloforge.records import Case, Prompt
from haloforge.verifiers import ChainedVerifier, get_verifier, msvc
from haloforge.verifiers.msvc import RemoteMSVCVerifier
from tests.windows_host import why_not, windows_host

REASON = why_not()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)
PROGRAM = '#include <cstdio>\nint main() { int n; std::scanf("%d", &n); std::printf("%d\\n", 2 * n); return 0; }\n'
TASK = Prompt("double", "double n", "cpp", (Case("2\n", "4\n"), Case("5\n", "10\n")))
UNTESTED = Prompt("any", "anything", "cpp")


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    with windows_host(tmp_path_factory.mktemp("windows")) as made:
        yield made


@pytest.fixture
def made(host):
    """Makes verifiers, and looks afterwards that nothing is left there."""
    verifiers = []

    def make(**arguments) -> RemoteMSVCVerifier:
        verifier = get_verifier("msvc", **{**host.arguments, "max_workers": 1, **arguments})
        assert isinstance(verifier, RemoteMSVCVerifier)
        verifiers.append(verifier)
        return verifier

    host.fault("")
    yield make
    host.fault("")
    scratches = [verifier._scratch for verifier in verifiers if verifier._scratch]
    for verifier in verifiers:
        verifier.cleanup()
    assert host.left() == []
    for scratch in scratches:
        deadline = time.monotonic() + 5
        while running(str(scratch)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not running(str(scratch)), "a connection outlives its verifier"
        assert not scratch.exists()


def running(pattern: str) -> list[int]:
    found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


@pytest.mark.parametrize(
    ("code", "status", "reward", "words"),
    [
        (PROGRAM, "compiled", 0.5, ""),
        ("int twice(int n) { return 2 * n; }\n", "compiled", 0.5, ""),
        ("#include <windows.h>\nint main() { return (int)GetLastError() * 0; }\n", "compiled", 0.5, ""),
        ("int main() { return x; }\n", "compile_error", 0.0, r"main\.cpp\(1\): error C2065: .x. was not declared"),
        ("#include <nowhere.h>\nint main() {}\n", "compile_error", 0.0, r"fatal error C1083"),
        ("int missing(); int main() { return missing(); }\n", "compile_error", 0.0, r"main\.obj : error LNK2019"),
        ("", "no_code", 0.0, ""),
    ],
)
def test_an_answer_gets_cls_verdict(made, code, status, reward, words):
    result = made().verify(code, UNTESTED, as_it_stands=True)
    how = "" if status == "no_code" else "remote"
    assert (result.status, result.reward, result.level, result.trust) == (status, reward, how, how), result
    assert re.search(words, result.error or ""), result.error
    assert "haloforge-" not in (result.error or "")


def test_c_is_compiled_as_c_and_another_language_is_not_judged(made, host):
    verifier = made()
    only_c = "#include <stdlib.h>\nint main(void) { int *new = malloc(4); free(new); return 0; }\n"
    assert verifier.verify(only_c, Prompt("c", "", "c")).status == "compiled"
    assert "main.c " in next(c for c in reversed(host.commands()) if c.startswith("cl ")) + " "
    assert verifier.verify(only_c, UNTESTED).status == "compile_error"
    assert verifier.verify("print(1)", Prompt("p", "", "python")).status == "unknown"
    assert verifier.verify("```python\nprint(1)\n```", UNTESTED).status == "no_code"
    assert verifier.verify("```python\nprint(1)\n```").status == "unknown"


def test_warnings_count_where_they_shall(made):
    warned = "int main() { int unused; return 0; }\n"
    assert made().verify(warned, UNTESTED).reward == 0.5
    result = made(warnings="penalise").verify(warned, UNTESTED)
    assert (result.status, result.reward) == ("compiled", 0.3)
    assert "warning C4101" in (result.error or "")
    checked = made(check_only=True).verify("int missing(); int main() { return missing(); }", UNTESTED)
    assert (checked.status, checked.metadata["check_only"]) == ("compiled", True)


def test_programs_are_run_only_where_the_user_says_so(made, host):
    before = len(host.commands())
    asked = made().verify(PROGRAM, TASK)
    assert (asked.status, asked.reward) == ("unknown", None), "tests that are not run are no pass"
    assert "it only compiles" in asked.details
    assert made().verify(PROGRAM, UNTESTED).status == "compiled"
    assert not [c for c in host.commands()[before:] if ".exe" in c and not c.startswith("cl ")]
    runs = made(run=True, cpu_s=1.0)
    assert [runs.verify(code, TASK).status for code in (PROGRAM, PROGRAM.replace("2 *", "3 *"))] == [
        "passed", "wrong_answer",
    ]  # fmt: skip
    assert runs.verify("int main() { return 3; }", TASK).status == "runtime_error"
    assert runs.verify("int main() { return 255; }", TASK).status == "runtime_error"  # ssh's own word for a fault
    assert runs.verify("int f() { return 3; }", TASK).status == "runtime_error"
    ran = runs.verify("int main() { return 0; }", UNTESTED)
    assert (ran.status, ran.reward) == ("compiled", 0.7)


def test_a_program_that_does_not_end_or_floods_is_ended_there_too(made, host, monkeypatch):
    monkeypatch.setattr(msvc, "wall_limit_s", lambda cpu_s: cpu_s)
    monkeypatch.setattr(msvc, "MOST_PRINTED", 1 << 20)
    runs = made(run=True, cpu_s=1.0)
    hangs = runs.verify("int main() { for (;;); }", TASK)
    assert (hangs.status, hangs.metadata["ended_by"]) == ("timeout", "wall_limit")
    flood = '#include <cstdio>\nint main() { for (;;) std::puts("0123456789012345678901234567890"); }\n'
    assert runs.verify(flood, TASK).status in ("output_limit", "timeout")
    assert not running(rf"^{host.home}/haloforge-[^ ]*\.exe$")


HOSTILE = """int main() { return 0; }
// $(touch PWNED) `touch PWNED` & echo x > PWNED | ; touch PWNED
// " ' %COMSPEC% ^& & rmdir /s /q C:\\ \\\nput /etc/passwd\n!touch PWNED\nmain.cpp\n
"""


def test_no_word_of_a_sample_or_its_task_is_in_a_command(made, host):
    before = len(host.commands())
    task = Prompt("$(touch PWNED)", "; touch PWNED", "cpp", cflags="$(touch PWNED)", entry_point="`x`")
    assert made().verify(HOSTILE, task).status in ("compiled", "compile_error")
    asked = host.commands()[before:]
    assert asked
    assert all(re.fullmatch(r"(cl|cmd) [\w /.:\\-]+", command) for command in asked), asked
    assert not any("PWNED" in command or "touch" in command for command in asked)
    assert not list(host.folder.rglob("PWNED"))


def test_one_connection_serves_all_samples_also_of_several_threads(made, host):
    verifier = made(max_workers=2)
    before = host.logins()
    results = verifier.verify_batch([PROGRAM, "int main() { return x; }"] * 2, UNTESTED)
    assert [r.status for r in results] == ["compiled", "compile_error"] * 2
    assert host.logins() == before + 1


def test_a_broken_connection_is_our_fault_and_what_it_left_is_removed(made, host):
    verifier = made(timeout=20)
    verifier.prepare()
    host.fault("hangs")
    found = []
    thread = threading.Thread(target=lambda: found.append(verifier.verify(PROGRAM, UNTESTED)))
    thread.start()
    while not host.left():
        time.sleep(0.05)
    time.sleep(0.3)
    (folder,) = host.left()
    master = running(rf"ControlMaster=yes -o ControlPath={verifier._scratch}")
    assert master, "no connection is open"
    host.fault("")
    for pid in master:
        os.kill(pid, signal.SIGKILL)
    thread.join(60)
    assert found[0].status == "compiled", found  # tried again, over a new connection
    assert folder not in host.left()


def test_what_a_process_left_that_is_gone_is_removed_by_the_next(made, host):
    machine, gone = msvc._machine(), f"haloforge-{msvc._machine()}-99999999-1-{int(time.time())}-0"
    ours = f"haloforge-{machine}-{os.getpid()}-{msvc._started('self')}-{int(time.time())}-999"
    other, old = (f"haloforge-0123abcd-7-1-{int(time.time()) - age}-0" for age in (60, 2 * msvc.STALE_S))
    names = [gone, ours, other, old, "haloforge-notes", "Documents"]
    for name in names:
        (host.home / name).mkdir()
        (host.home / name / "main.cpp").write_text("")
    try:
        made().prepare()
        assert host.left() == sorted([ours, other, "haloforge-notes", "Documents"])
    finally:
        for name in (ours, other, "haloforge-notes", "Documents"):
            (host.home / name / "main.cpp").unlink(missing_ok=True)
            (host.home / name).rmdir()


@pytest.mark.parametrize(("fault", "words"), [("absent", "not recognized"), ("environment", "C1034")])
def test_a_compiler_that_does_not_work_is_no_fault_of_a_sample(made, host, fault, words):
    verifier = made()
    assert verifier.prepare() == "remote"
    host.fault(fault)
    verifier._good_at = float("-inf")  # as if a minute had gone by
    result = verifier.verify(PROGRAM, UNTESTED)
    assert (result.status, result.reward) == ("infra_error", None)
    assert re.search(words, result.error or ""), result.error
    with pytest.raises(MissingTool, match=rf"(?s){words}.*verifier\.args\.setup"):
        made().prepare()


def test_a_compiler_that_hangs_is_our_fault_where_it_hangs_on_the_smallest_program_too(made, host):
    host.fault("hangs")
    result = made(timeout=1.0).verify(PROGRAM, UNTESTED)
    assert result.status == "infra_error"
    assert "smallest program" in (result.error or "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ssh_key": "OTHER"}, r"Permission denied.*ssh_key is .*other"),
        ({"known_hosts": "/dev/null"}, r"[Hh]ost key.*ssh-keyscan -p \d+ 127\.0\.0\.1.*/dev/null"),
        ({"port": 1}, r"port 1: .*Connection refused"),
    ],
)
def test_a_connection_that_cannot_be_says_what_to_change(made, host, tmp_path, change, words):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    change = {key: str(tmp_path / "other") if value == "OTHER" else value for key, value in change.items()}
    (host.folder / "key").chmod(0o600)
    known = change.get("known_hosts")
    if known:
        (tmp_path / "empty").touch()
        change["known_hosts"] = str(tmp_path / "empty")
        words = words.replace("/dev/null", "empty")
    with pytest.raises(MissingTool, match=words):
        made(**change).prepare()
    result = made(**change).verify(PROGRAM, UNTESTED)
    assert (result.status, result.reward) == ("infra_error", None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "host is ''"),
        ({"host": "-oProxyCommand=touch PWNED"}, "host is '-oProxyCommand"),
        ({"host": "h", "user": "-x"}, "user is '-x'"),
        ({"host": "h", "port": 0}, "port is 0"),
        ({"host": "h", "flags": ["/O2 & calc"]}, "flags is"),
        ({"host": "h", "flags": "/O2"}, "flags is '/O2'"),
        ({"host": "h", "timeout": 0}, "timeout is 0"),
        ({"host": "h", "warnings": "no"}, "warnings is 'no'"),
        ({"host": "h", "run": True, "check_only": True}, "check_only runs nothing"),
        ({"hots": "h"}, "does not take"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, words):
    with pytest.raises(BadInput, match=words):
        get_verifier("msvc", **arguments)


def test_prompts_that_it_cannot_judge_are_refused_before_a_run():
    verifier = get_verifier("msvc", host="h", ssh_key="/nowhere/key")
    with pytest.raises(BadInput, match=r"'double', which has test cases: it only compiles, unless .* run: true"):
        verifier.check([TASK])
    with pytest.raises(BadInput, match="cannot judge rust"):
        verifier.check([Prompt("r", "", "rust")])
    with pytest.raises(BadInput, match="append_main"):
        get_verifier("msvc", host="h", run=True).check([Prompt("m", "", "cpp", tests="x", tests_kind="append_main")])
    with pytest.raises(MissingTool, match="/nowhere/key is not a file"):
        verifier.prepare()


def test_it_is_a_stage_of_a_chain_like_any_other(made):
    chain = ChainedVerifier([get_verifier("gcc", max_workers=1), made()])
    result = chain.verify(PROGRAM, UNTESTED)
    assert (result.status, result.level) == ("compiled", "remote")


def test_flags_of_raft_name_the_machine_beside_what_the_config_says(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr("haloforge.raft.run_command", lambda found, *rest: seen.update(found.config.verifier.args))
    config = tmp_path / "run.yaml"
    config.write_text("verifier: {type: msvc, args: {host: old, port: 2222}}\n")
    typed = ["--config", str(config), "--host", "new", "--user", "u", "--ssh-key", "k"]
    done = CliRunner().invoke(raft.app, typed)
    assert done.exit_code == 0, done.output
    assert seen == {"host": "new", "port": 2222, "user": "u", "ssh_key": "k"}
