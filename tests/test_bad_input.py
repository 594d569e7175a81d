"""What bad input gets: one screen, the value, the remedy, exit code 2, and no engine started.

`python -m tests.test_bad_input` prints the table as a user sees it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from haloforge import config as schema
from haloforge.config import RaftConfig
from haloforge.errors import MissingTool
from haloforge.preparation import require_packages
from tests import without
from tests.tiny_models import build_adapter, build_model

GOOD = {"prompt": "print 1", "language": "c", "tests": [{"input": "", "output": "1"}, {"input": "2", "output": "1"}]}
RUN = ["--model", "model", "--prompts", "prompts.jsonl", "--set", "generation.max_new_tokens=32"]


def raft(
    folder: Path,
    *arguments: str,
    path: str | None = None,
    address: str | None = None,
    through: Sequence[str] = (),
    module: Sequence[str] = ("haloforge.raft",),
):
    environment = {**os.environ, "HALOFORGE_HOME": str(folder / "home")}
    environment.pop("RAY_ADDRESS", None)
    if address is not None:
        environment["RAY_ADDRESS"] = address
    if path is not None:
        environment["PATH"] = path
    return subprocess.run(
        [*through, sys.executable, "-m", *module, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def write(file: Path, text: str) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return str(file)


def made(folder: Path) -> Path:
    """A working directory with a small model, adapters, good prompts, and every kind of bad file."""
    build_model(folder / "model")
    build_model(folder / "other", hidden=32)
    build_adapter(folder / "other", folder / "foreign", rank=4)
    (folder / "empty").mkdir()
    files: dict[str, list[Any]] = {
        "prompts.jsonl": [GOOD],
        "none.jsonl": [],
        "torn.jsonl": [GOOD, '{"prompt": "x"'],
        "textless.jsonl": [{"id": "a"}],
        "shape.jsonl": [GOOD, {"prompt": "x", "tests": {"check": "assert f(1) == 2"}}],
        "kind.jsonl": [{"prompt": "x", "tests": "assert f(1)", "tests_kind": "oracle"}],
        "module.jsonl": [
            GOOD,
            {"id": "unit", "prompt": "x", "language": "cpp", "tests": "func TestF(t *testing.T) { f() }"},
        ],
        "unread.jsonl": [GOOD, {"prompt": "x", "hidden_tests": ["f() == 1"]}],
        "twice.jsonl": [{"id": 1, "prompt": "x"}, {"id": 1, "prompt": "y"}],
        "long.jsonl": [GOOD, {**GOOD, "id": "novel", "prompt": "print " + "one and " * 400}],
        "untested.jsonl": [{"id": "bare", "prompt": "x", "language": "c"}],
        "cobol.jsonl": [{"id": "old", "prompt": "x", "language": "cobol"}],
    }
    two = [{"id": "a", "code": "int main(void) { return 0; }", "language": "c"}]
    files |= {
        "answers.jsonl": two,
        "answerless.jsonl": [*two, {"id": "b"}],
        "same.jsonl": [*two, *two],
        "outputless.jsonl": [*two, {"id": "b", "code": "x", "tests": [{"input": "1"}]}],
        "empty-case.jsonl": [*two, {"id": "b", "code": "x", "tests": "nothing to see"}],
        "cobol-answer.jsonl": [*two, {"id": "b", "code": "x", "language": "cobol"}],
        "flags.jsonl": [*two, {**two[0], "id": "b", "cflags": "--wow"}],
        "nameless.jsonl": [{"task_id": "nowhere", "completion": "x"}],
    }
    write(folder / "main.c", "int main(void) { return 0; }")
    write(folder / "notes.odd", "int main(void) { return 0; }")
    write(folder / "foreign.jsonl", '{"id": "a"}\n')
    for name, rows in files.items():
        write(folder / name, "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows) or "\n")
    write(folder / "broken.yaml", "a: b: c")
    write(folder / "words.yaml", "training: {learning_rate: fast}\n")
    write(folder / "threshold.yaml", "raft: {reward_threshold: 3}\n")
    write(folder / "misspelt.yaml", "generation: {temprature: 0.5}\n")
    identity = {**schema.identity(RaftConfig()), "seed": 7}
    identity["model"] = {"name": "model"}  # as an earlier version wrote it, which knew fewer keys
    del identity["raft"]["min_samples"]
    write(folder / "old/raft_statistics.json", json.dumps({"schema": 1, "run": {"identity": identity}, "cycles": []}))
    write(folder / "file", "")
    write(folder / "mute.py", "from haloforge.verifiers import Verifier\nclass Mute(Verifier): pass\n")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made(tmp_path_factory.mktemp("bad"))


def prompts(name: str) -> list[str]:
    return ["--model", "model", "--prompts", name]


TABLE: dict[str, tuple[list[str], list[str]]] = {
    "prompts not named": (["--model", "model"], ["prompts missing", "--prompts"]),
    "model not named": (["--prompts", "prompts.jsonl"], ["model or sft_checkpoint missing", "--checkpoint"]),
    "neither named": (["--output", "x"], ["model or sft_checkpoint and prompts missing", "verifier gcc", "cycles 5"]),
    "prompts file absent": (prompts("nowhere.jsonl"), ["nowhere.jsonl", "not found", "looked at"]),
    "prompts file empty": (prompts("none.jsonl"), ["none.jsonl", "no prompts"]),
    "a line is not JSON": (prompts("torn.jsonl"), ["torn.jsonl", "line 2", "not JSON"]),
    "a prompt without text": (prompts("textless.jsonl"), ["textless.jsonl", "line 1", "prompt"]),
    "tests in an unknown shape": (prompts("shape.jsonl"), ["shape.jsonl", "line 2", "tests is", "list"]),
    "an unknown kind of tests": (prompts("kind.jsonl"), ["kind.jsonl", "line 1", "'oracle'", "stdio"]),
    "tests that the verifier cannot run": (prompts("module.jsonl"), ["gcc", "'unit'", "append_go_test in cpp"]),
    "tests in a field that is not read": (prompts("unread.jsonl"), ["unread.jsonl", "line 2", "'hidden_tests'"]),
    "two prompts with one id": (prompts("twice.jsonl"), ["twice.jsonl", "line 2", "line 1", "own id"]),
    "a prompt longer than the context": (
        [*RUN[:2], "--prompts", "long.jsonl", *RUN[4:]],
        ["1 of 2 prompts", "novel", "tokens", "max_new_tokens"],
    ),
    "an answer longer than the context": (
        [*RUN[:4], "--set", "generation.max_new_tokens=9999"],
        ["max_new_tokens 9999", "leaves no room", "lower it"],
    ),
    "a context longer than the model's": ([*RUN, "--set", "generation.max_model_len=99999"], ["99999", "lower it"]),
    "a verifier without the tests it needs": (
        [*prompts("untested.jsonl"), "--verifier", "execution"],
        ["execution needs test cases", "'bare'"],
    ),
    "a language that no verifier knows": (prompts("cobol.jsonl"), ["cannot judge cobol", "c, cpp"]),
    "an unknown key": ([*RUN, "--set", "training.epoch=2"], ["training.epoch", "did you mean 'training.epochs'"]),
    "an unknown key in a file": (["--config", "misspelt.yaml"], ["misspelt.yaml", "generation.temperature"]),
    "a key of another system": ([*RUN, "--set", "keep=0.5"], ["did you mean 'raft.keep_top_percent'"]),
    "a number that is a word": (
        ["--config", "words.yaml"],
        ["words.yaml", "training.learning_rate", "'fast'", "number"],
    ),
    "a threshold of 3": (["--config", "threshold.yaml"], ["raft.reward_threshold", "less than or equal to 1", "got 3"]),
    "--set without a value": ([*RUN, "--set", "lora.r"], ["key=value"]),
    "a verifier that there is none": ([*RUN, "--verifier", "gc"], ["'gc'", "gcc", "execution"]),
    "a class in a file that is not there": ([*RUN, "--verifier", "no.py:Mine"], ["'no.py' not found", "looked at"]),
    "a class that lacks verify": (
        [*RUN, "--verifier", "mute.py:Mute"],
        ["mute.py:Mute", "lacks verify", "verify(self"],
    ),
    "a class that is not in its file": ([*RUN, "--verifier", "mute.py:Loud"], ["mute.py", "has no 'Loud'"]),
    "msvc without a machine": ([*RUN, "--verifier", "msvc"], ["host is ''", "--host"]),
    "msvc for tests that it does not run": (
        [*RUN, "--verifier", "msvc", "--host", "h"],
        ["only compiles", "run: true"],
    ),
    "msvc without its key": (
        [*prompts("untested.jsonl"), "--verifier", "msvc", "--host", "h", "--ssh-key", "no_key"],
        ["ssh_key no_key", "not a file"],
    ),
    "a model folder without a model": (["--model", "empty", *RUN[2:]], ["empty", "not a model folder", "config.json"]),
    "a model path that does not exist": (["--model", "nomodel", *RUN[2:]], ["nomodel", "not found"]),
    "an adapter of another base": (
        ["--checkpoint", "foreign", "--model", "model", *RUN[2:]],
        ["foreign", "other", "model"],
    ),
    "no such config": (["--config", "no.yaml"], ["no.yaml", "demo.yaml"]),
    "a config that is not YAML": (["--config", "broken.yaml"], ["broken.yaml", "YAML"]),
    "a run folder of other settings": (
        [*RUN, "--output", "old"],
        ["seed: 7 → 0", "max_new_tokens: 1024 → 32", "--fresh"],
    ),
    "a dry run on a run folder of other settings": ([*RUN, "--output", "old", "--dry-run"], ["seed: 7 → 0", "--fresh"]),
    "a dry run on an output folder that cannot be": (
        [*RUN, "--output", "file/run", "--dry-run"],
        ["is a file", "--output"],
    ),
    "an output folder that cannot be": ([*RUN, "--output", "file/run"], ["file/run", "Not a directory", "--output"]),
    "more threads than there are": ([*RUN, "--set", "generation.threads=999"], ["999 CPUs", "generation.threads"]),
    "a GPU that is not there": ([*RUN, "--set", "placement=shared"], ["needs a GPU", "placement: cpu"]),
    "a cluster that does not answer": (
        [*RUN, "--set", "cluster.address=127.0.0.1:1"],
        ["127.0.0.1:1", "cluster.address", "cluster/head.sh"],
    ),
    "a cluster address without a port": ([*RUN, "--set", "cluster.address=head"], ["'head'", "host:port"]),
    "a port in use": (
        [*RUN, "--set", "cluster.dashboard_port=BUSY"],
        ["cluster.dashboard_port", "in use", "another port"],
    ),
    "a node that is not there": ([*RUN, "--set", "placement.trainer_node=moon"], ["'moon'", "no such node", "it has"]),
    "two GPUs that are not there": ([*RUN, "--set", "placement=split"], ["their node has 0", "placement: cpu"]),
}


@pytest.mark.parametrize("case", TABLE)
def test_bad_input_is_refused_by_name(folder, case):
    arguments, named = TABLE[case]
    with socket.create_server(("127.0.0.1", 0)) as busy:
        done = raft(folder, *(a.replace("BUSY", str(busy.getsockname()[1])) for a in arguments))
    assert done.returncode == 2, done.stderr
    for word in named:
        assert word in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) < 25
    assert "ready: engine" not in done.stderr


VERIFY: dict[str, tuple[list[str], list[str]]] = {
    "nothing to verify": ([], ["name what to verify", "--input", "standard input"]),
    "two things to verify": (["main.c", "--input", "answers.jsonl"], ["one thing only"]),
    "an input that is not there": (["--input", "nowhere.jsonl"], ["nowhere.jsonl", "not found", "looked at"]),
    "an input that is a folder": (["--input", "empty"], ["cannot read", "empty", "directory"]),
    "an input without rows": (["--input", "none.jsonl"], ["none.jsonl", "no answers"]),
    "a line that is not JSON": (["--input", "torn.jsonl", "--prompts", "prompts.jsonl"], ["torn.jsonl", "line 1"]),
    "a row without an answer": (["--input", "answerless.jsonl"], ["line 2", "no answer", "code", "completion"]),
    "two answers with one id": (["--input", "same.jsonl"], ["line 2", "also that of line 1", "own id"]),
    "tests without an expected output": (["--input", "outputless.jsonl"], ["line 2", "test 1", "no expected output"]),
    "tests of no known kind": (["--input", "empty-case.jsonl"], ["line 2", "no known kind", "list of cases"]),
    "an answer in a language that nobody knows": (
        ["--input", "cobol-answer.jsonl"],
        ["line 2", "'b'", "cobol", "--skip-bad"],
    ),
    "answers without the tests that they need": (
        ["--input", "answers.jsonl", "--verifier", "execution"],
        ["'a'", "needs test cases", "--skip-bad"],
    ),
    "a task that the prompts lack": (
        ["--input", "nameless.jsonl", "--prompts", "prompts.jsonl"],
        ["line 1", "task_id is 'nowhere'", "no task of the prompts", "the only task there"],
    ),
    "tasks that are named and not there": (
        ["--input", "nameless.jsonl"],
        ["line 1", "task_id 'nowhere'", "no row has tests", "--prompts FILE", "compile_only"],
    ),
    "an output that is no file": (["main.c", "--output", "/dev/null"], ["/dev/null", "no regular file", "--output"]),
    "prompts that are not there": (["--input", "answers.jsonl", "--prompts", "no.jsonl"], ["no.jsonl", "not found"]),
    "prompts beside a source file": (["main.c", "--prompts", "prompts.jsonl"], ["--prompts", "--input only"]),
    "a language beside rows": (["--input", "answers.jsonl", "--language", "c"], ["--language", "source file"]),
    "a suffix of no language": (["notes.odd"], ["notes.odd", ".odd", "--language"]),
    "a language that there is not": (["main.c", "--language", "kobol"], ["'kobol'", "does not know"]),
    "no such verifier": (["main.c", "--verifier", "gc"], ["'gc'", "known are", "gcc"]),
    "no such argument": (["main.c", "--args", "cpu=2"], ["does not take", "cpu"]),
    "an argument without a value": (
        ["main.c", "--args", "cpu_s"],
        ["--args wants key=value", "--args cpu_s=2", "'cpu_s'"],
    ),
    "an argument that is no yes or no": (
        ["main.c", "--args", "check_only=maybe"],
        ["check_only is 'maybe'", "true or false"],
    ),
    "flags that the compiler does not know": (["--input", "flags.jsonl"], ["line 2", "'--wow'", "nothing compiles"]),
    "a command that boxes do not have": (
        ["main.c", "--verifier=subprocess", "--args=command=nonesuch {file}"],
        ["nonesuch", "verifier.mounts"],
    ),
    "a limit of zero": (["main.c", "--args", "cpu_s=0"], ["cpu_s is 0", "from 0.01"]),
    "a limit that is a word": (["main.c", "--args", "memory_mb=much"], ["memory_mb is 'much'", "a whole number"]),
    "weights that do not sum to 1": (
        ["main.c", "--verifier=chain", "--args=stages=[{type: gcc}, {type: auto}]", "--args=weights=[0.5, 0.6]"],
        ["weights", "[0.5, 0.6]", "sum to 1"],
    ),
    "an output below a file": (["main.c", "--output", "file/out.jsonl"], ["file/out.jsonl", "--output"]),
    "an output that is a folder": (["main.c", "--output", "empty"], ["empty", "is a folder", "--output"]),
    "an output of somebody else": (
        ["main.c", "--output", "foreign.jsonl"],
        ["not written by this", "--output"],
    ),
    "a cluster that does not answer": (["main.c", "--cluster", "127.0.0.1:1"], ["127.0.0.1:1", "--cluster"]),
    "no workers": (["main.c", "--max-workers", "0"], ["--max-workers", "equal to 1"]),
}


@pytest.mark.parametrize("case", VERIFY)
def test_bad_input_of_verify_is_refused_by_name_before_any_work(folder, case):
    arguments, named = VERIFY[case]
    done = raft(folder, *arguments, module=("haloforge.cli", "verify"))
    assert done.returncode == 2, done.stderr
    for word in named:
        assert word in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) < 12
    assert not list(folder.glob("home/cache/verdicts*"))


def test_verify_names_an_absent_compiler_with_the_remedy(folder, tmp_path):
    (tmp_path / "bin").mkdir()
    for arguments in (["main.c"], ["--input", "answers.jsonl", "--output", "unmade.jsonl"]):
        done = raft(folder, *arguments, path=str(tmp_path / "bin"), module=("haloforge.cli", "verify"))
        assert done.returncode == 2, done.stderr
        assert "needs gcc, absent on this node" in done.stderr
        assert "install" in done.stderr
    assert not (folder / "unmade.jsonl").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system, which needs root")
def test_verify_refuses_an_output_folder_that_is_read_only(folder):
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    (folder / "ro").mkdir()
    command = f"{sys.executable} -m haloforge.cli verify main.c --output ro/out.jsonl"
    script = f"mount -t tmpfs -o ro none {folder}/ro && {command}"
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    for word in ("ro/out.jsonl", "Read-only file system", "--output"):
        assert word in done.stderr


def test_the_same_with_debug_shows_the_traceback(folder):
    done = raft(folder, *TABLE["a line is not JSON"][0], "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_numbers_as_yaml_1_2_writes_them_are_numbers_and_a_dry_run_starts_nothing(folder):
    write(folder / "numbers.yaml", "training: {learning_rate: 5e-5, weight_decay: 1e-2}\n")
    done = raft(folder, *RUN, "--config", "numbers.yaml", "--output", "dry", "--dry-run", "--temperature", "0.9")
    assert done.returncode == 0, done.stderr
    assert "training.weight_decay: 0.01  # " in done.stdout
    assert "generation.temperature: 0.9  # command line" in done.stdout
    assert "nothing was started" in done.stdout
    assert not (folder / "dry").exists()


def in_small_mount(folder: Path, options: str) -> subprocess.CompletedProcess[str]:
    """The command with an output folder on a file system of its own."""
    place = folder / "small"
    place.mkdir(exist_ok=True)
    command = " ".join([sys.executable, "-m", "haloforge.raft", *RUN, "--output", "small/run"])
    script = f"mount -t tmpfs -o {options} none {place} && {command}"
    environment = {**os.environ, "HALOFORGE_HOME": str(folder / "home")}
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system, which needs root")
@pytest.mark.parametrize(("options", "why"), [("size=1m", "No space left"), ("ro", "Read-only file system")])
def test_an_output_folder_that_is_full_or_read_only_is_refused(folder, options, why):
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    done = in_small_mount(folder, options)
    assert done.returncode == 2, done.stderr
    assert why in done.stderr
    assert "output_dir" in done.stderr


def test_an_absent_compiler_is_named_with_the_remedy(folder, tmp_path):
    (tmp_path / "bin").mkdir()
    done = raft(folder, *RUN, path=str(tmp_path / "bin"))
    assert done.returncode == 2, done.stderr
    assert "gcc" in done.stderr
    assert "install" in done.stderr


def test_where_no_sandbox_holds_the_remedy_is_named(folder):
    done = raft(folder, *RUN, through=[sys.executable, without.FILE, "namespaces,landlock"])
    assert done.returncode == 2, done.stderr
    for word in ("unshare", "Landlock", "haloforge doctor", "--allow-weak"):
        assert word in done.stderr


def test_help_answers_without_heavy_imports():
    for module in ("haloforge.raft", "haloforge.sft", "haloforge.cli"):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", module, "--help"], capture_output=True, text=True
        )
        assert done.returncode == 0
        assert "Usage" in done.stdout
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert not imported & {"torch", "vllm", "ray", "transformers"}


def test_a_base_install_is_told_what_it_lacks():
    with pytest.raises(MissingTool, match=r"needs no_such_package, .*make setup"):
        require_packages("json", "no_such_package")


def print_table() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        place = made(Path(scratch))
        for case, (arguments, _) in TABLE.items():
            with socket.create_server(("127.0.0.1", 8299)):
                arguments = [a.replace("BUSY", "8299") for a in arguments]
                done = raft(place, *arguments)
            print(
                f"## {case}\n$ haloforge raft train {' '.join(arguments)}\n{done.stderr.strip()}\n→ {done.returncode}\n"
            )


if __name__ == "__main__":
    print_table()
