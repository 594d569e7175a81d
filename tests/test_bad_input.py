"""What bad input gets: one screen, the value, the remedy, exit code 2, and no engine started."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from haloforge.errors import MissingTool
from haloforge.preparation import require_packages

GOOD = {"prompt": "print 1", "language": "c", "tests": [{"input": "", "output": "1"}, {"input": "2", "output": "1"}]}


def raft(folder: Path, *arguments: str, path: str | None = None):
    environment = {**os.environ, "HALOFORGE_HOME": str(folder / "home")}
    environment.pop("RAY_ADDRESS", None)
    if path is not None:
        environment["PATH"] = path
    return subprocess.run(
        [sys.executable, "-m", "haloforge.raft", *arguments],
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


@pytest.fixture
def folder(tmp_path):
    """A working directory with good prompts and a folder that looks like a model."""
    write(tmp_path / "prompts.jsonl", json.dumps(GOOD) + "\n")
    write(tmp_path / "model/config.json", json.dumps({"model_type": "qwen2", "max_position_embeddings": 64}))
    header = json.dumps({"t": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    (tmp_path / "model/model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    (tmp_path / "empty").mkdir()
    return tmp_path


TABLE = [
    (["--model", "model"], ["prompts missing", "--prompts"]),
    (["--prompts", "prompts.jsonl"], ["model or sft_checkpoint missing"]),
    (["--output", "x"], ["model or sft_checkpoint and prompts missing", "verifier gcc", "cycles 5"]),
    (["--model", "model", "--prompts", "nowhere.jsonl"], ["nowhere.jsonl", "not found", "looked at"]),
    (["--model", "model", "--prompts", "none.jsonl"], ["none.jsonl", "no prompts"]),
    (["--model", "model", "--prompts", "torn.jsonl"], ["torn.jsonl", "line 2"]),
    (["--model", "model", "--prompts", "textless.jsonl"], ["textless.jsonl", "line 1"]),
    (["--model", "model", "--prompts", "prompts.jsonl", "--set", "training.epoch=2"], ["training.epoch", "epochs"]),
    (["--model", "model", "--prompts", "prompts.jsonl", "--set", "training.learning_rate=fast"], ["learning_rate"]),
    (["--model", "model", "--prompts", "prompts.jsonl", "--set", "lora.r"], ["key=value"]),
    (["--model", "model", "--prompts", "prompts.jsonl", "--verifier", "gc"], ["'gc'", "gcc", "execution"]),
    (["--model", "empty", "--prompts", "prompts.jsonl"], ["empty", "not a model folder", "config.json"]),
    (["--model", "nomodel", "--prompts", "prompts.jsonl"], ["nomodel", "not found"]),
    (["--config", "no.yaml"], ["no.yaml", "demo.yaml"]),
    (["--config", "broken.yaml"], ["broken.yaml", "YAML"]),
]


@pytest.mark.parametrize(("arguments", "named"), TABLE, ids=lambda v: " ".join(v) if v[0].startswith("-") else "")
def test_bad_input_is_refused_by_name(folder, arguments, named):
    write(folder / "none.jsonl", "\n")
    write(folder / "torn.jsonl", json.dumps(GOOD) + '\n{"prompt": "x"\n')
    write(folder / "textless.jsonl", '{"id": "a"}\n')
    write(folder / "broken.yaml", "a: b: c")
    done = raft(folder, *arguments)
    assert done.returncode == 2, done.stderr
    for word in named:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) < 25
    assert "Ray" not in done.stderr


def test_a_run_folder_of_other_settings_is_refused_with_the_difference(folder):
    first = ["--model", "model", "--prompts", "prompts.jsonl", "--output", "run", "--set", "evaluation.holdout=0"]
    write(
        folder / "run/raft_statistics.json",
        json.dumps(
            {"schema": 1, "run": {"identity": {"seed": 7, "prompts_digest": "x"}}, "best_cycle": None, "cycles": []}
        ),
    )
    done = raft(folder, *first)
    assert done.returncode == 2
    assert "seed: 7 → 0" in done.stderr
    assert "--fresh" in done.stderr


@pytest.mark.parametrize(
    ("tools", "named"),
    [
        ("bwrap setpriv prlimit", ["gcc", "install"]),
        ("gcc g++ cc as ld setpriv prlimit", ["bubblewrap", "install", "--allow-weak"]),
    ],
    ids=["compiler", "sandbox"],
)
def test_an_absent_tool_is_named_with_the_remedy(folder, tmp_path, tools, named):
    only = tmp_path / "bin"
    only.mkdir()
    for name in tools.split():
        found = shutil.which(name)
        if found:
            (only / name).symlink_to(found)
    done = raft(folder, "--model", "model", "--prompts", "prompts.jsonl", path=str(only))
    assert done.returncode == 2, done.stderr
    for word in named:
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
